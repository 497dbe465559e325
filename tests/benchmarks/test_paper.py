"""The distortions do what they say, and the whole of benchmarks/paper.py runs on a few digits."""

import gzip
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cropworth.crops.geometry import compose, control_points, invert, map_points
from cropworth.data.images.digits import load_digits
from cropworth.errors import CropworthError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import distortions
import paper
import paper_table

TINY = ["--seeds", "1", "--epochs", "1", "--train-size", "64", "--test-size", "50"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.tensor(load_digits()[0][::200]).unsqueeze(1) / 255  # (50, 1, 28, 28)


@pytest.mark.parametrize("column", distortions.DISTORTIONS)
def test_every_distortion_follows_its_generator(column: str, images: Tensor) -> None:
    side, draw = distortions.DISTORTIONS[column].side, distortions.DISTORTIONS[column].draw
    first = draw(images, generator())
    assert first.shape == (len(images), 1, side, side)
    assert 0 <= first.min() <= first.max() <= 1 + 1e-6
    assert first.flatten(1).sum(1).min() > 5  # there is always something to read
    assert torch.equal(first, draw(images, generator()))
    assert column == "plain" or not torch.equal(first, draw(images, generator(1)))


def test_no_turn_no_scale_and_no_shift_are_the_identity() -> None:
    pose = distortions.placed(torch.zeros(2), torch.ones(2), torch.zeros(2, 2))
    torch.testing.assert_close(pose, torch.eye(2, 3).expand(2, -1, -1))


def test_a_quarter_turn_is_clockwise(images: Tensor) -> None:
    pose = distortions.placed(torch.full((len(images),), math.pi / 2), torch.ones(len(images)), torch.zeros(50, 2))
    torch.testing.assert_close(distortions.sample(images, pose, (28, 28)), images.rot90(-1, (2, 3)))


def test_the_middle_of_the_source_moves_with_the_shift() -> None:
    shift = torch.tensor([[0.2, -0.3]])
    pose = distortions.placed(torch.tensor([0.5]), torch.tensor([0.6]), shift)
    torch.testing.assert_close(map_points(pose, shift.unsqueeze(1)), torch.zeros(1, 1, 2))


def test_a_moved_source_loses_no_ink(images: Tensor) -> None:
    drawn = distortions.rotate_translate_scale(images, generator())
    border = torch.cat([drawn[..., 0, :], drawn[..., -1, :], drawn[..., :, 0], drawn[..., :, -1]], dim=-1)
    assert (border.amax((1, 2)) > 0.5).sum() <= 1


def test_a_homography_puts_the_corners_where_they_were_drawn() -> None:
    quads = distortions.quadrilaterals(200, generator())
    assert distortions.convex(quads).all()
    pose = distortions.homography(quads)
    torch.testing.assert_close(map_points(pose, quads), distortions.CORNERS.expand(200, -1, -1), atol=1e-2, rtol=0)
    assert torch.allclose(map_points(invert(pose), distortions.CORNERS.expand(200, -1, -1)), quads, atol=1e-3)


def test_corners_are_shifted_by_five_pixels() -> None:
    quads = distortions.quadrilaterals(5000, generator())
    shifts = (quads - 0.875 * distortions.CORNERS) / distortions.PIXEL
    # Folded quadrilaterals, which are drawn anew, are those of the largest shifts.
    assert 4.5 < shifts.std().item() < 5.1


def test_folded_quadrilaterals_are_not_convex() -> None:
    crossed = distortions.CORNERS[[1, 0, 2, 3]]
    assert distortions.convex(torch.stack([distortions.CORNERS, crossed])).tolist() == [True, False]


def test_a_spline_maps_control_points_to_the_drawn_points() -> None:
    shifts = 0.1 * torch.randn(3, 16, 2, generator=generator())
    lattice = control_points(4, shifts).expand(3, -1, -1)
    pose = distortions.spline(shifts)
    torch.testing.assert_close(map_points(pose, lattice), lattice + shifts, atol=1e-5, rtol=1e-5)
    zoom = distortions.placed(torch.zeros(3), torch.full((3,), 0.8), torch.zeros(3, 2))
    expected = (lattice + shifts) / 0.8
    torch.testing.assert_close(map_points(compose(zoom, pose), lattice), expected, atol=1e-5, rtol=1e-5)


def test_clutter_shows_the_digit_unchanged_and_six_pieces_at_most(images: Tensor) -> None:
    black = torch.zeros_like(images)
    black[:, :, 4:-4, 4:-4] = 0.3  # what the pieces are cut out of
    canvases = distortions.clutter(black, generator())
    outside = (canvases > 0).flatten(1).sum(1) - 20 * 20
    assert (outside > 0).all()
    assert outside.max() <= 6 * 6 * 6
    alone = distortions.clutter(images[:1], generator())
    assert alone.sum() >= images[0].sum()


@pytest.mark.parametrize("side", [28, 60])
@pytest.mark.parametrize("network", paper_table.NETWORKS)
def test_networks_keep_to_their_parameters_and_start_at_the_whole_input(network: str, side: int) -> None:
    model = paper.build(network, side)
    budget = paper.PARAMETERS["FCN" if "FCN" in network else "CNN"]
    assert 0.9 * budget < paper.parameters(model) <= budget
    pictures = torch.rand(2, 1, side, side, generator=generator())
    assert model(pictures).shape == (2, 10)
    if network.startswith("ST-"):
        pose = model[0].locate(pictures)
        torch.testing.assert_close(map_points(pose, distortions.CORNERS), distortions.CORNERS.expand(2, -1, -1))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    assert paper.main(["--out", str(folder), "--columns", "R", "C", "--networks", "FCN", "ST-FCN-Aff", *TINY]) == 0
    return folder


def test_a_run_ends_in_a_table_with_the_papers_numbers(finished: Path) -> None:
    record = json.loads((finished / "R_ST-FCN-Aff_0.json").read_text())
    assert record["error"] == 100 * len(record["wrong"]) / 50
    assert record["training_cpu_s"] > 0
    assert record["settings"]["train_size"] == 64
    assert "torch" in record["environment"]
    text = (finished / "paper.md").read_text()
    assert f"| ST-FCN-Aff | {record['error']:.2f} ({record['error']:.2f} to {record['error']:.2f}) / 1.2 |" in text
    assert " / 13.2 |" in text
    assert "60,000 digits" in text
    assert "4 trainings" in text


def test_finished_trainings_are_not_trained_again(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper, "train", None)
    assert paper.main(["--out", str(finished), "--columns", "R", "--networks", "FCN", *TINY]) == 0


def test_the_same_arguments_give_the_same_numbers(finished: Path, tmp_path: Path) -> None:
    paper.main(["--out", str(tmp_path), "--columns", "C", "--networks", "ST-FCN-Aff", *TINY])
    first, second = (json.loads((folder / "C_ST-FCN-Aff_0.json").read_text()) for folder in (finished, tmp_path))
    assert first["wrong"] == second["wrong"]


def test_other_settings_are_refused(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paper.main(["--out", str(finished), "--columns", "R", "--networks", "FCN", *TINY, "--lr", "0.1"]) == 2
    assert "Choose another --out" in capsys.readouterr().err


def test_a_table_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paper.main(["--out", str(tmp_path), "--table-only"]) == 2
    assert "Train first" in capsys.readouterr().err


def test_missing_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paper.main(["--out", str(tmp_path), "--fashion", str(tmp_path / "none")]) == 2
    assert "train-images-idx3-ubyte.gz" in capsys.readouterr().err


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes()))


