"""The page of benchmarks/crop_op.py and benchmarks/end_to_end.py: every number of it comes from their JSON.

    python benchmarks/kernels_page.py

It writes docs/results/kernels.md from what lies in benchmarks/results: ``crop_op.json``, ``end_to_end.json`` and, where
it was measured on a GPU too, ``crop_op_cuda.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calibration_page import as_table
from crop_summary import (
    BASELINE,
    COMPILED,
    COPY,
    FORWARD,
    OPENCV,
    OURS,
    OURS_SMOOTH,
    TORCH,
    TORCH_REPEATED,
    Cells,
    of_copy,
)

ROOT = Path(__file__).parents[1]
THETA, BOTH = "forward + backward (theta)", "forward + backward (theta, image)"
PLAIN = (
    TORCH,
    TORCH_REPEATED,
    COMPILED,
    "kornia crop_and_resize",
    "kornia warp_affine",
    "torchvision roi_align",
    *OPENCV,
)
SMOOTH = (BASELINE, "torchvision roi_align, adaptive", "Pillow resize")
LARGE = 2**22  # bytes moved from which a crop on a GPU counts as large
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Target:
    """What was asked of a number.

    Attributes:
        what: in words.
        bound: of the number.
        least: whether it is to be at least the bound, or at most.
        reached: the number; None where it was not measured.
        where: of the worst case, and other words on it.
    """

    what: str
    bound: float
    least: bool
    reached: float | None
    where: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it was reached; None where it was not measured."""
        if self.reached is None:
            return None
        return self.reached >= self.bound if self.least else self.reached <= self.bound

    def row(self) -> list[str]:
        """Of the table."""
        asked = f"at {'least' if self.least else 'most'} {self.bound:g}"
        reached = "not measured" if self.reached is None else f"{self.reached:.2f}"
        return [self.what, asked, reached, self.where, {None: "—", True: "yes", False: "**no**"}[self.met]]


def processor_targets(summary: Found, whole: Cells) -> list[Target]:
    """What issue and design asked of the kernels of a processor."""
    found = []
    for kind, key in (("upright", "torch over cropworth"), ("turned", "torch over cropworth, turned")):
        for name in (FORWARD, THETA):
            gain = summary[name].get(key)
            where = f"{gain['least']:.2f} to {gain['most']:.2f}" if gain else ""
            mean = gain["geometric_mean"] if gain else None
            found.append(Target(f"torch / cropworth, geometric mean, {kind}, {name}", 3, True, mean, where))
    gains = [found for name in summary for of, found in summary[name].items() if of.startswith("torch over")]
    slow = min(gains, key=lambda gain: gain["least"])
    found.append(Target("torch / cropworth, any case, any pass", 0.95, True, slow["least"], slow["least_case"]))
    smooth = summary[FORWARD]["antialiased over torch"]
    where = f"geometric mean {smooth['geometric_mean']:.2f}; {smooth['most_case']}"
    found.append(Target("antialiased / torch without, any case, forward", 1, False, smooth["most"], where))
    opencv = summary[FORWARD].get("OpenCV over cropworth")
    where = f"geometric mean {opencv['geometric_mean']:.2f}; {opencv['least_case']}" if opencv else ""
    least = opencv["least"] if opencv else None
    found.append(Target("OpenCV's faster / cropworth, any case, forward", 1, True, least, where))
    for name in summary:
        memory = summary[name].get("memory")
        where = f"median {memory['median']:.2f}; {memory['most_case']}" if memory else ""
        most = memory["most"] if memory else None
        found.append(Target(f"extra memory / torch's, any case, {name}", 0.1, False, most, where))
    for name in ("crop", "crop, antialiased"):
        shares = {f"{c['input']} px": c["rows"][name]["share"]["both"] for c in whole if c["what"] == "training step"}
        worst = max(shares, key=lambda side: shares[side], default="")
        reached = shares.get(worst)
        found.append(Target(f"share of a training step, {name}", 0.06, False, reached, worst))
    return found


def gpu_targets(summary: Found, cells: Cells) -> list[Target]:
    """And of a GPU."""
    gain = summary[BOTH]["torch over cropworth"]
    large = {
        cell["case"]: of_copy(cell["rows"][OURS], cell["rows"][COPY]["moved_bytes"])
        for cell in cells
        if cell["pass"] == FORWARD and cell["rows"][COPY]["moved_bytes"] >= LARGE
    }
    worst = min(large, key=lambda case: large[case], default="")
    return [
        Target(
            f"torch / cropworth, geometric mean, {BOTH}", 1.5, True, gain["geometric_mean"],
            f"{gain['least']:.2f} to {gain['most']:.2f}",
        ),
        Target("share of a copy's bandwidth, large cases, forward", 0.5, True, large.get(worst), worst),
    ]  # fmt: skip


