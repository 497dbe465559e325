"""`export`: a trained variant -> a folder with the model's file, an example that runs it, and its card."""

from __future__ import annotations

import json
import shutil
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import torch

import cropworth
from cropworth.config import nearest
from cropworth.data.signature import Signature
from cropworth.deploy.card import model_card
from cropworth.deploy.formats import WRITERS, Graph, Inputs, Runner, output_names
from cropworth.deploy.load import loaded
from cropworth.deploy.trial import Trial
from cropworth.errors import CropworthError

TOLERANCE = 1e-4
PROBED = 5  # other than the number of items that the graph is made with, so that the batch is seen to be dynamic
TRACED = 3

NEEDS = {"onnx": "numpy and onnxruntime", "torch-export": "numpy, torch and torchvision"}
READS = {
    "images": "It reads images with pillow, so no DICOM.",
    "series": "It reads CSV files with a row for each step.",
    "texts": "It reads text files.",
    "rows": "It reads an .npy file for each item: the study's own items came from no files.",
}


def export(trial: Trial, kind: str, out: Path) -> float:
    """Write a trained variant for use elsewhere, all or nothing.

    Args:
        trial: see `choose`.
        kind: ``onnx``, ``torch-export`` or ``safetensors``.
        out: a new or empty folder, which gets the model's file, ``model.json``, ``example.py`` and ``MODEL_CARD.md``.

    Returns:
        The largest difference between what the file and the study's model predict, on items drawn at random.

    Raises:
        CropworthError: there is no such format, the folder is in use, a package is missing, the variant cannot be
            written in this format, or the file predicts something else.
    """
    if kind not in WRITERS:
        raise CropworthError(f"the format {kind!r}", f"one of {', '.join(WRITERS)}", nearest(kind, list(WRITERS)))
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise CropworthError(f"{out}, which is in use", "a new or empty folder", "Choose another --out.")
    model = Graph(loaded(trial)).eval()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".exporting-", dir=out.parent))
    except OSError as error:
        raise CropworthError(
            f"{out} ({error.strerror})", "a folder that can be written", "Choose another --out."
        ) from None
    try:
        difference = _write(trial, kind, model, folder)
        folder.chmod(0o755)
        folder.rename(out)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return difference


def _write(trial: Trial, kind: str, model: Graph, folder: Path) -> float:
    file, writer = WRITERS[kind]
    try:
        run = writer(model, items_like(trial.signature, TRACED), folder / file)
    except CropworthError:
        raise
    except Exception as error:  # an exporter raises anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CropworthError(
            f"the variant {trial.record.variant!r}, which {kind} cannot hold ({type(error).__name__}: {reason})",
            "a model without steps that depend on the data",
            "Use --format safetensors, which holds every variant and needs cropworth to run it"
            f"{', or try torch-export' if kind == 'onnx' else ''}.",
        ) from error
    difference = largest_difference(model, run, trial.signature)
    if not difference <= TOLERANCE:
        raise CropworthError(
            f"predictions of the {kind} file that differ by up to {difference:.2g} from the study's",
            f"at most {TOLERANCE:g}",
            "Use another format; nothing was written.",
        )
    about = _about(trial, kind, file, output_names(model.model, boxes=trial.crops), difference)
    (folder / "model.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    (folder / "example.py").write_text(example(kind, trial.signature), encoding="utf-8")
    checked = (
        f"`{file}` was checked: on {PROBED} items drawn at random its predictions differ by at most"
        f" {difference:.1g} from those of the study's own model."
    )
    use = f"`python example.py FILES...` predicts what stands in files. {_needs(kind, trial.signature)}"
    (folder / "MODEL_CARD.md").write_text(model_card(trial, use, checked), encoding="utf-8")
    return difference


def items_like(signature: Signature, count: int) -> Inputs:
    """Items drawn at random, of the shape that the model takes; of sequences with their lengths."""
    generator = torch.Generator().manual_seed(count)
    if not signature.is_sequence:
        return (torch.rand(count, signature.channels, *signature.size, generator=generator),)
    steps = signature.size[0]
    lengths = torch.randint(2, steps + 1, (count,), generator=generator)
    lengths[0] = steps
    if signature.vocabulary:
        values = torch.randint(1, signature.vocabulary, (count, steps), generator=generator)
    else:
        values = torch.randn(count, steps, signature.channels, generator=generator)
    own = torch.arange(steps) < lengths.unsqueeze(1)
    return (values * (own if signature.vocabulary else own.unsqueeze(2)), lengths)


def largest_difference(model: Graph, run: Runner, signature: Signature) -> float:
    """Of predictions and boxes, for a batch and for a single item."""
    gaps = []
    for count in (PROBED, 1):
        items = items_like(signature, count)
        with torch.no_grad():
            expected = model(*items)
        gaps += [(found - right).abs().max() for found, right in zip(run(items), expected, strict=True)]
    return torch.stack(gaps).max().item()


def _about(trial: Trial, kind: str, file: str, outputs: list[str], difference: float) -> dict[str, Any]:
    """What a program must know of the model's file."""
    known, record = trial.signature, trial.record
    about: dict[str, Any] = {
        "study": trial.study.name,
        "variant": record.variant,
        "trial": record.trial,
        "seed": record.seed,
        "cropworth": cropworth.__version__,
        "format": kind,
        "file": file,
        "classes": list(known.classes),
        "outputs": outputs,
        "steps": known.size[0] if known.is_sequence else None,
        "reading": known.reading,
        "largest_difference": difference,
    }
    if kind == "safetensors":  # the model is built again before it gets its weights
        plan = trial.plan.model_copy(update={"economics": {}})
        about |= {"plan": plan.model_dump(mode="json"), "signature": known.as_dict()}
    return about


def example(kind: str, signature: Signature) -> str:
    """A script that runs the exported file: files -> CSV, as `cropworth predict` writes it."""
    if kind == "safetensors":
        return _part("safetensors")
    head = (
        f'"""Predict with an exported model, without cropworth: python example.py FILES... prints CSV.\n\n'
        f'{_needs(kind, signature)}\n"""\n\nimport csv\nimport json\nimport sys\nfrom pathlib import Path\n'
    )
    constants = 'HERE = Path(__file__).parent\nABOUT = json.loads((HERE / "model.json").read_text(encoding="utf-8"))\n'
    parts = [_part(_reader(signature)), _part(kind), _part("main")]
    if signature.is_sequence:
        parts.insert(1, _part("filled"))
    return "\n\n".join([head + "\n" + constants, *parts])


def _needs(kind: str, signature: Signature) -> str:
    if kind == "safetensors":
        return "It needs cropworth: the file holds the weights alone."
    return f"It needs {NEEDS[kind]}. {READS[_reader(signature)]}"


def _reader(signature: Signature) -> str:
    """Which example reads such files; arrays where the study's items came from no file, or from an embedder."""
    reading = signature.reading
    kind = str(reading.get("kind", "rows"))
    return "rows" if kind == "texts" and not reading.get("words") else kind


def _part(name: str) -> str:
    return resources.files("cropworth.deploy").joinpath("examples", f"{name}.txt").read_text(encoding="utf-8")
