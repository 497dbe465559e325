import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing
from torchvision.transforms import v2

from cropworth.config import parse
from cropworth.data.config import Folder
from cropworth.data.images.decode import Decoded, decode
from cropworth.errors import CropworthError

SIDE = 16
GRADIENT = np.linspace(0, 255, 24 * 32, dtype=np.uint8).reshape(24, 32)
COLOURS = np.stack([GRADIENT, GRADIENT[::-1], np.full_like(GRADIENT, 77)], axis=2)


def settings_of(**values: object) -> Folder:
    return parse(Folder, {"folder": "/", "image_size": SIDE, **values})


def packed(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def attempt(source: Path | bytes, how: Folder) -> Decoded | CropworthError:
    try:
        return decode(source, how)
    except CropworthError as error:
        return error


def fitted(image: Image.Image) -> torch.Tensor:
    """What torchvision makes of a picture that needs no care."""
    steps = [v2.ToImage(), v2.Resize(SIDE, antialias=True), v2.CenterCrop(SIDE)]
    return torch.as_tensor(v2.Compose(steps)(image))


def flat(values: np.ndarray, **options: object) -> torch.Tensor:
    """Every pixel of a grey image as it is: nothing is resized."""
    height, width = values.shape
    assert height == width
    return decode(packed(Image.fromarray(values)), settings_of(image_size=width, channels=1, **options)).pixels[0]


def test_colour_and_grey_are_as_torchvision_reads_them() -> None:
    image = Image.fromarray(COLOURS)
    found = decode(packed(image), settings_of())
    assert found.size == (32, 24)
    assert torch.equal(found.pixels, fitted(image))
    assert torch.equal(decode(packed(image), settings_of(channels=1)).pixels, fitted(image.convert("L")))
    grey = Image.fromarray(GRADIENT)
    assert torch.equal(decode(packed(grey), settings_of()).pixels, fitted(grey).expand(3, -1, -1))


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV"])
def test_other_modes_are_as_pillow_converts_them(mode: str) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    if mode == "HSV":
        kind, image = "PNG", image.convert("RGB")
    assert torch.equal(decode(packed(image, kind), settings_of()).pixels, fitted(image.convert("RGB")))


def test_a_cmyk_jpeg_of_adobe_is_not_a_negative() -> None:
    """Pillow writes them as Adobe's programs do, every value inverted."""
    red = Image.new("RGB", (32, 32), (250, 5, 5)).convert("CMYK")
    content = packed(red, "JPEG")
    assert b"Adobe" in content
    assert (decode(content, settings_of()).pixels.float().mean((1, 2)) - torch.tensor([250.0, 5, 5])).abs().max() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB", "L"])
def test_what_is_transparent_is_black(mode: str) -> None:
    colour = Image.new("RGBA", (32, 32), (200, 200, 200, 255))
    colour.paste((250, 250, 250, 0), (0, 0, 16, 32))
    image, options = colour.convert(mode), {}
    if mode in ("RGB", "L"):
        options = {"transparency": 250 if mode == "L" else (250, 250, 250)}
    if mode == "P":
        image = Image.new("P", (32, 32), 1)
        image.putpalette([250, 250, 250, 200, 200, 200])
        image.paste(0, (0, 0, 16, 32))
        options = {"transparency": 0}
    pixels = decode(packed(image, "PNG", **options), settings_of()).pixels
    assert (pixels[:, :, :7] == 0).all()
    assert (pixels[:, :, 9:] == 200).all()


def test_half_transparent_is_half_as_bright() -> None:
    image = Image.new("RGBA", (9, 9), (200, 100, 50, 128))
    assert decode(packed(image), settings_of()).pixels[:, 5, 5].tolist() == [100, 50, 25]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_exif_data_say(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT], 3: [Image.Transpose.ROTATE_180], 4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE], 6: [Image.Transpose.ROTATE_270], 7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_90],
    }  # fmt: skip
    expected = Image.fromarray(COLOURS)
    for turn in turns.get(orientation, []):
        expected = expected.transpose(turn)
    found = decode(packed(Image.fromarray(COLOURS), exif=exif), settings_of())
    assert found.size == expected.size
    assert torch.equal(found.pixels, fitted(expected))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), (level, level, level)) for level in (40, 200)]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = packed(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (decode(content, settings_of()).pixels == 40).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_kept_or_scaled_from_their_whole_range(kind: str) -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    content = packed(Image.fromarray(values), kind)
    kept = decode(content, settings_of(image_size=64, bits=16, channels=1)).pixels[0]
    assert kept.dtype == torch.float32
    torch.testing.assert_close(kept.numpy(), (values / 65535).astype(np.float32))
    assert len(kept.unique()) == 4096
    eight = decode(content, settings_of(image_size=64, channels=1)).pixels[0]
    assert eight.dtype == torch.uint8
    assert np.array_equal(eight.numpy(), np.round(values / 257).astype(np.uint8))


def test_8_bits_among_16() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    torch.testing.assert_close(flat(values, bits=16).numpy(), values.astype(np.float32) / 255)


def test_whole_and_floating_point_tiffs() -> None:
    grey = settings_of(image_size=8, channels=1, bits=16)
    whole = np.arange(64, dtype=np.int32).reshape(8, 8) * 1000
    found = decode(packed(Image.fromarray(whole), "TIFF"), grey).pixels[0]
    torch.testing.assert_close(found.numpy(), (whole / 65535).astype(np.float32))
    unit = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    torch.testing.assert_close(decode(packed(Image.fromarray(unit), "TIFF"), grey).pixels[0].numpy(), unit)
    for values, message in (
        (unit * 300, "floating-point numbers from 0 to 300.*floating-point numbers from 0 to 1"),
        (unit * np.nan, "floating-point numbers from nan"),
        (whole * 10, "whole numbers from 0 to 630000.*whole numbers from 0 to 65535"),
    ):
        with pytest.raises(CropworthError, match=message):
            decode(packed(Image.fromarray(values), "TIFF"), grey)


def png(width: int, height: int, depth: int = 8, rows: bytes | None = None) -> bytes:
    """An RGB image as the standard has it; without its rows no more than a claim of its size."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    content = zlib.compress(rows or b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def test_16_bits_of_several_channels_are_refused_where_they_would_be_lost() -> None:
    content = png(8, 8, 16, (b"\0" + b"\x12\x34" * 24) * 8)
    assert (decode(content, settings_of()).pixels == 0x12).all()
    with pytest.raises(CropworthError, match=r"16 bits in each of several channels.*set data.bits to 8"):
        decode(content, settings_of(bits=16))


def test_what_is_inside_counts_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(packed(Image.fromarray(COLOURS)))
    assert torch.equal(decode(path, settings_of()).pixels, fitted(Image.fromarray(COLOURS)))


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
JPEG, PNG = packed(NOISE, "JPEG"), packed(NOISE)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"path,label\na.png,1\n", r"no image\); expected one of PNG, JPEG"),
        (JPEG[: len(JPEG) // 2], "truncated"),
        (PNG[: len(PNG) // 2], "truncated"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"no image\); expected one of PNG, JPEG"),
        (png(60_000, 60_000), "3600000000 pixels"),
        (png(12_000, 9_000), "108000000 pixels"),
    ],
    ids=["empty", "text", "half a jpeg", "half a png", "eps", "bomb", "bomb that pillow only warns of"],
)
def test_what_cannot_be_read(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(CropworthError, match=rf"the image .*picture\.png \(.*{reason}"):
        decode(path, settings_of())
    with pytest.raises(CropworthError, match=r"no such thing|No such file"):
        decode(tmp_path / "none.png", settings_of())


def test_messages_call_an_image_by_its_name() -> None:
    with pytest.raises(CropworthError, match="got row 3 "):
        decode(b"nothing", settings_of(), "row 3")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_files_are_read_or_refused_by_name(data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([JPEG, PNG, packed(NOISE, "TIFF")]))
    content = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        content[place] ^= data.draw(st.integers(1, 255))
    found = attempt(bytes(content), settings_of())
    assert "an image (" in str(found) if isinstance(found, CropworthError) else found.pixels.shape == (3, SIDE, SIDE)


def test_wide_images() -> None:
    wide = Image.new("L", (60_000, 20), 90)
    found = decode(packed(wide), settings_of())
    assert found.size == (60_000, 20)
    assert (found.pixels == 90).all()
    assert (decode(packed(wide), settings_of(fit="pad")).pixels.sum((0, 2)) > 0).sum() == 1
    # One pixel high, its shorter side would be enlarged, and the longer one with it.
    with pytest.raises(CropworthError, match=r"60000 x 1 pixels, which would become 7680000 x 128\).*at most"):
        decode(packed(wide.crop((0, 0, 60_000, 1))), settings_of(image_size=128))


def test_jpegs_beyond_the_limit_are_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same picture as without the limit, all but a little."""
    size = (1600, 1200)
    image = Image.fromarray(COLOURS).resize(size)
    exif = Image.Exif()
    exif[0x0112] = 6
    content, progressive = packed(image, "JPEG", exif=exif), packed(image, "JPEG", progressive=True)
    whole = decode(content, settings_of())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", size[0] * size[1] // 5)
    reduced = decode(content, settings_of())
    assert reduced.size == whole.size == (1200, 1600)
    assert (reduced.pixels.float() - whole.pixels.float()).abs().max() < 6
    for refused in (progressive, packed(image)):
        with pytest.raises(CropworthError, match="at most 384,000 pixels, Pillow's limit"):
            decode(refused, settings_of())


def shipped(name: str) -> Path:
    """A file that lies in the package itself; nothing is downloaded."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


def grey_of(path: Path, **options: object) -> np.ndarray:
    header = pydicom.dcmread(path)
    assert header.Rows == header.Columns
    return decode(path, settings_of(image_size=header.Rows, channels=1, bits=16, **options)).pixels[0].numpy()


def changed(tmp_path: Path, change: Callable[[Dataset], None], name: str = "CT_small.dcm") -> Path:
    header = pydicom.dcmread(shipped(name))
    change(header)
    header.save_as(tmp_path / "changed.dcm")
    return tmp_path / "changed.dcm"


@pytest.mark.parametrize("suffix", [".dcm", ".img"])
def test_dicom_is_shown_through_its_window(tmp_path: Path, suffix: str) -> None:
    def window(header: Dataset) -> None:
        header.WindowCenter, header.WindowWidth = [40, 300], [400, 10]

    path = changed(tmp_path, window)
    path = path.rename(path.with_suffix(suffix))
    header = pydicom.dcmread(path)
    hounsfield = apply_modality_lut(header.pixel_array, header)
    # DICOM PS3.3 C.11.2.1.2.1, of the first window
    expected = np.clip((hounsfield - (40 - 0.5)) / (400 - 1) + 0.5, 0, 1)
    found = grey_of(path)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert len(np.unique(found)) > 256
    as_pydicom = apply_windowing(hounsfield, header)
    np.testing.assert_allclose(found, (as_pydicom - as_pydicom.min()) / np.ptp(as_pydicom), atol=1e-6)
    eight = decode(path, settings_of(image_size=128, channels=1)).pixels[0].numpy()
    np.testing.assert_array_equal(eight, np.round(found * 255))


def test_dicom_without_a_window_spans_its_values(tmp_path: Path) -> None:
    def without(header: Dataset) -> None:
        for key in ("WindowCenter", "WindowWidth"):
            if key in header:
                delattr(header, key)

    path = changed(tmp_path, without, "MR_small.dcm")
    stored = pydicom.dcmread(path).pixel_array.astype(float)
    found = grey_of(path)
    np.testing.assert_allclose(found, (stored - stored.min()) / np.ptp(stored), atol=1e-6)
    assert len(np.unique(found)) > 256


def test_monochrome1_is_the_negative_of_monochrome2(tmp_path: Path) -> None:
    def inverted(header: Dataset) -> None:
        header.PhotometricInterpretation = "MONOCHROME1"

    found = grey_of(changed(tmp_path, inverted, "MR_small.dcm"))
    np.testing.assert_allclose(found, 1 - grey_of(shipped("MR_small.dcm")), atol=1e-6)


def test_a_table_of_grey_values(tmp_path: Path) -> None:
    def table(header: Dataset) -> None:
        for key in ("WindowCenter", "WindowWidth"):
            if key in header:
                delattr(header, key)
        item = Dataset()
        low = int(header.pixel_array.min())
        item.LUTDescriptor, item.LUTData = [4096, low, 12], list(range(4095, -1, -1))
        item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
        header.VOILUTSequence = [item]

    path = changed(tmp_path, table, "MR_small.dcm")
    stored = pydicom.dcmread(path).pixel_array.astype(int)
    np.testing.assert_allclose(grey_of(path), (4095 - np.minimum(stored - stored.min(), 4095)) / 4095, atol=1e-6)


@pytest.mark.parametrize("encoding", ["RLE", "bigendian", "implicit", "expb", "jp2klossless", "padded"])
def test_the_same_dicom_image_in_other_encodings(encoding: str) -> None:
    np.testing.assert_allclose(grey_of(shipped(f"MR_small_{encoding}.dcm")), grey_of(shipped("MR_small.dcm")))


@pytest.mark.parametrize("name", ["SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_32bit.dcm"])
def test_dicom_in_colour(name: str) -> None:
    path = shipped(name)
    header = pydicom.dcmread(path)
    first = header.pixel_array[0] if "frame" in name else header.pixel_array
    expected = first / (2**header.BitsStored - 1)
    found = decode(path, settings_of(image_size=100, bits=16)).pixels.permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    grey = decode(path, settings_of(image_size=100, bits=16, channels=1)).pixels[0].numpy()
    np.testing.assert_allclose(grey, expected @ [0.299, 0.587, 0.114], atol=1e-6)


def test_dicom_with_a_palette() -> None:
    found = decode(shipped("examples_palette.dcm"), settings_of(image_size=350))
    assert found.size == (800, 350)
    assert len(found.pixels.flatten(1).unique(dim=1).T) > 50


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rtplan.dcm", "no picture in the DICOM file"),
        ("MR_truncated.dcm", "less than expected"),
        ("MR_small_jpeg_ls_lossless.dcm", "JPEG-LS Lossless.*another package.*mind its licence"),
    ],
)
def test_dicom_that_cannot_be_shown(name: str, message: str) -> None:
    with pytest.raises(CropworthError, match=rf"the image .*{name} \(.*{message}"):
        decode(shipped(name), settings_of())


def test_every_dicom_file_of_the_package_is_read_or_refused_by_name() -> None:
    files = sorted(shipped("CT_small.dcm").parent.glob("*.dcm"))
    read = 0
    for path in files:
        found = attempt(path, settings_of(bits=16))
        if isinstance(found, CropworthError):
            assert path.name in str(found)
        else:
            read += 1
            assert 0 <= found.pixels.min() <= found.pixels.max() <= 1
    assert read >= 45
    assert len(files) >= 60


def test_a_text_called_dicom(tmp_path: Path) -> None:
    (tmp_path / "notes.dcm").write_text("These are only words, and none of them is a picture." * 9)
    with pytest.raises(CropworthError, match=r"notes\.dcm"):
        decode(tmp_path / "notes.dcm", settings_of())
