import hashlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cropworth.config import parse
from cropworth.data.bad_items import BadItems
from cropworth.data.build import CACHE, build_task
from cropworth.data.config import Folder, Images
from cropworth.data.images import image_task as module
from cropworth.data.images import pixels
from cropworth.data.images.boxes import Box
from cropworth.data.images.decode import decode
from cropworth.data.images.entries import Entry, Listing
from cropworth.data.images.image_task import ImageTask, image_task
from cropworth.data.signature import Signature
from cropworth.data.task import Split, Task
from cropworth.errors import CropworthError


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8))


def written(tmp_path: Path, count: int = 12) -> Path:
    """`images/cat` and `images/dog` with as many different images each."""
    for place, name in enumerate(("cat", "dog")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for index in range(count):
            noise(100 * place + index).save(tmp_path / "images" / name / f"{index:02}.png")
    return tmp_path / "images"


def read(tmp_path: Path, **values: object) -> ImageTask:
    task = build_task(parse(Folder, {"folder": str(tmp_path / "images"), "image_size": 8, **values}), tmp_path)
    assert isinstance(task, ImageTask)
    return task


def cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / CACHE).glob("*.pixels"))


def splits(task: Task) -> tuple[Split, Split, Split]:
    return task.training_epoch(task.train_limit, 0, 0), task.validation, task.test


def same(one: Task, other: Task) -> bool:
    assert one.fingerprint() == other.fingerprint()
    return all(
        torch.equal(a, b)
        for parts in zip(splits(one), splits(other), strict=True)
        for a, b in zip(parts[0].parts()[:2], parts[1].parts()[:2], strict=True)
        if a is not None and b is not None
    )


def test_each_item_is_its_file_decoded(tmp_path: Path) -> None:
    folder = written(tmp_path)
    task = read(tmp_path)
    assert [row.split for row in task.placed] == ["train"] * task.train_limit + ["val"] * len(task.validation) + [
        "test"
    ] * len(task.test)
    held = torch.cat([task._train.inputs, task.validation.inputs, task.test.inputs])
    labels = torch.cat([task._train.labels, task.validation.labels, task.test.labels])
    for row, item, label in zip(task.placed, held, labels, strict=True):
        assert torch.equal(item, decode(folder / row.name, task_settings(task)).pixels)
        assert row.name.split("/")[0] == task.classes[label]
        assert row.content == hashlib.sha256((folder / row.name).read_bytes()).hexdigest()
    assert len({row.name for row in task.placed}) == 24


def task_settings(task: Task) -> Folder:
    reading = dict(task.reading)
    assert reading.pop("kind") == "images"
    return parse(Folder, {"folder": "/", **reading})


def test_what_a_model_must_know(tmp_path: Path) -> None:
    written(tmp_path)
    signature = read(tmp_path, channels=1).signature()
    assert signature == Signature(
        ("cat", "dog"), 1, (8, 8), is_sequence=False,
        reading={"kind": "images", "image_size": 8, "fit": "crop", "channels": 1, "bits": 8},
    )  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
def test_the_cache_holds_the_same_as_memory(tmp_path: Path, bits: int) -> None:
    written(tmp_path)
    config = parse(Folder, {"folder": str(tmp_path / "images"), "image_size": 8, "bits": bits})
    in_memory = image_task(config, None)
    assert not (tmp_path / CACHE).exists()
    first, second = image_task(config, tmp_path / CACHE), image_task(config, tmp_path / CACHE)
    assert same(in_memory, first)
    assert same(in_memory, second)
    assert [path.suffix for path in (tmp_path / CACHE).iterdir() if path.name != ".gitignore"] == [".pixels"]
    assert (tmp_path / CACHE / ".gitignore").read_text() == "*\n"


