"""Shared settings, and one tiny study that is really run, for whoever needs a folder on disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

from command import Run
from cropworth.study.plan import load_plan
from cropworth.study.run import prepare, run_study
from tiny import tiny_values, write_images

# The same examples every time, and few, since tests run on small machines.
settings.register_profile("cropworth", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("cropworth")


@pytest.fixture(scope="session", autouse=True)
def memory_is_not_measured() -> Iterator[None]:
    """It takes a new process for each variant, seconds; `study/test_inference.py` does measure it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cropworth.study.inference.peak_memory", lambda *_: None)
        yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line."""
    return Run(capsys, monkeypatch)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A folder with `plan.yaml` and its images."""
    write_images(tmp_path / "images")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(tiny_values(), sort_keys=False))
    return tmp_path


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study, finished in `study`, beside its plan and images; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    write_images(folder / "images")
    (folder / "plan.yaml").write_text(yaml.safe_dump(tiny_values(), sort_keys=False))
    run_study(prepare(load_plan(folder / "plan.yaml")), folder / "study", jobs=1)
    return folder


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A copy of the finished tiny study's folder, to be broken at will."""
    return Path(shutil.copytree(finished_once / "study", tmp_path / "study"))
