"""Table 1 of Jaderberg et al. 2015, Spatial Transformer Networks, again: when does a learned crop read better?

The networks of the paper's kind on the digits that ship with cropworth (8,000 to train, 2,000 to test), or on any
other pictures in MNIST's format. Training pictures are distorted afresh every epoch, test pictures once for all.

    python benchmarks/paper.py --out paper --epochs 6 --jobs 2
    python benchmarks/paper.py --out fashion --fashion FOLDER_OF_IDX_GZ --epochs 1 --batch-size 64 --jobs 2

The first takes 52 minutes of one core, from 8 s (FCN, plain) to 97 s (CNN, C) a training; its table is
docs/results/paper.md, that of the second docs/results/fashion.md.
It writes one ``COLUMN_NETWORK_SEED.json`` a training, which is not trained again, and the table ``paper.md``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import torch
import torch.nn.functional as F
from distortions import DISTORTIONS, SOURCE
from numpy.typing import NDArray
from paper_table import COLUMNS, NETWORKS, PAPER, markdown
from torch import Tensor, nn

from cropworth.crops.localizers import zero_initialised
from cropworth.crops.spatial import SpatialTransformer
from cropworth.crops.splines import ThinPlateSpline
from cropworth.crops.training import parameter_groups
from cropworth.crops.transforms import Projective, Transform, UnboundedAffine
from cropworth.data.images.cluttered import SPLIT_SEED
from cropworth.data.images.digits import load_digits
from cropworth.errors import CropworthError, NotFiniteError
from cropworth.measure.environment import describe_environment
from cropworth.measure.time import Stopwatch

TRANSFORMS: dict[str, Callable[[], Transform]] = {
    "Aff": UnboundedAffine,
    "Proj": Projective,
    "TPS": partial(ThinPlateSpline, 4),
}
# The paper gives all networks about 400,000 parameters. Here those of one kind have equally many: a convolutional one
# of 32 filters has 54,000 on 28 pixels, and 400,000 would take seven times as long.
PARAMETERS = {"FCN": 400_000, "CNN": 55_000}
WIDEST = 512
DIGITS_TEST = 2000
CLASSES = 10
IDX = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
WHERE = "Give --fashion the folder of " + ", ".join(f"{name}-ubyte.gz" for name in IDX) + "."
TEST_SEED, EVALUATION_BATCH = 2015, 250  # both decide how the test pictures are distorted
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Settings:
    """What all trainings of one table share."""

    source: str
    train_size: int
    test_size: int
    epochs: int
    batch_size: int
    lr: float
    localizer_lr: float


@dataclass(frozen=True)
class Source:
    """Undistorted pictures (N, 1, 28, 28), uint8, and their labels (N,), int64."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Trial:
    """One training."""

    column: str
    network: str
    seed: int

    @property
    def file(self) -> str:
        """Name of its record."""
        return f"{self.column}_{self.network}_{self.seed}.json"


def load_source(fashion: Path | None) -> Source:
    """The shipped digits, split as ever, or the four files of a data set in MNIST's format.

    Raises:
        CropworthError: a file is missing or is not in that format.
    """
    if fashion is None:
        images, labels = load_digits()
        order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
        test, train = order[:DIGITS_TEST], order[DIGITS_TEST:]
        parts = [images[train], labels[train], images[test], labels[test]]
    else:
        parts = [read_idx(fashion / f"{name}-ubyte.gz") for name in IDX]
        shapes = [part.shape for part in parts]
        if any(i[1:] != (SOURCE, SOURCE) or n != i[:1] for i, n in (shapes[:2], shapes[2:])):
            raise CropworthError(f"{fashion} with arrays of {shapes}", "28 x 28 pixels and a label each", WHERE)
    train_images, train_labels, test_images, test_labels = map(torch.from_numpy, parts)
    return Source(train_images.unsqueeze(1), train_labels.long(), test_images.unsqueeze(1), test_labels.long())


