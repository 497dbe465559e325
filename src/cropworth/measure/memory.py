"""Peak memory of this process."""

from __future__ import annotations

import re
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak() -> bool:
    """Start a new peak; False where the system cannot (then `peak_bytes` is the peak since the process began)."""
    try:
        _CLEAR.write_text("5")  # proc(5): resets the peak of the resident set
    except OSError:
        return False
    return True


def peak_bytes() -> int | None:
    """Most memory resident since the last `reset_peak`; None where the system does not say."""
    try:
        found = re.search(r"^VmHWM:\s*(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