def targets_table(targets: Iterable[Target]) -> str:
    """With what was missed first."""
    ordered = sorted(targets, key=lambda target: target.met is not False)
    return as_table(["what", "asked", "measured", "where", "reached"], [target.row() for target in ordered])


def in_words(targets: Sequence[Target]) -> str:
    """How many were reached, and which were not."""
    missed = [target.what for target in targets if target.met is False]
    unknown = [target.what for target in targets if target.met is None]
    met = len(targets) - len(missed) - len(unknown)
    parts = [f"**{met} of {len(targets)} targets are reached.**"]
    parts += [f"Missed: {'; '.join(missed)}."] if missed else []
    parts += [f"Not measured: {'; '.join(unknown)}."] if unknown else []
    return " ".join(parts)


def milliseconds(row: Found) -> str:
    """Median and quartiles."""
    return " ".join([_ms(row["median_s"]), f"({_ms(row['q1_s'])} to {_ms(row['q3_s'])})"])


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g}" if seconds < 1 else f"{1000 * seconds:.0f}"


def times_as_long(ratio: float | None) -> str:
    """Bold where it was faster than ours."""
    if ratio is None:
        return ""
    return f"**{ratio:.2f}**" if ratio < 1 else f"{ratio:.2f}"


def ratios_table(cells: Cells, ours: str, others: Sequence[str]) -> str:
    """By case: ours in milliseconds, its share of a copy's bandwidth, and how many times as long the others took."""
    names = [name for name in others if any(name in cell["rows"] for cell in cells) or name == BASELINE]
    rows = []
    for cell in cells:
        if ours not in cell["rows"]:
            continue
        own = cell["rows"][ours]
        share = of_copy(own, cell["rows"][COPY]["moved_bytes"])
        rows.append([cell["case"], milliseconds(own), f"{100 * share:.2g}"])
        for name in names:
            row = cell["rows"].get(cell[BASELINE] if name == BASELINE else name)
            failed = name in cell["failed"]
            rows[-1].append("fails" if failed else times_as_long(row["over"][ours] if row else None))
    titles = ["torch, not antialiased" if name == BASELINE else name for name in names]
    return as_table(["case", f"{ours}, ms", "of a copy, %", *titles], rows)


def memory_table(cells: Cells) -> str:
    """Extra megabytes by case."""
    names = [
        name
        for name in (OURS, OURS_SMOOTH, *PLAIN, "Pillow resize")
        if any(cell["rows"].get(name, {}).get("extra_bytes") is not None for cell in cells)
    ]
    rows = []
    for cell in cells:
        extra = [cell["rows"].get(name, {}).get("extra_bytes") for name in names]
        rows.append([cell["case"], *("" if one is None else f"{one / 1e6:.2f}" for one in extra)])
    return as_table(["case", *names], rows)


def checks_table(found: Found) -> str:
    """How far each library's crop is from the definition, at most over all cases; and why some cannot."""
    rows = []
    for name, about in found["contestants"].items():
        own = [check[name] for check in found["checks"].values() if name in check]
        numbers = [one for one in own if "mean" in one]
        failed = [one["failed"] for one in own if "failed" in one]
        failed += [cell["failed"][name] for cell in found["cells"] if name in cell["failed"]]
        if own:
            cells = [f"{max(one[key] for one in numbers):.0e}" if numbers else "" for key in ("largest", "mean")]
            note = "; ".join([*([about["note"]] if about["note"] else []), *dict.fromkeys(failed)])
            rows.append([name, "yes" if about["antialiased"] else "no", *cells, note])
    return as_table(["crop", "antialiased", "largest difference", "mean difference", "note"], rows)


