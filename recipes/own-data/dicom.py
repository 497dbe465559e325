"""pydicom's own test files as a data set that nobody has cleaned: files.csv, and the files that it names.

    python recipes/own-data/dicom.py recipes/own-data/data/dicom

The files that pydicom 3.0 keeps in its package for its own tests (`pip install pydicom`; MIT; among them pictures of
phantoms and of people without names): CT, MR and much else, in most encodings that DICOM knows, some without a
picture, some truncated or broken on purpose, many the same picture in another encoding. That is what a reader must
cope with; it is no study, and accuracies on it mean nothing.

A file's label is its modality, `ct`, `mr` or `other`, from its header, and its group is its picture: the same pixels
stand in one split however they are encoded. A file whose pixels pydicom cannot decode is a group of its own; whether
it can be decoded depends on the decoders that are installed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import warnings
from pathlib import Path
from typing import Any

from folders import run, write_csv

from cropworth.data.installed import imported, shipped

INSTALL = "pip install pydicom"
NO_DICOM = frozenset({".txt", ".json", ".dump", ".icc", ".gz", ".py", ".pyc"})


def about(path: Path, pydicom: Any) -> tuple[str, str]:
    """The label and the group of a file."""
    label, group = "other", path.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            header = pydicom.dcmread(path, force=True)
            label = str(header.get("Modality", "")).lower()
            pixels = header.pixel_array
            group = hashlib.sha256(f"{pixels.shape} {pixels.tolist()}".encode()).hexdigest()[:12]
        except Exception:
            pass
    return label if label in ("ct", "mr") else "other", group


def write(arguments: argparse.Namespace, folder: Path) -> str:
    """Write files.csv and the folder `files`."""
    source = shipped("pydicom", "data/test_files", INSTALL)
    pydicom = imported("pydicom", INSTALL)
    rows = []
    (folder / "files").mkdir()
    for path in sorted(path for path in source.rglob("*") if path.is_file() and path.suffix not in NO_DICOM):
        name = "files/" + "-".join(path.relative_to(source).parts)
        shutil.copyfile(path, folder / name)
        rows.append((name, *about(path, pydicom)))
    write_csv(folder / "files.csv", "path,label,picture", rows)
    return f"{len(rows)} files, {len({group for *_, group in rows})} different pictures or none"


if __name__ == "__main__":
    run(write, argparse.ArgumentParser(description="pydicom's own test files, as they are."))
