"""An exported model: runs without cropworth, predicts the same, and nothing is left of one that does not."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from numpy.typing import NDArray
from PIL import Image
from test_load import change_plan, change_record

import cropworth
from command import Run
from cropworth.config import parse
from cropworth.data.config import Images
from cropworth.data.images.decode import decode
from cropworth.data.signature import Signature
from cropworth.deploy.card import expected_calibration_error, model_card
from cropworth.deploy.export import example, export
from cropworth.deploy.trial import choose
from cropworth.errors import CropworthError

# Runs a script where importing cropworth is an error.
WITHOUT = """
import runpy, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cropworth":
            raise ImportError("blocked")
sys.meta_path.insert(0, Blocked())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def without_cropworth(script: Path, *files: Path) -> list[dict[str, str]]:
    command = [sys.executable, "-I", "-c", WITHOUT, str(script), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def write_files(folder: Path) -> list[Path]:
    """A photograph-like picture in the modes and shapes that people have."""
    folder.mkdir()
    y, x = np.mgrid[:61, :90]
    waves = np.stack([127 + 120 * np.sin(x / 9 + y / 13 + shift) for shift in (0, 1, 2)], axis=2)
    colour = Image.fromarray(waves.round().astype(np.uint8))
    clear = colour.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(colour.size))
    deep = Image.fromarray((waves[..., 0] * 257).astype(np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    pictures = {
        "colour.png": colour, "grey.png": colour.convert("L"), "clear.png": clear, "deep.png": deep,
        "palette.gif": colour.convert("P"), "photo.jpg": colour, "print.jpg": colour.convert("CMYK"),
        "tall.png": colour.resize((20, 70)), "tiny.png": colour.resize((9, 7)),
    }  # fmt: skip
    for name, picture in pictures.items():
        picture.save(folder / name)
    colour.save(folder / "turned.jpg", exif=turned)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("kind", ["onnx", pytest.param("torch-export", marks=pytest.mark.slow)])
def test_the_example_predicts_what_the_study_does(run: Run, finished_once: Path, tmp_path: Path, kind: str) -> None:
    study, files = finished_once / "study", write_files(tmp_path / "files")
    status, out, err = run("export", study, "--variant", "crop", "--format", kind, "--out", tmp_path / "out")
    assert (status, err) == (0, "")
    assert "differ by at most" in out
    names = {"MODEL_CARD.md", "example.py", "model.json", "model.onnx" if kind == "onnx" else "model.pt2"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    found = without_cropworth(tmp_path / "out" / "example.py", *files)
    expected = list(csv.DictReader(io.StringIO(run("predict", study, "--variant", "crop", *files)[1])))
    for ours, right in zip(found, expected, strict=True):
        assert (ours["file"], ours["label"]) == (right["file"], right["label"])
        for column in ("p_dim", "p_square"):
            assert float(ours[column]) == pytest.approx(float(right[column]), abs=2e-3)
        for edge in "xywh":
            assert float(ours[edge]) == pytest.approx(float(right[edge]), abs=0.5)


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (3, 8), (1, 16), (3, 16)])
def test_the_example_reads_the_pixels_that_the_study_does(tmp_path: Path, fit: str, channels: int, bits: int) -> None:
    settings = {"image_size": 32, "fit": fit, "channels": channels, "bits": bits}
    signature = Signature(("a", "b"), channels, (32, 32), False, reading={"kind": "images", **settings})
    (tmp_path / "model.json").write_text(json.dumps({"reading": signature.reading}))
    names: dict[str, Any] = {"__file__": str(tmp_path / "example.py"), "__name__": "example"}
    exec(compile(example("onnx", signature), "example.py", "exec"), names)
    for path in write_files(tmp_path / "files"):
        pixels, steps, _ = names["read"](path)
        right = decode(path, parse(Images, settings)).pixels
        right = right / 255 if bits == 8 else right
        assert steps is None
        assert pixels.dtype == np.float32
        assert np.abs(pixels - right.numpy()).max() <= 1.01 / 255, path.name


def test_safetensors_are_loaded_by_their_folder(finished_once: Path, tmp_path: Path) -> None:
    trial, images = choose(finished_once / "study", "crop"), torch.rand(3, 1, 24, 24)
    assert export(trial, "safetensors", tmp_path / "out") == 0
    expected = cropworth.load(finished_once / "study", "crop")(images)
    assert torch.equal(cropworth.load(tmp_path / "out")(images), expected)
    about = json.loads((tmp_path / "out" / "model.json").read_text())
    assert about["plan"]["economics"] == {}
    compile((tmp_path / "out" / "example.py").read_text(), "example.py", "exec")
    with pytest.raises(CropworthError, match="Name the variant"):
        cropworth.load(tmp_path)


def test_a_file_that_predicts_something_else_is_not_written(
    finished_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cropworth.deploy.export.TOLERANCE", -1.0)
    with pytest.raises(CropworthError, match="differ by up to 0 from the study's"):
        export(choose(finished_once / "study", "baseline"), "safetensors", tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_model_that_no_graph_holds(run: Run, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine_that_decides.py").write_text(
        "from cropworth.models.small import SmallConvNet\n"
        "class Net(SmallConvNet):\n"
        "    def forward(self, images):\n"
        "        return super().forward(images if images.sum() > 3 else -images)\n"
        "def net(channels, classes): return Net(channels, classes, width=2)\n"
    )
    change_plan(finished, backbone={"name": "mine_that_decides:net"})
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for kind, instead in (("onnx", "torch-export"), ("torch-export", "safetensors")):
        command = ("export", finished, "--variant", "baseline", "--format", kind, "--out", tmp_path / "out")
        status, _, err = run(*command)
        assert status == 2
        assert f"the variant 'baseline', which {kind} cannot hold" in err
        assert instead in err
    assert [path for path in sorted(tmp_path.iterdir()) if path.name != "__pycache__"] == before
    assert run(*command[:-3], "safetensors", "--out", tmp_path / "out")[0] == 0


def test_a_folder_in_use(run: Run, finished_once: Path, tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    for out in (tmp_path, tmp_path / "kept.txt"):
        command = ("export", finished_once / "study", "--variant", "crop", "--format", "safetensors", "--out", out)
        status, _, err = run(*command)
        assert status == 2
        assert "a new or empty folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_format_that_there_is_not(run: Run, finished_once: Path, tmp_path: Path) -> None:
    command = ("export", finished_once / "study", "--variant", "crop", "--format", "onx", "--out", tmp_path / "out")
    status, _, err = run(*command)
    assert status == 2
    assert "Did you mean 'onnx'" in err


def series_of(reading: dict[str, Any], vocabulary: int = 0) -> Signature:
    return Signature(("a", "b"), 0 if vocabulary else 2, (6,), True, vocabulary, reading=reading)


@pytest.mark.parametrize("kind", ["onnx", "torch-export"])
@pytest.mark.parametrize(
    ("signature", "name", "content", "right"),
    [
        (
            series_of({"kind": "series", "features": ["p", "q"], "mean": [1.0, 0.0], "deviation": [2.0, 1.0]}),
            "one.csv",
            "q,p\n1,3\n2,5\n",
            np.array([[1, 1], [2, 2], [0, 0], [0, 0], [0, 0], [0, 0]], np.float32),
        ),
        (
            series_of({"kind": "texts", "words": ["it", "rains", "."], "most_steps": 6}, vocabulary=5),
            "one.txt",
            "It never rains.",
            np.array([2, 1, 3, 4, 0, 0]),
        ),
    ],
)
def test_the_example_reads_series_and_texts(
    tmp_path: Path, kind: str, signature: Signature, name: str, content: str, right: NDArray[Any]
) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"reading": signature.reading, "steps": 6}))
    (tmp_path / name).write_text(content)
    names: dict[str, Any] = {"__file__": str(tmp_path / "example.py"), "__name__": "example"}
    exec(compile(example(kind, signature), "example.py", "exec"), names)
    values, steps, place = names["read"](tmp_path / name)
    assert (values.dtype, steps) == (right.dtype, int(right.any(axis=tuple(range(1, right.ndim))).sum()))
    np.testing.assert_array_equal(values, right)
    assert place((0.5, 0.5)) == pytest.approx((steps / 4, 3 * steps / 4))


def test_the_card_says_what_the_study_kept(finished: Path) -> None:
    change_record(finished, "crop", 1, status="collapsed", reason="it is *blank*")
    trial = choose(finished, "crop")
    card = model_card(trial, "Use it so.", "Checked.")
    read, body = ModelCard(card, ignore_metadata_errors=False), card.split("---\n", 2)[2]
    (result,) = read.data.eval_results
    assert (result.task_type, result.dataset_name, result.metric_type) == ("image-classification", "tiny", "accuracy")
    assert result.metric_value == pytest.approx(trial.record.accuracy, abs=1e-4)
    assert read.data.pipeline_tag == "image-classification"
    for heading in ("Model details", "Intended use", "Metrics", "Data", "Training", "Quantitative analyses", "Costs",
                    "Prices", "Caveats and limits", "How to use it", "Versions"):  # fmt: skip
        assert f"## {heading}\n" in body
    for told in (
        "16 items to train, 6 to validate, 12 to test.",
        f"{trial.record.parameters:,} learned numbers",
        f"`{trial.study.data_sha256}`",
        f"accuracy is {100 * (trial.record.accuracy or 0):.1f} %",
        "Over 2 seeds",
        "cost_per_error: 1.5",
        "Of 2 seeds of this variant, 1 collapsed.",
        "Use it so.",
        "Checked.",
    ):
        assert told in body
    assert str(finished.parent) not in card
    weights = {"backbone": {"name": "small", "weights": "/else/where/eyes.pt"}}
    change_plan(
        finished,
        variants={**json.loads(trial.plan.model_dump_json())["variants"], "crop": {"control": "whole", **weights}},
    )
    told = model_card(choose(finished, "crop"), "Use it so.")
    assert "began with the weights in `eyes.pt`, which were trained further" in told
    alone = model_card(choose(finished, "crop", 1), "Use it so.")
    assert "it is \\*blank\\*" in alone


def test_calibration_error() -> None:
    sure = np.array([[0.9, 0.1]] * 10, dtype=np.float32)
    assert expected_calibration_error(sure, np.array([0] * 9 + [1])) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(sure, np.array([0] * 4 + [1] * 6)) == pytest.approx(0.5, abs=1e-6)
    two = np.array([[0.9, 0.1], [0.4, 0.6]], dtype=np.float32)
    assert expected_calibration_error(two, np.array([0, 0])) == pytest.approx((0.1 + 0.6) / 2, abs=1e-6)
