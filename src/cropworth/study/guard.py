"""What a user's own code may do: raise anything, or leave. It becomes one clear problem."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cropworth
from cropworth.errors import CropworthError, ManyError

# Where code lies that is not the user's.
NOT_THEIRS = (
    str(Path(cropworth.__file__).parent.resolve()),
    *(str(Path(sysconfig.get_paths()[kind]).resolve()) for kind in ("stdlib", "purelib", "platlib")),
)


@contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Turn whatever is raised in here, an exit included, into a `CropworthError`.

    Args:
        doing: what was being done, such as "while it was built".

    Raises:
        CropworthError: with the exception's type and message, and the last line of the user's own file on its way.
    """
    try:
        yield
    except ManyError:
        raise
    except CropworthError as error:
        line = "" if error.__cause__ is None else _own_line(error.__cause__)
        raise CropworthError(error.got + line, error.expected, error.do) from error.__cause__
    except (Exception, SystemExit) as error:
        line = _own_line(error)
        raise CropworthError(
            f"{type(error).__name__}({error}) {doing}{line}",
            "code that runs",
            "Mend that line." if line else "Mend what it speaks of.",
        ) from error


def _own_line(error: BaseException) -> str:
    """The last line of the traceback that is neither ours nor an installed package's."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    own = [frame for frame in frames if not str(Path(frame.filename).resolve()).startswith(NOT_THEIRS)]
    own = [frame for frame in own if not frame.filename.startswith("<")]
    return f" ({own[-1].filename}, line {own[-1].lineno}: {own[-1].line})" if own else ""