def test_files_in_mnists_format_are_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)
    labels = np.arange(6, dtype=np.uint8)
    for name in paper.IDX:
        write_idx(tmp_path / f"{name}-ubyte.gz", pixels if "images" in name else labels)
    source = paper.load_source(tmp_path)
    assert torch.equal(source.train_images, torch.from_numpy(pixels).unsqueeze(1))
    assert source.test_labels.tolist() == [0, 1, 2, 3, 4, 5]
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", labels[:5])
    with pytest.raises(CropworthError, match="28 x 28 pixels and a label each"):
        paper.load_source(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no gzip")
    with pytest.raises(CropworthError, match="t10k-labels"):
        paper.load_source(tmp_path)


def record(network: str, seed: int, wrong: list[int] | None) -> paper_table.Record:
    return {
        "column": "RTS",
        "network": network,
        "seed": seed,
        "settings": asdict(paper.Settings("x", 100, 200, 1, 10, 1e-3, 1.0)),
        "error": None if wrong is None else len(wrong) / 2,
        "wrong": wrong,
        "parameters": 7,
        "training_cpu_s": 1.0,
        "date": "2026-01-01",
        "environment": {"torch": "2", "processor": "p", "cores": 2},
    }


def test_the_table_says_what_the_numbers_say() -> None:
    plain = [record("CNN", seed, list(range(100))) for seed in (0, 1)]
    crops = [record("ST-CNN-Aff", seed, list(range(30 + seed))) for seed in (0, 1)]
    lost = [record("ST-CNN-TPS", 0, None), record("ST-CNN-TPS", 1, list(range(20)))]
    text = paper_table.markdown([*plain, *crops, *lost])
    assert "| CNN | 50.00 (50.00 to 50.00) / 0.8 |" in text
    assert "| ST-CNN-TPS | 10.00 (10.00 to 10.00), 1 of 2 diverged / 0.5 |" in text
    assert "| RTS | CNN | 0.30 (0.62) better | - | 0.20 (0.62) open | TPS | Aff, TPS |" in text
    assert "- RTS: ST-CNN < CNN is not settled (1 better, 1 open)." in text
    assert paper_table.verdict(plain, crops) == "worse"
    assert "ST-CNN < CNN holds (1 better)" in paper_table.markdown([*plain, *crops])
