"""What a task does about items that it cannot use: one error with all of them, or none of them and a count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from cropworth.errors import CropworthError, ManyError

OnBad = Literal["fail", "skip"]


def settled(what: str, problems: Sequence[CropworthError], on_bad_item: OnBad) -> tuple[str, ...]:
    """Refuse bad items, or say in a sentence how many are left out; nothing where there are none.

    Args:
        what: the kind, in the plural, such as "images that cannot be read".
        problems: one for each item, with its file and row.
        on_bad_item: ``fail`` or ``skip``.

    Raises:
        CropworthError: there are bad items that are not to be left out; all of them, one a line.
    """
    if problems and on_bad_item == "fail":
        raise ManyError(problems)
    if not problems:
        return ()
    return (f"Left out of the data: {what}, {len(problems):,}; the first is {problems[0].got}.",)


class BadItems:
    """Bad items of several kinds, as they are met while a task is read.

    Args:
        on_bad_item: whether they are an error or left out.
    """

    def __init__(self, on_bad_item: OnBad) -> None:
        self._on_bad_item = on_bad_item
        self._met: defaultdict[str, list[CropworthError]] = defaultdict(list)

    def meet(self, what: str, problem: CropworthError) -> None:
        """Note one.

        Args:
            what: the kind, in the plural.
            problem: this one, with its file and row.
        """
        self._met[what].append(problem)

    def settle(self) -> None:
        """Refuse what was met so far, unless it is to be left out.

        Raises:
            CropworthError: all problems, one a line.
        """
        settled("", [problem for problems in self._met.values() for problem in problems], self._on_bad_item)

    def refuse(self, problems: Sequence[CropworthError]) -> None:
        """Refuse problems that cannot be left out, together with what was met so far unless that is to be left out.

        Raises:
            CropworthError: all of them, one a line.
        """
        try:
            self.settle()
        except ManyError as met:
            raise ManyError([*met.problems, *problems]) from None
        if problems:
            raise ManyError(problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence a kind: how many were left out, and the first of them."""
        return tuple(said for what, problems in self._met.items() for said in settled(what, problems, "skip"))