def read_idx(path: Path) -> NDArray[np.uint8]:
    """One gzipped file of the format in which MNIST was published: two zeros, 8 for bytes, the rank, the sizes, bytes.

    Raises:
        CropworthError: there is no such file, or it is another one.
    """
    try:
        data = gzip.decompress(path.read_bytes())
        rank = data[3]
        shape = np.frombuffer(data, ">u4", rank, offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape).copy()
    except (OSError, EOFError, zlib.error, IndexError, ValueError) as error:
        raise CropworthError(f"{path} ({error})", "a gzipped file in MNIST's format", WHERE) from None


def build(network: str, side: int) -> nn.Sequential:
    """A network of the table for pictures (B, 1, side, side).

    A crop of a larger canvas is read at twice the classifier's 28 pixels and averaged 2 x 2, as in the paper.
    """
    family = "FCN" if "FCN" in network else "CNN"
    classifier = {"FCN": fully_connected, "CNN": convolutional}[family]
    budget = PARAMETERS[family]
    if not network.startswith("ST-"):
        return classifier(side, widest(partial(classifier, side), budget))
    transform = TRANSFORMS[network.rpartition("-")[2]]()
    localizer, look = localization(family, side, transform.parameters_needed)
    fine = 1 if side == SOURCE else 2
    crop = SpatialTransformer(localizer, transform, (fine * SOURCE, fine * SOURCE), look_size=look)
    width = widest(partial(classifier, SOURCE), budget - parameters(localizer))
    pool = [] if fine == 1 else [nn.AvgPool2d(fine)]
    return nn.Sequential(crop, *pool, *classifier(SOURCE, width))


