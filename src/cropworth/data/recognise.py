"""What a user's own data are, from a look at their files: `recognise`.

A new reader of files is one more entry of `RECOGNISERS`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cropworth.data.images.boxes import CORNERS, NAMES, SIZED
from cropworth.data.signature import SPLIT_NAMES
from cropworth.data.tables.peek import Peek, peek
from cropworth.errors import CropworthError

IMAGES = frozenset(
    f".{ending}"
    for ending in "png jpg jpeg tif tiff webp gif bmp ppm pgm jp2 dcm dicom".split()  # noqa: SIM905
)
TABLES = (".csv", ".parquet")
# How many of the paths in a table, or of the images in a JSON file, are looked for.
PATHS = 20


@dataclass(frozen=True)
class Found:
    """What data seem to be.

    Attributes:
        what: in words.
        why: what was seen that says so.
        data: the `data:` of a plan, without what the items themselves decide; paths as they were found.
        reasons: key of it -> why it has this value.
        unsure: keys that were guessed and may be left out, the first of them first.
    """

    what: str
    why: str
    data: dict[str, Any]
    reasons: dict[str, str] = field(default_factory=dict)
    unsure: tuple[str, ...] = ()


def recognise(path: Path) -> Found:
    """Look at a folder or file of data.

    Raises:
        CropworthError: it is not there, nothing in it is known, or something is but lacks a part.
    """
    if not path.exists():
        raise CropworthError(f"{path}, which is not there", "a folder or file of data", "Check the path.")
    for recogniser in RECOGNISERS.values():
        found = recogniser(path)
        if found is not None:
            return found
    inside = Counter(file.suffix.lower() or "no suffix" for file in _files(path))
    seen = ", ".join(f"{count} of {suffix}" for suffix, count in inside.most_common(5)) or "no files"
    raise CropworthError(
        f"{path}, whose files say nothing of labels (it holds {seen})",
        f"one of: {'; '.join(RECOGNISERS)}",
        "Bring the data into one of these forms, or write a plan by hand, see docs/plan.md.",
    )


def _hugging_face(path: Path) -> Found | None:
    info = _features(path)
    if info is None:
        return None
    image, label, why = info
    data = {"task": "hugging-face", "folder": path, "image_column": image, "label_column": label}
    return Found("images in a Hugging Face data set", why, data)


def _features(path: Path) -> tuple[str, str, str] | None:
    """The columns of images and of labels of what `datasets` saved, or of parquet with images; and why these."""
    described = sorted(path.rglob("dataset_info.json")) if path.is_dir() else []
    if described:
        features = _json(described[0]).get("features") or {}
        kinds = {name: kind.get("_type") for name, kind in features.items() if isinstance(kind, dict)}
        images = [name for name, kind in kinds.items() if kind == "Image"]
        labels = [name for name, kind in kinds.items() if kind == "ClassLabel"]
        labels += [name for name in kinds if name in ("label", "labels") and name not in labels]
        if images and labels:
            return images[0], labels[0], f"{described[0]} speaks of images and labels"
    for file in _files(path, ".parquet"):
        table = peek(file)
        images = [
            column
            for column, cells in table.cells.items()
            if cells and (isinstance(cells[0], bytes) or (isinstance(cells[0], dict) and "bytes" in cells[0]))
        ]
        label = table.label(set(images))
        if images and label:
            return images[0], label[0], f"{file} has a column {images[0]!r} of images' bytes"
    return None


def _image_table(path: Path) -> Found | None:
    for table in _tables(path):
        named = [c for c in table.cells if _mostly(Path(str(cell)).suffix.lower() in IMAGES for cell in table.cells[c])]
        column = next((c for c in table.called("path") if c in named), named[0] if named else None)
        box = table.box()
        label = table.label({column or "", *(box or ())})
        if column is None or label is None:
            continue
        start = _start([str(cell) for cell in table.cells[column][:PATHS]], table.path.parent)
        if start is None:
            raise CropworthError(
                f"{table.path}, whose column {column!r} names images that are not in {table.path.parent}",
                "paths that start there, or in a folder there",
                "Put the table beside the images.",
            )
        data: dict[str, Any] = {"task": "image-table", "file": table.path}
        reasons = {"path_column": "its cells end like images"}
        if start != table.path.parent:
            data["folder"] = start
            reasons["folder"] = "the paths start there"
        data["path_column"] = column
        if box is not None:
            data["box_columns"] = list(box)
            reasons["box_columns"] = "left, top, width and height in pixels, by their names"
        return _columns(table, "images by a table", data, reasons, {column, *(box or ())}, label)
    return None


def _folder_per_class(path: Path) -> Found | None:
    root = path / "train" if (path / "train").is_dir() else path
    if not root.is_dir():
        return None
    classes = [sub for sub in sorted(root.iterdir()) if sub.is_dir() and any(_files(sub, *IMAGES))]
    # The folders of a split or of a kind of file are no classes.
    if len(classes) < 2 or {sub.name.lower() for sub in classes} <= {
        *SPLIT_NAMES,
        "valid",
        "validation",
        "images",
        "masks",
    }:
        return None
    why = f"{root} has {len(classes)} folders with images: {', '.join(sub.name for sub in classes[:5])}"
    data: dict[str, Any] = {"folder": path}
    reasons = {}
    boxes = _boxes_beside(path)
    if boxes is not None:
        data["boxes"] = boxes.relative_to(path).as_posix()
        reasons["boxes"] = "of the objects, found beside the images; crops are compared with them"
    splits = "folders of splits, in each a folder for each class" if root != path else "a folder for each class"
    return Found(f"images, {splits}", why, data, reasons)


def _boxes_beside(folder: Path) -> Path | None:
    """A file of boxes in a folder, or the folder itself where Pascal VOC's XML lies beside images."""
    for file in sorted(folder.iterdir()):
        if file.suffix == ".json" and {"images", "annotations"} <= _json(file).keys():
            return file
        if file.suffix == ".csv":
            columns = set(peek(file).cells)
            if columns & set(NAMES) and (columns >= set(SIZED) or columns >= set(CORNERS)):
                return file
    return folder if any(_files(folder, ".xml")) else None


