"""A folder in which a page's blocks run in their order: what the page speaks of lies in it, and plans are small."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from command import Run
from cropworth.arguments import price_template
from docs.pages import ROOT, Block, blocks_of
from tiny import write_images, write_plan

# What a command is replaced by, and why: everything else runs as it stands.
INSTEAD = {
    "cropworth demo": (
        "cropworth study demo.yaml --out cropworth-demo",
        "its plan takes minutes, and is not the user's",
    ),
    "make demo": ("cropworth study demo.yaml --out cropworth-demo", "it installs; `make -n` says that it is there"),
    "cropworth demo --out cropworth-demo": ("cropworth study demo.yaml --out cropworth-demo", "as above"),
    "--track mlflow:http://localhost:5000": ("", "there is no server; tests/study/test_trackers.py has one"),
}
# Commands that are looked at, not run, by how they begin, and why.
NOT_RUN = {
    "make": "it would install, or run this very test; `make -n` says that the target is there",
    "pip install": "a test installs nothing; that the package is known is looked up",
    "python -m pip install": "as above",
    "python3 -m venv": "as above",
    "python scripts/": "they write into docs; that the script is there is looked up",
    "cropworth serve": "it runs until it is stopped; its own tests start it",
    "ssh": "there is no other machine",
    "export": "it is the shell's own",
}
KNOWN_PACKAGES = {
    re.split(r"[=<>\[]", word)[0].lower()
    for line in (ROOT / "constraints.txt", ROOT / "Makefile", ROOT / "requirements-dev.txt")
    for word in line.read_text().split()
}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@dataclass
class World:
    """The folder, what a page has printed in it, and the names that its Python has made.

    Attributes:
        folder: where everything runs.
        run: the command line.
        printed: all output so far, one text.
        names: of the page's Python.
    """

    folder: Path
    run: Run
    printed: str = ""
    names: dict[str, Any] = field(default_factory=dict)

    def python(self, block: Block) -> None:
        """Run a block of Python behind those before it."""
        exec(compile(block.text, str(block), "exec"), self.names)

    def commands(self, block: Block) -> None:
        """Run a block's commands one after another; each must succeed."""
        for line in block.text.replace("\\\n", " ").splitlines():
            self.command(re.sub(r"^\.venv/bin/", "", line.strip()), str(block))

    def command(self, line: str, where: str) -> None:
        for said, (instead, _) in INSTEAD.items():
            if said.startswith("--"):
                line = line.replace(said, instead)
            elif shlex.split(line, comments=True) == said.split():
                if said.startswith("make"):
                    self._make(said.split()[1:], where)
                line = instead
        words = shlex.split(line, comments=True)
        to = words[-1] if len(words) > 2 and words[-2] == ">" else None
        words = words[:-2] if to else words
        if not words:
            return
        output = self._output(words, where)
        if to is not None:
            (self.folder / to).write_text(output, encoding="utf-8")
        self.printed += output + "\n"

    def _output(self, words: list[str], where: str) -> str:
        kind = next((kind for kind in NOT_RUN if shlex.join(words).startswith(kind)), None)
        match kind, words:
            case "make", [_, *targets]:
                self._make(targets, where)
            case (("pip install" | "python -m pip install"), _):
                self._packages(words[words.index("install") + 1 :], where)
            case "python scripts/", [_, script, *_]:
                assert (ROOT / script).is_file(), where
            case None, ["cropworth", *given]:
                return self._cropworth(given, where)
            case None, ["python", script, *given] if script.startswith("recipes/") or script == "example.py":
                return self._script([script, *given], where)
            case None, _:
                raise AssertionError(f"{where}: no rule for the command {shlex.join(words)}")
        return ""

    def _cropworth(self, words: list[str], where: str) -> str:
        for plan in (self.folder / word for word in words if word.endswith((".yaml", ".yml"))):
            if words[0] in ("plan", "study") and plan.is_file():
                shrink(plan)
        one_at_a_time = re.sub(r"--jobs \d+", "--jobs 1", shlex.join(words))
        status, out, err = self.run(*shlex.split(one_at_a_time))
        assert status == 0, f"{where}: {shlex.join(words)}\n{out}\n{err}"
        return out

    def _make(self, targets: list[str], where: str) -> None:
        ran = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{where}: {ran.stderr}"

    def _packages(self, packages: list[str], where: str) -> None:
        for package in (word for word in packages if not word.startswith("-") and word != "."):
            if extra := re.fullmatch(r"(?:cropworth|\.)\[(\w+)\]", package):
                assert extra[1] in EXTRAS, where
            else:
                assert re.split(r"[=<>\[]", package)[0].lower() in KNOWN_PACKAGES, f"{where}: {package}"

    def _script(self, words: list[str], where: str) -> str:
        ran = subprocess.run([sys.executable, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"{where}: {ran.stderr}"
        return ran.stdout


def shrink(path: Path) -> None:
    """Make a plan one that trains in seconds: baseline and a crop, an epoch, two seeds, few items, small batches."""
    plan = yaml.safe_load(path.read_text())
    crop = next((name for name, variant in plan["variants"].items() if "localizer" in variant), None)
    kept = {plan.get("baseline", "baseline"), crop} if crop else set(plan["variants"])
    plan["variants"] = {name: variant for name, variant in plan["variants"].items() if name in kept}
    plan["training"] = {**plan.get("training", {}), "epochs": 1, "batch_size": 8}
    plan["study"] = {"train_sizes": [min(16, *plan["study"]["train_sizes"])], "seeds": 2}
    plan["timing"] = {"batch_size": 4, "rounds": 10}
    path.write_text(yaml.safe_dump(plan, sort_keys=False))


def filled(folder: Path, page: str, finished: Path) -> None:
    """Lay into a folder what a page speaks of and does not make itself: images, plans, recipes, finished studies."""
    commands = "\n".join(block.text for block in blocks_of(page) if block.language == "bash")
    made = set(re.findall(r"--out (\S+)", commands.replace("make demo", "--out cropworth-demo")))
    write_images(folder / "photos")
    shutil.copytree(folder / "photos" / "dim", folder / "new-images")
    Image.open(folder / "new-images" / "0.png").save(folder / "more.jpg")
    shutil.copytree(ROOT / "recipes", folder / "recipes", ignore=shutil.ignore_patterns("data", "__pycache__", "*.gz"))
    shutil.copy(ROOT / "src" / "cropworth" / "demo.yaml", folder / "demo.yaml")
    prices = [block.text for block in blocks_of(page) if block.language == "yaml" and "cost_per_error" in block.text]
    (folder / "economics.yaml").write_text(prices[0] if page == "docs/predictions.md" else price_template("generic"))
    if "cropworth init" not in commands:
        write_plan(folder, data={"folder": "photos", "image_size": 24, "channels": 1})
    for name in {"DIR", "study", "study-digits", "study-old", "study-new", "cropworth-demo"} - made:
        shutil.copytree(finished, folder / name)
