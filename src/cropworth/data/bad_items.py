"""What a task does about items that it cannot use: one error with all of them, or none of them and a count."""

from __future__ import annotations

from collections import defaultdict

from cropworth.data.config import MayHaveBadItems
from cropworth.errors import CropworthError, ManyError


class BadItems:
    """Bad items as they are met while a task is read.

    Args:
        config: says whether they are an error or left out.
    """

    def __init__(self, config: MayHaveBadItems) -> None:
        self._skip = config.on_bad_item == "skip"
        self._met: defaultdict[str, list[CropworthError]] = defaultdict(list)

    def meet(self, what: str, problem: CropworthError) -> None:
        """Note one.

        Args:
            what: the kind, in the plural, such as "images that cannot be read".
            problem: this one, with its file and row.
        """
        self._met[what].append(problem)

    def settle(self) -> None:
        """Refuse what was met so far, unless it is to be left out.

        Raises:
            CropworthError: all problems, one a line.
        """
        if self._met and not self._skip:
            raise ManyError(problem for problems in self._met.values() for problem in problems)

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence a kind: how many were left out, and the first of them."""
        return tuple(
            f"Left out of the data: {what}, {len(problems):,}; the first is {problems[0].got}."
            for what, problems in self._met.items()
        )