def test_a_second_reader_takes_the_file_and_decodes_nothing(tmp_path: Path) -> None:
    written(tmp_path)
    first = read(tmp_path)
    (file,) = cached(tmp_path)
    content = bytearray(file.read_bytes())
    content[0] ^= 255
    file.unlink()
    file.write_bytes(content)
    assert read(tmp_path)._train.inputs[0, 0, 0, 0] == first._train.inputs[0, 0, 0, 0] ^ 255


def test_what_one_does_to_its_items_is_not_in_the_file(tmp_path: Path) -> None:
    written(tmp_path)
    read(tmp_path)
    before = cached(tmp_path)[0].read_bytes()
    read(tmp_path)._train.inputs.zero_()
    assert cached(tmp_path)[0].read_bytes() == before


def test_other_settings_and_other_files_are_kept_apart(tmp_path: Path) -> None:
    folder = written(tmp_path)
    prints = {read(tmp_path, **values).fingerprint() for values in ({}, {"fit": "pad"}, {"channels": 1}, {"bits": 16})}
    assert len(prints) == len(cached(tmp_path)) == 4
    noise(999).save(folder / "cat" / "00.png")
    changed = read(tmp_path)
    assert changed.fingerprint() not in prints
    assert len(cached(tmp_path)) == 5
    (folder / "cat" / "00.png").rename(folder / "cat" / "000.png")
    assert read(tmp_path).fingerprint() == changed.fingerprint()
    assert len(cached(tmp_path)) == 5


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_file_of_the_cache_is_written_anew(tmp_path: Path, damage: bytes | None) -> None:
    written(tmp_path)
    whole = read(tmp_path)
    (file,) = cached(tmp_path)
    content = file.read_bytes()
    file.unlink()  # what is mapped must not change
    file.write_bytes(content[7:] if damage is None else damage)
    assert same(whole, read(tmp_path))
    assert file.read_bytes() == content


def test_the_cache_may_be_deleted_while_it_is_used(tmp_path: Path) -> None:
    written(tmp_path)
    task, other = read(tmp_path), image_task(task_config(tmp_path), None)
    for path in (tmp_path / CACHE).iterdir():
        path.unlink()
    (tmp_path / CACHE).rmdir()
    assert same(task, other)
    assert same(read(tmp_path), other)


def task_config(tmp_path: Path) -> Folder:
    return parse(Folder, {"folder": str(tmp_path / "images"), "image_size": 8})


def test_where_nothing_can_be_written_images_are_in_memory(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / CACHE).write_text("a file where the folder should be")
    assert same(read(tmp_path), image_task(task_config(tmp_path), None))
    assert (tmp_path / CACHE).read_text() == "a file where the folder should be"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every longer file fails to be written, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_nothing_half_written_is_left_where_the_disk_is_full(tmp_path: Path) -> None:
    written(tmp_path)
    expected = image_task(task_config(tmp_path), None)
    with files_of_at_most(1000):
        task = read(tmp_path)
    assert same(task, expected)
    assert [path.name for path in (tmp_path / CACHE).iterdir()] == [".gitignore"]


def test_no_file_is_begun_that_would_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.setattr(pixels, "SPARE_BYTES", 10**18)
    assert same(read(tmp_path), image_task(task_config(tmp_path), None))
    assert not cached(tmp_path)


def test_nothing_half_written_is_left_by_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)

    def interrupted(*_: object) -> Iterator[object]:
        yield decode(tmp_path / "images" / "cat" / "00.png", task_config(tmp_path))
        raise KeyboardInterrupt

    monkeypatch.setattr(pixels, "attempts", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read(tmp_path)
    assert [path.name for path in (tmp_path / CACHE).iterdir()] == [".gitignore"]


def test_worker_processes_decode_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, 20)
    (folder / "cat" / "bad.png").write_text("no picture")
    alone = image_task(parse(Folder, {"folder": str(folder), "image_size": 8, "on_bad_item": "skip"}), None)
    monkeypatch.setattr(pixels, "PARALLEL_BYTES", 0)
    monkeypatch.setattr(pixels.joblib, "cpu_count", lambda: 2)
    together = read(tmp_path, on_bad_item="skip")
    assert same(alone, together)
    assert alone.warnings == together.warnings


