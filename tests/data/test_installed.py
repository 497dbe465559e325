import subprocess
import sys
from pathlib import Path

import pytest

from cropworth.data.installed import imported, shipped
from cropworth.errors import CropworthError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package that ships a file and cannot be imported."""
    folder = tmp_path / "unimportable_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('something that it needs is missing')")
    (folder / "data.csv").write_text("a,b")
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_a_file_is_found_and_its_package_is_not_run(package: str) -> None:
    assert shipped(package, "data.csv", "pip install it").read_text() == "a,b"
    assert package not in sys.modules


def test_what_is_not_there_is_said_with_the_command_that_brings_it(package: str) -> None:
    with pytest.raises(CropworthError, match=r"no .*other\.csv; .*Run `pip install it`"):
        shipped(package, "other.csv", "pip install it")
    with pytest.raises(CropworthError, match=r"no package not_installed_at_all; .*Run `pip install it`"):
        shipped("not_installed_at_all", "data.csv", "pip install it")
    with pytest.raises(CropworthError, match=r"something that it needs is missing.*Run `pip install it`"):
        imported(package, "pip install it")


def test_reading_tasks_imports_no_package_of_data() -> None:
    code = (
        "import sys, cropworth.data.build; print(sorted({'aeon', 'seglearn', 'pandas', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
