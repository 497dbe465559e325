"""What a study was made from: hashes of data, files and code, the day of the prices, and how intervals are made."""

from __future__ import annotations

from collections.abc import Iterator

from cropworth.report.tables import NO_DATE, Column, Table
from cropworth.study.record import Study
from cropworth.worth.economics import Economics
from cropworth.worth.scenario import DRAWS
from cropworth.worth.words import MISSING

NOT_KEPT = "not kept by the version that made it"
INTERVAL = (
    "A sum of t quantiles over a two-way layout of seeds and test items, with the chance of the timing; where prices "
    f"are guesses, the quantiles of {DRAWS:,} joint draws (docs/economics.md, “The interval”)."
)


def provenance_table(study: Study, economics: Economics) -> Table:
    """What the numbers were made from, by hashes that another copy can be compared with."""
    return Table(
        caption="What the numbers were made from",
        columns=(Column("what", "words"), Column("which", "sentences")),
        rows=(
            *(_files(study) if study.from_files else _trained(study)),
            ("day of the prices", str(economics.as_of or NO_DATE)),
            ("intervals", INTERVAL),
        ),
        note="Hashes are SHA-256.",
        static=True,
    )


def _files(study: Study) -> Iterator[tuple[str, str]]:
    for name, digest in study.files_sha256.items():
        yield f"file {name}", digest


def _trained(study: Study) -> Iterator[tuple[str, str]]:
    yield "all items and labels", study.data_sha256 or NOT_KEPT
    for path, digest in study.weights_sha256.items():
        yield f"weights {path}", digest
    codes = {
        tuple(record.environment.get(name) for name in ("cropworth", "commit", "source_sha256"))
        for record in study.records
    }
    for version, commit, source in sorted(codes, key=str):
        of = f"version {version or MISSING}" + (f", commit {commit}" if commit else "")
        yield "code of cropworth", f"{of}; its source files: {source or NOT_KEPT}"
