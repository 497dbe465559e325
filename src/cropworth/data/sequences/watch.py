"""The task `watch`: shoulder exercises seen by a smartwatch, recordings of which seglearn ships."""

from __future__ import annotations

import numpy as np

from cropworth.data.config import Watch
from cropworth.data.installed import imported
from cropworth.data.sequences.sequence_task import SequenceItem, SequenceTask
from cropworth.errors import CropworthError


def watch_task(config: Watch) -> SequenceTask:
    """140 recordings of 7 exercises by 10 people: acceleration and rotation, 6 features at 50 Hz, 947 to 2,618 steps.

    Whoever is in one split is in no other.

    Source: Burns et al. 2018, Shoulder physiotherapy exercise recognition (arXiv:1802.01489).

    Raises:
        CropworthError: seglearn is not installed, or there is no recording of a subject that the configuration names.
    """
    data = imported("seglearn.datasets", "pip install 'cropworth[sequences]'").load_watch()
    subjects = [int(subject) for subject in data["subject"]]
    named = {*config.validation_subjects, *config.test_subjects}
    if unknown := named - set(subjects):
        raise CropworthError(
            f"the subjects {sorted(unknown)}", f"some of {sorted(set(subjects))}", "Change data's subjects."
        )

    def of(chosen: set[int]) -> list[SequenceItem]:
        return [
            SequenceItem(
                np.asarray(values, dtype=np.float32), int(label), f"seglearn's recording {n} (subject {subject})"
            )
            for n, (values, label, subject) in enumerate(zip(data["X"], data["y"], subjects, strict=True), 1)
            if subject in chosen
        ]

    return SequenceTask(
        "watch",
        tuple(data["y_labels"]),
        of(set(subjects) - named),
        of(set(config.validation_subjects)),
        of(set(config.test_subjects)),
        on_bad_item=config.on_bad_item,
        standardise=config.standardise,
    )