def test_batches_are_those_of_the_epoch(tmp_path: Path) -> None:
    written(tmp_path)
    task = read(tmp_path)
    for train_size, epoch in ((task.train_limit, 0), (10, 3)):
        whole = task.training_epoch(train_size, 5, epoch)
        batches = list(task.training_batches(train_size, 5, epoch, 4))
        assert [len(batch) for batch in batches[:-1]] == [4] * (len(batches) - 1)
        assert torch.equal(torch.cat([batch.inputs for batch in batches]), whole.inputs)
        assert torch.equal(torch.cat([batch.labels for batch in batches]), whole.labels)
    with pytest.raises(CropworthError, match="training-set size of 99"):
        next(task.training_batches(99, 0, 0, 4))


def test_all_that_is_wrong_at_once_or_left_out_and_counted(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "cat" / "empty.png").touch()
    (folder / "cat" / "text.png").write_text("no picture")
    whole = (folder / "dog" / "00.png").read_bytes()
    (folder / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    noise(500).save(tmp_path / "elsewhere.png")
    (folder / "dog" / "link.png").symlink_to(tmp_path / "elsewhere.png")
    (folder / "dog" / "lost.png").symlink_to(folder / "dog" / "nothing.png")
    (folder / "dog" / "twin.png").write_bytes((folder / "cat" / "03.png").read_bytes())
    with pytest.raises(CropworthError) as caught:
        read(tmp_path)
    told = str(caught.value).splitlines()
    for name, reason in (
        ("cat/empty.png", "an empty file"),
        ("cat/text.png", "no image"),
        ("dog/half.png", "truncated"),
        ("dog/link.png", f"it lies in {tmp_path.resolve() / 'elsewhere.png'}"),
        ("dog/lost.png", "No such file"),
        ("dog/twin.png", "the same as cat/03.png"),
    ):
        assert any(name in line and reason in line for line in told), name
    assert not cached(tmp_path)
    task = read(tmp_path, on_bad_item="skip")
    assert len(task.placed) == 24 - 1  # neither the twin nor cat/03.png
    assert "images that cannot be read, 5; the first is" in " ".join(task.warnings)
    again = read(tmp_path, on_bad_item="skip")
    assert same(task, again)
    assert again.warnings == task.warnings
    held = torch.cat([task._train.inputs, task.validation.inputs, task.test.inputs])
    for row, item in zip(task.placed, held, strict=True):
        assert torch.equal(item, decode(folder / row.name, task_settings(task)).pixels)


def test_a_link_inside_the_folder_is_a_file_like_others(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "cat" / "00.png").rename(folder / "moved.png")
    (folder / "cat" / "00.png").symlink_to(folder / "moved.png")
    assert len(read(tmp_path).placed) == 24


def test_a_class_whose_training_images_cannot_be_read(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for place, name in enumerate(("cat", "dog")):
            (tmp_path / "images" / split / name).mkdir(parents=True)
            for index in range(3):
                seed = 100 * place + 10 * len(split) + index + (split == "test") * 1000
                noise(seed).save(tmp_path / "images" / split / name / f"{index}.png")
    for path in (tmp_path / "images" / "train" / "dog").iterdir():
        path.write_text(f"no picture {path}")
    with pytest.raises(CropworthError, match=r"(?s)class 'dog', of which train has no item.*cannot be read, 3"):
        read(tmp_path, on_bad_item="skip")


def test_classes_that_are_missing_or_rare_are_reported(tmp_path: Path) -> None:
    folder = written(tmp_path)
    for path in list((folder / "dog").iterdir())[:8]:
        path.unlink()
    assert any("The rarest class, 'dog'" in warning for warning in read(tmp_path).warnings)


class Listed(Images):
    """A reader's configuration, for the entries of a test."""


def task_of(
    entries: list[Entry],
    monkeypatch: pytest.MonkeyPatch,
    *,
    boxed: bool = False,
    classes: tuple[str, ...] | None = None,
    **values: object,
) -> ImageTask:
    listing = Listing("listed", tuple(entries), None, classes, boxed)

    def listed(config: Listed, bad: BadItems) -> Listing:
        return listing

    monkeypatch.setitem(module.LISTERS, Listed, listed)
    return image_task(parse(Listed, {"image_size": 10, **values}), None)


def entry(index: int, label: str | float, **values: object) -> Entry:
    stream = BytesIO()
    noise(index).save(stream, "PNG")
    return replace(Entry(f"{index}", f"table, row {index}", stream.getvalue(), label), **values)  # type: ignore[arg-type]


def test_numbers_to_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of([entry(index, index / 2) for index in range(40)], monkeypatch)
    assert task.classes == ()
    for items in (task._train, task.validation, task.test):
        assert items.labels.dtype == torch.float32
    names = [float(row.name) / 2 for row in task.placed]
    assert names == torch.cat([task._train.labels, task.validation.labels, task.test.labels]).tolist()
    assert task.numbers is not None
    assert task.numbers.mean == pytest.approx(np.mean(names[: task.train_limit]))
    assert task.numbers.deviation == pytest.approx(np.std(names[: task.train_limit], ddof=1))


def test_values_groups_and_classes_go_with_their_items(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [entry(i, "ab"[i % 2], value=float(i), group=f"patient {i // 4}") for i in range(48)]
    task = task_of(entries, monkeypatch, classes=("b", "a", "c"))
    assert task.classes == ("b", "a", "c")
    parts = (task._train, task.validation, task.test)
    assert [float(row.name) for row in task.placed] == torch.cat(
        [p.values for p in parts if p.values is not None]
    ).tolist()
    for row, label in zip(task.placed, torch.cat([part.labels for part in parts]).tolist(), strict=True):
        assert task.classes[label] == "ab"[int(row.name) % 2]
        assert row.group == f"patient {int(row.name) // 4}"
    where = {row.group: row.split for row in task.placed}
    assert all(where[row.group] == row.split for row in task.placed)
    assert any("'c'" in warning for warning in task.warnings)


def test_boxes_go_with_their_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of 30 x 20 pixels, of which the central square of 20 is kept."""
    boxes = {0: Box(5, 0, 10, 20, "file"), 1: Box(0, 0, 4, 4, "file"), 2: None, 3: Box(25, 0, 9, 9, "file, line 4")}
    entries = [entry(index, "ab"[index // 4 % 2], box=boxes[index % 4]) for index in range(24)]
    with pytest.raises(CropworthError, match=r"file, line 4: a box from \(25, 0\) to \(34, 9\).*30 x 20"):
        task_of(entries, monkeypatch, boxed=True)
    task = task_of(entries, monkeypatch, boxed=True, on_bad_item="skip", image_size=8)
    found = torch.cat([part.boxes for part in (task._train, task.validation, task.test) if part.boxes is not None])
    assert len(found) == 24
    for row, box in zip(task.placed, found, strict=True):
        if int(row.name) % 4 == 0:
            torch.testing.assert_close(box, torch.tensor([0.25, 0.5, 0.5, 1.0]))
        else:
            assert box.isnan().all()
    assert task_of(entries, monkeypatch, on_bad_item="skip").test.boxes is None


def test_the_fingerprint_is_of_all_but_names(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [entry(index, "ab"[index % 2], value=1.0) for index in range(24)]
    prints = [
        task_of(changed, monkeypatch).fingerprint()
        for changed in (
            entries,
            [replace(e, where="elsewhere") for e in entries],
            [replace(e, value=2.0) for e in entries],
            [replace(e, label="ab"[e.label == "a"]) for e in entries],
        )
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3
