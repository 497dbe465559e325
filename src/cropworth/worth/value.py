"""What a prediction is worth: ready value models, each a few prices that a practitioner knows.

A model says which quantities of a prediction are priced. Each quantity is a `Priced`: prices that are multiplied, and
for each true class and decision how much of them is lost. Money is linear in every price, which is what lets the
appraisal vary a price without reading the predictions again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Tag

from cropworth.config import Config
from cropworth.errors import CropworthError
from cropworth.worth.prices import Amount, Share

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Priced:
    """One quantity of a prediction.

    Attributes:
        paths: keys of the economics whose prices are multiplied.
        lost: (C, C), how much of it is lost, by true class and decision; below 0 where it is gained.
        of_value: whether it is also multiplied by the item's own value.
    """

    paths: tuple[str, ...]
    lost: Array
    of_value: bool = False


class Finding(Config):
    """Looking for one class among others: what is missed, what is a false alarm, and what each alarm costs."""

    missed_by: ClassVar[str]
    false_alarms_by: ClassVar[tuple[str, ...]]
    alarms_by: ClassVar[str]
    wanted_by: ClassVar[str]
    share_by: ClassVar[str]

    @property
    def shares(self) -> tuple[str, ...]:
        """Keys that are parts of a whole."""
        return (self.share_by,)

    @property
    def wanted(self) -> str:
        """Name of the class that is looked for."""
        return str(getattr(self, self.wanted_by))

    @property
    def main_price(self) -> str:
        """Path of the price of an error that sweeps vary."""
        return f"value.{self.missed_by}"

    def priced(self, classes: Sequence[str]) -> list[Priced]:
        """The quantities, for these classes; all but the wanted one count as one."""
        if self.wanted not in classes:
            raise CropworthError(
                f"economics.value.{self.wanted_by} = {self.wanted!r}",
                f"one of the study's classes: {', '.join(classes)}",
                "Name the class that is looked for.",
            )
        wanted = np.array([name == self.wanted for name in classes], dtype=np.float64)
        other = 1 - wanted
        false_alarm = np.outer(other, wanted)
        return [
            Priced((f"value.{self.missed_by}",), np.outer(wanted, other)),
            *(Priced((f"value.{name}",), false_alarm) for name in self.false_alarms_by),
            Priced((f"value.{self.alarms_by}",), np.outer(np.ones(len(classes)), wanted)),
        ]


class MedicalScreening(Finding):
    """A disease is looked for among many people, most of them healthy."""

    missed_by, false_alarms_by, alarms_by = "false_negative", ("false_positive", "harm"), "recall"
    wanted_by, share_by = "disease", "prevalence"

    template: Literal["medical-screening"]
    disease: str
    """Name of the class of the ill."""
    prevalence: Share
    """Share of the people screened who are ill; not that of the test set, where it is usually raised."""
    false_negative: Amount
    """Of a missed case: later treatment, and what the patient loses."""
    false_positive: Amount = 0.0
    """Of the work-up of a healthy person, such as a biopsy."""
    recall: Amount = 0.0
    """Of each person called back, ill or healthy."""
    harm: Amount = 0.0
    """What fear and intervention cost a healthy person, in money."""


class Inspection(Finding):
    """Defects are looked for among parts."""

    missed_by, false_alarms_by, alarms_by = "escape", ("scrap",), "second_look"
    wanted_by, share_by = "defect", "defect_rate"

    template: Literal["inspection"]
    defect: str
    """Name of the class of the defective."""
    defect_rate: Share
    """Share of the parts that are defective."""
    escape: Amount
    """Of a defective part that is shipped."""
    scrap: Amount = 0.0
    """Of a good part that is thrown away."""
    second_look: Amount = 0.0
    """Of looking again at each part that is sorted out."""


class Moderation(Finding):
    """Harmful items are looked for among what people post."""

    missed_by, false_alarms_by, alarms_by = "missed", ("wrongly_removed",), "review"
    wanted_by, share_by = "harmful", "harmful_share"

    template: Literal["moderation"]
    harmful: str
    """Name of the class of the harmful."""
    harmful_share: Share
    """Share of all items that are harmful."""
    missed: Amount
    """Of a harmful item that stays."""
    wrongly_removed: Amount = 0.0
    """Of a harmless item that is removed: the appeal, and an author who leaves."""
    review: Amount = 0.0
    """Of a person's look at each item that is removed."""


class TradingSignal(Config):
    """Each decision holds a position for one period; each item's value is what holding it long returns, a fraction."""

    shares: ClassVar[tuple[str, ...]] = ("fee", "spread", "turnover")

    template: Literal["trading-signal"]
    long: str
    """Name of the class on which one buys."""
    short: str | None = None
    """Name of the class on which one sells; every other class holds nothing."""
    stake: Amount
    """Money in each position."""
    fee: Share = 0.0
    """Of the stake, for each side of a trade."""
    spread: Share = 0.0
    """Of the stake, between what buyers pay and sellers get: a round trip pays it once."""
    turnover: Share = 1.0
    """Share of the positions that are opened and closed anew, and so pay."""

    @property
    def main_price(self) -> str:
        """Path of the price that sweeps vary."""
        return "value.stake"

    def priced(self, classes: Sequence[str]) -> list[Priced]:
        """Returns, fees and spread."""
        for name in (self.long, self.short):
            if name is not None and name not in classes:
                raise CropworthError(
                    f"economics.value for the class {name!r}",
                    f"classes of the study: {', '.join(classes)}",
                    "Use the study's class names.",
                )
        position = np.array([(name == self.long) - float(name == self.short) for name in classes])
        traded = np.abs(position)
        everywhere = np.ones(len(classes))
        return [
            Priced(("value.stake",), -np.outer(everywhere, position), of_value=True),
            Priced(("value.stake", "value.turnover", "value.fee"), np.outer(everywhere, 2 * traded)),
            Priced(("value.stake", "value.turnover", "value.spread"), np.outer(everywhere, traded)),
        ]


def _name(model: Any) -> str:
    return f"<{model.get('template')}>" if isinstance(model, dict) else f"<{getattr(model, 'template', model)}>"


Template = Annotated[
    Annotated[MedicalScreening, Tag("<medical-screening>")]
    | Annotated[Inspection, Tag("<inspection>")]
    | Annotated[Moderation, Tag("<moderation>")]
    | Annotated[TradingSignal, Tag("<trading-signal>")],
    Discriminator(_name),
]
