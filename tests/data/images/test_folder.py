from pathlib import Path

import pytest
import torch
from PIL import Image
from pydicom.data import get_testdata_file

from cropworth.config import parse
from cropworth.data.build import build_task
from cropworth.data.config import Folder
from cropworth.data.images.image_task import ImageTask
from cropworth.errors import CropworthError

GREY = {"cat": 10, "dog": 200}


def write(folder: Path, name: str, count: int, size: tuple[int, int] = (20, 12), start: int = 0) -> None:
    """`count` images of one even colour each; the red channel numbers them."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for index in range(start, start + count):
        Image.new("RGB", size, (index, GREY.get(name, 0), 0)).save(folder / name / f"{index:03}.png")


def read(folder: Path, **settings: object) -> ImageTask:
    task = build_task(parse(Folder, {"folder": str(folder), "image_size": 8, **settings}))
    assert isinstance(task, ImageTask)
    return task


def numbers(images: torch.Tensor) -> list[int]:
    return sorted(images[:, 0, 4, 4].tolist())


def test_one_folder_a_class_is_split_class_by_class(tmp_path: Path) -> None:
    write(tmp_path, "cat", 20)
    write(tmp_path, "dog", 40, start=20)
    task = read(tmp_path, test_share=0.25, validation_share=0.2)
    assert task.classes == ("cat", "dog")
    assert task.size == (8, 8)
    assert torch.bincount(task.test.labels).tolist() == [5, 10]
    assert torch.bincount(task.validation.labels).tolist() == [3, 6]
    everything = [task.test.inputs, task.validation.inputs, task.training_epoch(task.train_limit, 0, 0).inputs]
    assert numbers(torch.cat(everything)) == list(range(60))
    for items in (task.test, task.validation, task.training_epoch(10, 0, 0)):
        assert items.inputs[:, 1, 4, 4].tolist() == [GREY[task.classes[label]] for label in items.labels]
        assert items.boxes is None


def test_the_split_follows_its_seed(tmp_path: Path) -> None:
    write(tmp_path, "cat", 20)
    write(tmp_path, "dog", 20, start=20)
    first, same, other = (read(tmp_path, split_seed=seed) for seed in (0, 0, 1))
    assert numbers(first.test.inputs) == numbers(same.test.inputs)
    assert numbers(first.test.inputs) != numbers(other.test.inputs)


def test_given_splits_are_kept(tmp_path: Path) -> None:
    for split, count, start in (("train", 6, 0), ("val", 2, 100), ("test", 3, 200)):
        write(tmp_path / split, "cat", count, start=start)
        write(tmp_path / split, "dog", count, start=start + 50 - 25)
    task = read(tmp_path)
    assert (task.train_limit, len(task.validation), len(task.test)) == (12, 4, 6)
    assert numbers(task.test.inputs)[:3] == [200, 201, 202]


def test_a_missing_val_is_split_off_train(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split, "cat", 10, start=10 * (split == "test"))
        write(tmp_path / split, "dog", 10, start=10 * (split == "test"))
    task = read(tmp_path, validation_share=0.2)
    assert (task.train_limit, len(task.validation), len(task.test)) == (16, 4, 20)


def test_epochs_shuffle_a_subset_that_the_seed_chose(tmp_path: Path) -> None:
    write(tmp_path, "cat", 30)
    write(tmp_path, "dog", 30, start=30)
    task = read(tmp_path)
    first, later, other = task.training_epoch(12, 0, 0), task.training_epoch(12, 0, 1), task.training_epoch(12, 1, 0)
    assert numbers(first.inputs) == numbers(later.inputs) != numbers(other.inputs)
    assert first.inputs[:, 0, 4, 4].tolist() != later.inputs[:, 0, 4, 4].tolist()


def test_grey_palette_and_alpha_images_are_read(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        write(tmp_path, name, 4)
        for mode in ("L", "P", "RGBA"):
            Image.new(mode, (9, 9 if name == "cat" else 10)).save(tmp_path / name / f"{mode}.png")
    assert read(tmp_path).channels == 3
    assert read(tmp_path, channels=1).channels == 1


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CropworthError, match="which is no folder"):
        read(tmp_path / "missing")
    with pytest.raises(CropworthError, match="images for each class"):
        read(tmp_path)
    write(tmp_path, "cat", 5)
    write(tmp_path, "dog", 2)
    with pytest.raises(CropworthError, match=r"of the class 'dog': 2 \(of 2 items\)"):
        read(tmp_path)
    (tmp_path / "cat" / "broken.png").write_bytes(b"not an image")
    write(tmp_path, "dog", 6)
    with pytest.raises(CropworthError, match=r"broken\.png"):
        read(tmp_path)


def test_a_class_that_training_never_saw(tmp_path: Path) -> None:
    write(tmp_path / "train", "cat", 6)
    write(tmp_path / "train", "dog", 6)
    write(tmp_path / "test", "owl", 3)
    with pytest.raises(CropworthError, match="class 'owl', of which train has no item"):
        read(tmp_path)


def test_groups_come_from_the_path(tmp_path: Path) -> None:
    for index in range(40):
        write(tmp_path, f"{('cat', 'dog')[index % 2]}/patient{index // 4}", 1, start=index)
    task = read(tmp_path, group_pattern=r"patient(\d+)/")
    assert task.classes == ("cat", "dog")
    splits: dict[str, set[str]] = {}
    for row in task.placed:
        assert f"patient{row.group}/" in row.name
        splits.setdefault(row.group, set()).add(row.split)
    assert len(splits) == 10
    assert all(len(found) == 1 for found in splits.values())


def test_a_path_without_a_group(tmp_path: Path) -> None:
    write(tmp_path, "cat", 20)
    write(tmp_path, "dog", 20, start=20)
    write(tmp_path, "cat/other", 1, start=99)
    pattern = r"/0?(\d+)\.png"
    assert len(read(tmp_path, group_pattern=pattern).placed) == 41
    with pytest.raises(CropworthError, match=r"cat/other/099\.png, in which .* finds no group"):
        read(tmp_path, group_pattern=r"(?:cat|dog)/(\d+)\.png")
    left = read(tmp_path, group_pattern=r"(?:cat|dog)/(\d+)\.png", on_bad_item="skip")
    assert len(left.placed) == 40
    assert "images without a group, 1" in left.warnings[0]


def test_other_files_and_hidden_ones_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "cat", 6)
    write(tmp_path, "dog", 6, start=6)
    (tmp_path / "notes.txt").write_text("about them all")
    (tmp_path / "cat" / "notes.txt").write_text("about cats")
    (tmp_path / "cat" / ".000.png").write_text("a trace of another system")
    write(tmp_path / "cat", ".thumbnails", 1)
    write(tmp_path, ".cache", 1)
    assert len(read(tmp_path).placed) == 12


def test_dicom_files_need_no_suffix(tmp_path: Path) -> None:
    write(tmp_path, "cat", 6)
    write(tmp_path, "dog", 6, start=6)
    for name in ("CT_small", "MR_small"):
        found = get_testdata_file(f"{name}.dcm", download=False)
        assert isinstance(found, str)
        (tmp_path / "cat" / f"1.2.840.{name}").write_bytes(Path(found).read_bytes())
    names = {row.name for row in read(tmp_path).placed}
    assert {"cat/1.2.840.CT_small", "cat/1.2.840.MR_small"} <= names


def test_links_to_folders(tmp_path: Path) -> None:
    """Those inside are entered once, and no loop is run through; what lies outside is named."""
    images = tmp_path / "images"
    write(images, "cat", 6)
    write(images, "dog", 6, start=6)
    (images / "cat" / "loop").symlink_to(images / "cat")
    assert len(read(images).placed) == 12
    write(tmp_path, "elsewhere", 2, start=50)
    (images / "dog" / "more").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CropworthError, match=r"(?s)dog/more/050\.png \(it lies in .*dog/more/051\.png"):
        read(images)


def test_a_class_folder_without_images(tmp_path: Path) -> None:
    write(tmp_path, "cat", 6)
    (tmp_path / "dog").mkdir()
    with pytest.raises(CropworthError, match="no image in dog"):
        read(tmp_path)
