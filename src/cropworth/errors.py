"""The one kind of error a user sees: what we got, what we expected, what to do next."""

from __future__ import annotations

from collections.abc import Iterable


class CropworthError(ValueError):
    """Bad input, said in one message.

    Args:
        got: what was found, with its value, shape or path.
        expected: what would have been right.
        do: the next step for the reader.
    """

    def __init__(self, got: str, expected: str, do: str) -> None:
        self.got, self.expected, self.do = got, expected, do
        super().__init__(f"got {got}; expected {expected}. {do}")

    @property
    def problems(self) -> tuple[CropworthError, ...]:
        """What is wrong, one by one; this alone, or the many of a `ManyError`."""
        return (self,)

    def __reduce__(self) -> tuple[type[CropworthError], tuple[str, str, str]]:
        # Exceptions are rebuilt from `args` (here: one string) when they come back from a worker process.
        return type(self), (self.got, self.expected, self.do)


class NotFiniteError(CropworthError):
    """Numbers that are infinite or NaN: a training that diverged, more often than bad input."""


class ManyError(CropworthError):
    """All problems of one input at once, one a line."""

    def __init__(self, problems: Iterable[CropworthError]) -> None:
        self._problems = tuple(problems)
        first = self.problems[0]
        super().__init__(first.got, first.expected, first.do)
        self.args = ("\n".join(str(problem) for problem in self.problems),)

    @property
    def problems(self) -> tuple[CropworthError, ...]:
        """All of them."""
        return self._problems

    def __reduce__(self) -> tuple[type[CropworthError], tuple[tuple[CropworthError, ...]]]:  # type: ignore[override]
        return type(self), (self.problems,)