def fully_connected(side: int, width: int) -> nn.Sequential:
    """Two hidden layers of `width` units."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(side * side, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, CLASSES),
    )


def convolutional(side: int, width: int) -> nn.Sequential:
    """9x9 and 7x7 convolutions of `width` filters, each max-pooled by 2."""
    last = ((side - 8) // 2 - 6) // 2
    return nn.Sequential(
        nn.Conv2d(1, width, 9),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(width, width, 7),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * last * last, CLASSES),
    )


def localization(family: str, side: int, outputs: int) -> tuple[nn.Sequential, tuple[int, int] | None]:
    """The paper's localization network for pictures of `side` pixels, and the size of its look."""
    if family == "FCN":
        layers = [nn.Flatten(), nn.Linear(side * side, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()]
        return nn.Sequential(*layers, zero_initialised(nn.Linear(32, outputs))), None
    look = side // 2
    last = (look - 4) // 2 - 4
    layers = [
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(20, 20, 5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(20 * last * last, 20),
        nn.ReLU(),
    ]
    return nn.Sequential(*layers, zero_initialised(nn.Linear(20, outputs))), (look, look)


def widest(make: Callable[[int], nn.Module], budget: int) -> int:
    """The largest width whose network has at most `budget` parameters."""
    with torch.device("meta"):
        return bisect_right(range(1, WIDEST + 1), budget, key=lambda width: parameters(make(width)))


def parameters(model: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(p.numel() for p in model.parameters())


def train(model: nn.Module, column: str, source: Source, settings: Settings, seed: int) -> None:
    """AdamW with a one-cycle schedule, in place.

    Raises:
        NotFiniteError: the crops diverged.
    """
    rng = torch.Generator().manual_seed(seed)
    draw = DISTORTIONS[column].draw
    images, labels = source.train_images[: settings.train_size], source.train_labels[: settings.train_size]
    steps = max(1, len(images) // settings.batch_size)  # without the incomplete last batch
    optimizer = torch.optim.AdamW(parameter_groups(model, settings.lr, settings.localizer_lr))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [group["lr"] for group in optimizer.param_groups], total_steps=settings.epochs * steps
    )
    model.train()
    for _ in range(settings.epochs):
        for chosen in torch.split(torch.randperm(len(images), generator=rng), settings.batch_size)[:steps]:
            loss = F.cross_entropy(model(draw(images[chosen].float() / 255, rng)), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
            optimizer.step()
            schedule.step()


@torch.no_grad()
def mistakes(model: nn.Module, column: str, source: Source, settings: Settings) -> list[int]:
    """Which test pictures are read wrongly; they are the same for every network and seed."""
    rng = torch.Generator().manual_seed(TEST_SEED)
    images, labels = source.test_images[: settings.test_size], source.test_labels[: settings.test_size]
    model.eval()
    wrong = [
        model(DISTORTIONS[column].draw(part.float() / 255, rng)).argmax(1) != truth
        for part, truth in zip(
            torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True
        )
    ]
    return torch.cat(wrong).nonzero().flatten().tolist()


def run_trial(trial: Trial, source: Source, settings: Settings, folder: Path) -> None:
    """Train and test one network, and write its record, unless there is one.

    Raises:
        CropworthError: the record there was made with other settings.
    """
    path = folder / trial.file
    if path.exists():
        found = json.loads(path.read_text())["settings"]
        if found != asdict(settings):
            raise CropworthError(f"{path} made with {found}", f"{asdict(settings)}", "Choose another --out.")
        return
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(trial.seed)
        model = build(trial.network, DISTORTIONS[trial.column].side)
    model = model.to(memory_format=torch.channels_last)  # halves the time on a processor
    wrong, training = None, Stopwatch()
    with suppress(NotFiniteError):
        with training:
            train(model, trial.column, source, settings, trial.seed)
        wrong = mistakes(model, trial.column, source, settings)
    record = {
        **asdict(trial),
        "settings": asdict(settings),
        "error": None if wrong is None else 100 * len(wrong) / settings.test_size,
        "wrong": wrong,
        "parameters": parameters(model),
        "training_cpu_s": training.cpu_s,
        "date": datetime.now(UTC).date().isoformat(),
        "environment": describe_environment(),
    }
    unfinished = path.with_suffix(".writing")
    unfinished.write_text(json.dumps(record))
    unfinished.replace(path)
    error = "diverged" if wrong is None else f"{record['error']:.2f} %"
    print(f"{path.stem}: {error}, {record['parameters']:,} parameters, {training.cpu_s:.0f} s", flush=True)


def networks_of(column: str) -> list[str]:
    """The networks of a column, all but in C, where the paper has the affine crops alone."""
    return [network for network in NETWORKS if column != "C" or network in PAPER["C"]]


def positive(text: str) -> int:
    """A whole number from 1, for the command line."""
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def command_line() -> argparse.ArgumentParser:
    """What can be chosen."""
    parser = argparse.ArgumentParser(description="Table 1 of Jaderberg et al. 2015, again.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the records and paper.md")
    parser.add_argument("--seeds", type=positive, default=2, help="trainings of each network")
    parser.add_argument("--epochs", type=positive, default=10)
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--fashion", type=Path, help="folder of four .gz files in MNIST's format, in place of digits")
    parser.add_argument("--train-size", type=positive, help="pictures to train on; all by default")
    parser.add_argument("--test-size", type=positive, help="pictures to test on; all by default")
    parser.add_argument("--batch-size", type=positive, default=32)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--localizer-lr", type=float, default=1.0, help="of the localizer, as a multiple of --lr")
    parser.add_argument("--jobs", type=positive, default=1, help="trainings at a time, each on one core")
    parser.add_argument("--table-only", action="store_true", help="write paper.md from the records that are there")
    return parser


def run(options: argparse.Namespace) -> None:
    """Train what is not trained yet.

    Raises:
        CropworthError: the source cannot be read, or the folder holds records of other settings.
    """
    source = load_source(options.fashion)
    settings = Settings(
        source="10,000 MNIST digits" if options.fashion is None else "Fashion-MNIST",
        train_size=len(source.train_labels[: options.train_size]),
        test_size=len(source.test_labels[: options.test_size]),
        epochs=options.epochs,
        batch_size=options.batch_size,
        lr=options.lr,
        localizer_lr=options.localizer_lr,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    # The first seed of everything comes first, so that there is a whole table early.
    trials = [
        Trial(column, network, seed)
        for seed in range(options.seeds)
        for column in options.columns
        for network in networks_of(column)
        if network in options.networks
    ]
    joblib.Parallel(options.jobs)(joblib.delayed(run_trial)(trial, source, settings, options.out) for trial in trials)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write the table; the exit status."""
    options = command_line().parse_args(arguments)
    try:
        if not options.table_only:
            run(options)
        text = markdown([json.loads(path.read_text()) for path in sorted(options.out.glob("*_*_*.json"))])
    except CropworthError as error:
        print(error, file=sys.stderr)
        return 2
    (options.out / "paper.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