def _coco(path: Path) -> Found | None:
    for file in _files(path, ".json"):
        found = _json(file)
        if not {"images", "annotations", "categories"} <= found.keys():
            continue
        home = path if path.is_dir() else file.parent
        start = _start([str(image.get("file_name")) for image in found["images"][:PATHS]], home)
        if start is None:
            raise CropworthError(
                f"{file}, COCO JSON of images that are not in {home}",
                "images there, or in a folder there",
                "Put the file beside the images.",
            )
        why = f"{file} has COCO's images, annotations and categories"
        data: dict[str, Any] = {"task": "coco", "file": file}
        if start != file.parent:
            data["folder"] = start
        return Found("images with COCO JSON", why, data, {"folder": "the file names start there"})
    return None


def _series(path: Path) -> Found | None:
    archives = list(_files(path, ".ts"))
    train = next((file for file in archives if "train" in file.stem.lower()), None) or next(iter(archives), None)
    if train is not None:
        data: dict[str, Any] = {"task": "series", "file": train}
        name = train.stem.lower().replace("train", "test")
        test = next((file for file in archives if file != train and file.stem.lower() == name), None)
        if test is not None:
            data["test_file"] = test
        return Found("series in an archive's .ts file", f"{train} ends in .ts", data, {"test_file": "by its name"})
    for file in _files(path, ".npz"):
        return Found("series in an .npz file", f"{file} ends in .npz", {"task": "series", "file": file})
    for table in _tables(path):
        found = table.item()
        label = table.label({found[0]} if found else set())
        if found is None or label is None:
            continue
        item, why = found
        steps = {c for c in table.called("step") if c != item}
        features = table.numbers({item, label[0], *steps})
        if not features:
            continue
        data = {"task": "series", "file": table.path, "item_column": item, "features": features}
        reasons = {"item_column": why, "features": "the other columns of numbers"}
        # What numbers the steps of a series says nothing of when it was recorded.
        others = {item, *steps, *features}
        return _columns(table, "series by a table with a row for each step", data, reasons, others, label)
    return None


