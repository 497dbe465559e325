"""`init` and `check` as a user meets them, and the study of what `init` wrote."""

import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from command import Run
from tiny import tiny_values, write_images, write_plan


@pytest.fixture(autouse=True)
def short_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cropworth.study.run.ESTIMATE_STEPS", 1)


def test_from_a_folder_to_a_verdict(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path / "shapes")
    (tmp_path / "shapes" / "dim" / "0.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    status, out, err = run("init", "shapes", "--jobs", 1)
    assert status == 0
    assert "Taken for images, a folder for each class: shapes has 2 folders with images: dim, square." in out
    assert "cropworth check plan.yaml" in out
    assert "0.png" in err
    status, out, err = run("check", "plan.yaml", "--jobs", 1)
    assert status == 0
    assert out.rstrip().endswith("No problems.")
    assert re.search(r"square +\d+ +\d+ +\d+\n", out)
    assert "0.png" in err
    # As it stands the plan trains for minutes; the same with fewer and shorter trainings.
    values = yaml.safe_load(Path("plan.yaml").read_text())
    values["study"]["seeds"], values["training"]["epochs"] = 1, 1
    values["variants"] = {name: values["variants"][name] for name in ("baseline", "crop")}
    values["timing"] = {"batch_size": 4, "rounds": 10}
    Path("plan.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    status, out, _ = run("study", "plan.yaml", "--out", "study", "--jobs", 1)
    assert status == 0
    assert "Report: study/report.html" in out.replace("\n", "")


def test_init_overwrites_nothing(run: Run, tiny: Path) -> None:
    before = (tiny / "plan.yaml").read_text()
    status, out, err = run("init", tiny / "images", "--out", tiny / "plan.yaml")
    assert (status, out) == (2, "")
    assert "which is there already" in err
    assert (tiny / "plan.yaml").read_text() == before


def test_init_writes_nothing_where_it_knows_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "readme.txt").write_text("soon")
    status, out, err = run("init", tmp_path / "data", "--out", tmp_path / "plan.yaml")
    assert (status, out) == (2, "")
    assert "1 of .txt" in err
    assert not (tmp_path / "plan.yaml").exists()
    status, _, err = run("init", tmp_path / "data", "--out", tmp_path / "nowhere" / "plan.yaml")
    assert status == 2
    assert "nowhere" in err


def test_check_lists_keys_data_prices_and_models_at_once(run: Run, tiny: Path) -> None:
    (tiny / "images" / "dim" / "0.png").write_bytes(b"")
    prices = {"cost_matrix": {"owl": {"dim": 1}}, "predictions_per_year": 1000}
    variants = {**tiny_values()["variants"], "far": {"control": "centre", "size": 900}}
    path = write_plan(
        tiny, economics=prices, variants=variants, trainin={}, training={"epochs": 2, "augment": [{"Nip": {}}]}
    )
    status, out, err = run("check", path, "--jobs", 1)
    assert (status, out) == (2, "")
    first, *lines = err.splitlines()
    assert first == f"{path}: 5 problems"
    for wanted in ("0.png", "'owl'", "variants.far", "'training'", "Nip"):
        assert sum(wanted in line for line in lines) == 1, err
    assert all(line.startswith("- got ") for line in lines)


def wide_png(side: int) -> bytes:
    """A PNG of a few bytes that says it has `side` x `side` pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


# What a user may do to the folder of the tiny plan -> what its line says: the file's name, and what to do.
BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "zero.png": (lambda file: file.write_bytes(b""), "an empty file"),
    "truncated.png": (lambda file: file.write_bytes((file.parent / "1.png").read_bytes()[:60]), "Mend"),
    "mislabelled.jpg": (lambda file: file.write_text("<html>"), "no image"),
    "bomb.png": (lambda file: file.write_bytes(wide_png(60_000)), "Pillow's limit"),
    "copy.png": (lambda file: file.write_bytes((file.parents[1] / "square" / "2.png").read_bytes()), "label"),
    "link.png": (lambda file: file.symlink_to(file.parents[2] / "outside.png"), "outside.png"),
}


def test_bad_files_are_listed_each(run: Run, tiny: Path) -> None:
    (tiny / "outside.png").write_bytes((tiny / "images" / "dim" / "5.png").read_bytes())
    for name, (spoil, _) in BAD_FILES.items():
        spoil(tiny / "images" / "dim" / name)
    status, _, err = run("check", tiny / "plan.yaml", "--jobs", 1)
    assert status == 2
    for name, (_, said) in BAD_FILES.items():
        assert any(name in line and said in line for line in err.splitlines()), f"{name}: {err}"


def test_check_says_all_and_plan_says_how_many_more(run: Run, tmp_path: Path) -> None:
    write_images(tmp_path / "images")
    for number in range(60):
        (tmp_path / "images" / "dim" / f"empty{number}.png").write_bytes(b"")
    plan = write_plan(tmp_path)
    status, _, err = run("plan", plan, "--jobs", 1)
    assert status == 2
    assert err.count("an empty file") == 50
    assert err.endswith("\n... and 10 more\n")
    status, _, err = run("check", plan, "--jobs", 1)
    assert (status, err.count("an empty file")) == (2, 60)