def first_calls_table(first: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Seconds of a first crop and its gradients."""
    rows = [
        [kind, before, *(f"{seconds:.2f}" for seconds in times)]
        for before, kinds in first.items()
        for kind, times in kinds.items()
    ]
    return as_table(["the process's first crop", "kernels", "forward, s", "backward, s"], rows)


def whole_table(cells: Cells, what: str) -> str:
    """Whole models: seconds, over the whole input's, over those by torch's sampler, the crop's share, memory."""
    rows = []
    for cell in cells:
        if cell["what"] != what:
            continue
        for name, row in cell["rows"].items():
            share, peak = row["share"], row.get("peak_bytes")
            over = [f"{row['over'][other]:.2f}" for other in row["over"]]
            shares = [f"{100 * share[key]:.1f}" if share else "" for key in ("forward", "backward", "both")]
            about = [f"{cell['input']} → {cell['crop']}", str(cell["batch"]), name, milliseconds(row)]
            rows.append([*about, *over, *shares, f"{peak / 1e6:.0f}" if peak else ""])
    references = [f"over {name}" for name in cells[0]["rows"]["crop"]["over"]]
    shares = [f"crop's {part}, %" for part in ("forward", "backward", "share")]
    return as_table(["input → crop, px", "batch", "model", "ms", *references, *shares, "peak, MB"], rows)


PROSE = """A crop must cost next to nothing, or it cannot pay. [`sample`](../crops.md) is measured against torch's own
sampler, alone and compiled, and against the crops of kornia, torchvision, OpenCV and Pillow, by `python
benchmarks/crop_op.py`; whole models with a crop and without by `python benchmarks/end_to_end.py`; this page is what
`python benchmarks/kernels_page.py` makes of both. Losses stand beside wins.

Poses are random: upright crops (*zoom*) with sides of 0.3 to 0.8 of the input anywhere inside it, the same turned by
up to 30 degrees, and the *whole* input; a case is named by the input, `B x C x H x W`, and the crop's side, in
float32. All crops of a case are timed in turn, each once a round in an order drawn anew; a ratio is the median over
rounds of the ratio within the round. *Torch* is `affine_grid` and `grid_sample` with `align_corners=False`; of
several crops of an image the faster of two ways, all in one grid or the image repeated. OpenCV and Pillow get the
images in their own layout beforehand. *Of a copy* is the share of the bandwidth of torch's own copy, counting the
bytes that a crop must move: the pixels that it reads, and those that it writes. Turned crops with antialiasing are
not measured."""
TABLES = """Median milliseconds with quartiles, and how many times as long the others took; **bold** where another is
faster."""
MEMORY = "Megabytes at the peak, beyond the crop and the gradients that are given back."
CHECKS = """Against the definition in float64, on noise in [0, 1), at most over all cases. A crop that differs by more
than its kind allows is not timed."""
FIRST = "With what it loads and compiles, which `NUMBA_CACHE_DIR` keeps for the next process."
WHOLE = """A resnet18 on the whole input, and behind a crop found in a look of {look} pixels. The crop's share is that
of `sample`, forward and backward, within the step. Peak memory is that of a process that does nothing else, with
Python and torch."""


def page(op: Found, whole: Found | None, gpu: Found | None) -> str:
    """The whole page."""
    cells, models = op["cells"], whole["cells"] if whole else []
    gains = {name: found["torch over cropworth"]["geometric_mean"] for name, found in op["summary"].items()}
    told = "; ".join(f"{name}: {gain:.2f}" for name, gain in gains.items())
    parts = [
        "# What a crop costs", PROSE,
        f"**How many times as long torch takes, in the geometric mean over all upright crops:** {told}.",
        *_targets_part(processor_targets(op["summary"], models)), *_op_parts(cells),
        "## Are they the same crop?", CHECKS, checks_table(op),
    ]  # fmt: skip
    if op["first_calls"]:
        parts += ["## The first crop of a process", FIRST, first_calls_table(op["first_calls"])]
    if whole:
        parts += ["## Whole models", WHOLE.format(look=whole["look"])]
        for what in dict.fromkeys(cell["what"] for cell in models):
            parts += [f"### {_title(what)}", whole_table(models, what)]
    if gpu:
        parts += ["## On a GPU", *_targets_part(gpu_targets(gpu["summary"], gpu["cells"]), "#")]
        parts += [*_op_parts(gpu["cells"], "#"), checks_table(gpu)]
    measured = {"The crop alone": op, "Whole models": whole, "On a GPU": gpu}
    about = [f"{name}: {_about(found['provenance'])}." for name, found in measured.items() if found]
    return "\n\n".join([*parts, "## Measured on", *about]) + "\n"


def _about(provenance: Found) -> str:
    return ", ".join(f"{key} {value}" for key, value in provenance.items() if value is not None)


def _title(words: str) -> str:
    return words[0].upper() + words[1:]


def _targets_part(targets: Sequence[Target], deeper: str = "") -> list[str]:
    return [f"{deeper}## What was asked, and what was reached", in_words(targets), targets_table(targets)]


def _op_parts(cells: Cells, deeper: str = "") -> list[str]:
    parts = [f"{deeper}## How many times as long as cropworth's", TABLES]
    for name in dict.fromkeys(cell["pass"] for cell in cells):
        own = [cell for cell in cells if cell["pass"] == name]
        parts += [f"{deeper}### {_title(name)}", ratios_table(own, OURS, PLAIN)]
        parts += ["Antialiased:", ratios_table(own, OURS_SMOOTH, SMOOTH)]
    parts += [f"{deeper}## Extra memory", MEMORY]
    for name in (FORWARD, BOTH):
        own = [cell for cell in cells if cell["pass"] == name]
        parts += [f"{deeper}### Memory, {name}", memory_table(own)]
    return parts


def _read(path: Path) -> Any:
    return json.loads(path.read_text()) if path.is_file() else None


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="The page of what a crop costs.")
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "kernels.md")
    arguments = parser.parse_args()
    op, whole, gpu = (_read(arguments.results / f"{name}.json") for name in ("crop_op", "end_to_end", "crop_op_cuda"))
    arguments.out.write_text(page(op, whole, gpu))


if __name__ == "__main__":
    main()