def _documents(path: Path) -> Found | None:
    for table in _tables(path):
        text = table.text()
        label = None if text is None else table.label({text[0]})
        if text is None or label is None:
            continue
        data: dict[str, Any] = {"task": "documents", "file": table.path, "text_column": text[0]}
        return _columns(table, "texts by a table", data, {"text_column": text[1]}, {text[0]}, label)
    return None


RECOGNISERS: dict[str, Callable[[Path], Found | None]] = {
    "a folder that the library datasets saved, or parquet with images' bytes": _hugging_face,
    "a CSV or parquet file of images' paths and labels": _image_table,
    "a folder for each class, or train, val and test folders of them": _folder_per_class,
    "COCO JSON beside its images": _coco,
    "series: .ts, .npz, or a table with a row for each step": _series,
    "a CSV or parquet file of texts and labels": _documents,
}
"""What data look like -> what sees it in a path; the first that does counts."""


def _columns(
    table: Peek, what: str, data: dict[str, Any], reasons: dict[str, str], taken: set[str], label: tuple[str, str]
) -> Found:
    """Add the columns that tables of all kinds may have."""
    data, reasons = data | {"label_column": label[0]}, reasons | {"label_column": label[1]}
    taken = {*taken, label[0]}
    if "task" in data and data["task"] != "documents" and table.target(label[0]) == "number":
        data["target"] = "number"
        reasons["target"] = "its labels are many numbers; class if each of them is a name"
    unsure = []
    split = next(
        (c for c, cells in table.cells.items() if c not in taken and cells and set(cells) <= set(SPLIT_NAMES)), None
    )
    if split is not None:
        data["split_column"] = split
        reasons["split_column"] = "its cells are train, val and test"
    if (time := table.time(taken)) is not None and split is None:
        data["time_column"] = time
        reasons["time_column"] = "by its name: the latest are the test; leave it out to draw instead"
        unsure.append("time_column")
    if (group := table.group(taken)) is not None:
        data["group_column"] = group
        reasons["group_column"] = "by its name, and its values repeat: all of a group go into one split"
        unsure.append("group_column")
    seen = f"{table.path} has the columns {', '.join(list(table.cells)[:12])}"
    return Found(what, seen, data, reasons, tuple(unsure))


def _files(path: Path, *suffixes: str) -> Iterator[Path]:
    """The file itself, or all files of a folder and below, hidden ones excepted, with one of the suffixes."""
    inside = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in inside:
        hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
        if file.is_file() and not hidden and (not suffixes or file.suffix.lower() in suffixes):
            yield file


def _tables(path: Path) -> Iterator[Peek]:
    """The tables in a folder, itself excepted those below it; or the one that the path is."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return (peek(file) for file in files if file.suffix.lower() in TABLES and file.is_file())


def _start(paths: list[str], home: Path) -> Path | None:
    """Where most of these paths start: `home` or a folder in it."""
    inside = sorted(sub for sub in home.iterdir() if sub.is_dir() and not sub.name.startswith("."))
    return next((start for start in (home, *inside) if _mostly((start / path).is_file() for path in paths)), None)


def _mostly(found: Iterator[bool]) -> bool:
    answers = list(found)
    return bool(answers) and 2 * sum(answers) >= len(answers)


def _json(path: Path) -> dict[str, Any]:
    """What a JSON file holds; nothing where it is no mapping."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
