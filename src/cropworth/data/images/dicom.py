"""DICOM files -> the picture that their header says a reader shall see. Needs pydicom, the extra `medical`.

Source: DICOM PS3.3, C.11.1 (rescaling) and C.11.2 (windows), as pydicom implements them.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cropworth.data.installed import imported
from cropworth.errors import CropworthError

INSTALL = "pip install 'cropworth[medical]'"
HEAD = 132  # bytes; the last four of them say that a file is DICOM
SUFFIXES = frozenset({".dcm", ".dicom"})


def is_dicom(head: bytes, path: Path | None) -> bool:
    """Whether a file is DICOM, by its first `HEAD` bytes, or by its suffix, since old files have no such mark."""
    return head[HEAD - 4 : HEAD] == b"DICM" or (path is not None and path.suffix.lower() in SUFFIXES)


def read_dicom(content: bytes) -> NDArray[np.float32]:
    """The picture of a file, of several frames the first: (H, W) or (H, W, 3), in [0, 1], 1 being white.

    Grey values are rescaled and then shown through the file's first window, or else its first table of grey values;
    with neither, from the least to the greatest of them. Nothing is rounded to 8 bits.

    Raises:
        CropworthError: pydicom is not installed, the file holds no picture, or one beyond Pillow's limit of pixels.
        Exception: whatever pydicom raises for what it cannot read.
    """
    pydicom, pixels = imported("pydicom", INSTALL), imported("pydicom.pixels", INSTALL)
    header = pydicom.dcmread(BytesIO(content), force=True)
    if "PixelData" not in header:
        raise CropworthError("no picture in the DICOM file", "one with pixels", "Remove it, or export its picture.")
    if header.Rows * header.Columns > (Image.MAX_IMAGE_PIXELS or np.inf):
        raise Image.DecompressionBombError(f"{header.Columns} x {header.Rows} pixels")
    stored = _stored(header, pixels)
    if header.PhotometricInterpretation == "PALETTE COLOR":
        coloured = pixels.apply_color_lut(stored, header)
        seen = coloured / np.iinfo(coloured.dtype).max
    elif header.SamplesPerPixel > 1:
        seen = stored / (2**header.BitsStored - 1)
    else:
        seen = _grey(stored, header, pixels)
    return np.asarray(seen, dtype=np.float32)


def _stored(header: Any, pixels: ModuleType) -> NDArray[Any]:
    """The first frame as it is stored, colours as RGB."""
    try:
        return pixels.pixel_array(header, index=0)  # type: ignore[no-any-return]
    except RuntimeError as error:
        if "missing dependencies" not in str(error):
            raise
        raise CropworthError(
            f"a picture in {header.file_meta.TransferSyntaxUID.name}, for which pydicom needs another package",
            "one without compression, or compressed as RLE, JPEG 2000 or JPEG of 8 bits",
            "Decompress it, or install a decoder for pydicom; mind its licence.",
        ) from None


def _grey(stored: NDArray[Any], header: Any, pixels: ModuleType) -> NDArray[np.float64]:
    values = pixels.apply_modality_lut(stored, header)
    if header.get("VOILUTSequence") or header.get("WindowWidth"):
        seen = pixels.apply_voi_lut(values, header, prefer_lut=False)
        low, high = _ends(header)
    else:
        seen = values
        low, high = float(values.min()), float(values.max())
    grey: NDArray[np.float64] = (seen - low) / (high - low or 1.0)
    return 1 - grey if header.PhotometricInterpretation == "MONOCHROME1" else grey


def _ends(header: Any) -> tuple[float, float]:
    """What pydicom makes of a window's lower and upper end, or of the darkest and brightest of a table."""
    window = header.get("WindowWidth")
    table = header.get("ModalityLUTSequence") if window else header.get("VOILUTSequence")
    if table:
        return 0, 2 ** table[0].LUTDescriptor[2] - 1
    half = 2 ** (header.BitsStored - 1)
    low, high = (-half, half - 1) if header.PixelRepresentation else (0, 2 * half - 1)
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if slope is None or intercept is None:
        return low, high
    return low * slope + intercept, high * slope + intercept
