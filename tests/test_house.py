"""The street: a room imports only rooms with a smaller number, read from the code's own imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cropworth

SOURCE = Path(cropworth.__file__).parent
FOUNDATION = {"errors", "config", "functions", "padded"}
STREET = [
    "crops",
    "data",
    "models",
    "measure",
    "study",
    "worth",
    "until_clear",
    "report",
    "deploy",
    "serve",
    "terminal",
    "arguments",
    "cli",
]
# Rooms that do not import each other although one has the smaller number.
STRANGERS = [{"crops", "data", "models", "measure"}, {"deploy", "worth"}, {"deploy", "report"}, {"deploy", "serve"}]
NO_TORCH = ["worth", "report", "serve"]


def files() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever the import stands; relative imports are not allowed."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("cropworth.")}


def broken_arrows(here: str, imported: set[str]) -> set[str]:
    """Which of the imported rooms the room `here` may not import."""
    rooms = imported & set(STREET) - {here}
    if here in FOUNDATION or here == "__init__":
        return set()
    later = {other for other in rooms if STREET.index(other) > STREET.index(here)}
    return later | {other for other in rooms if any({here, other} <= group for group in STRANGERS)}


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_rooms_import_only_up_the_street(path: Path) -> None:
    assert not broken_arrows(room(path), rooms_imported(path))


def test_every_file_is_in_a_known_room() -> None:
    assert {room(path) for path in files()} <= {*STREET, *FOUNDATION, "__init__"}


def test_the_foundation_imports_no_room() -> None:
    for name in FOUNDATION:
        assert rooms_imported(SOURCE / f"{name}.py") <= FOUNDATION


def test_the_rule_sees_a_wrong_arrow() -> None:
    assert broken_arrows("crops", {"study"}) == {"study"}
    assert broken_arrows("models", {"crops"}) == {"crops"}
    assert broken_arrows("deploy", {"worth", "study"}) == {"worth"}
    assert broken_arrows("study", {"crops", "data", "errors"}) == set()


@pytest.mark.parametrize("name", NO_TORCH)
def test_these_rooms_never_name_torch(name: str) -> None:
    named = {module.split(".")[0] for path in (SOURCE / name).rglob("*.py") for module in imports(path)}
    assert not named & {"torch", "torchvision"}


@pytest.mark.parametrize(
    "module",
    [
        "cropworth",
        "cropworth.cli",
        "cropworth.data.splits",
        "cropworth.worth.appraisal",
        "cropworth.worth.predictions",
        "cropworth.report.html",
        "cropworth.serve.app",
        "cropworth.study.ledger",
        "cropworth.study.plan",
    ],
)
def test_these_modules_load_without_torch(module: str) -> None:
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_study_loads_torchvision_only_where_it_must() -> None:
    code = "import sys, cropworth.study.run; print('torchvision' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_public_names() -> None:
    assert cropworth.__all__ == [
        "Affine",
        "AttentionPool",
        "Cascade",
        "CropHealth",
        "Cropper",
        "CropworthError",
        "GlanceAndCrop",
        "HeatmapLocalizer",
        "MultiCrop",
        "Projective",
        "ProposalGuidedTransformer",
        "ProposalNetwork",
        "Pyramid",
        "RegressionLocalizer",
        "SequenceTransformer",
        "Similarity",
        "SpatialTransformer",
        "TemporalTransformer",
        "ThinPlateSpline",
        "Transform",
        "UnboundedAffine",
        "Warp",
        "Zoom",
        "appraise",
        "attach",
        "auxiliary_crops",
        "box_iou",
        "boxes_to_theta",
        "calibrate",
        "centre_error",
        "compose",
        "consistency",
        "crop_health",
        "invert",
        "jitter",
        "load",
        "localisation_iou",
        "map_boxes",
        "map_points",
        "marginal_loss",
        "on_each",
        "out_of_frame",
        "overlap",
        "parameter_groups",
        "read_economics",
        "read_predictions",
        "refine_theta",
        "sample",
        "scale_prior",
        "set_reach",
        "stage_loss",
        "temporal_smoothness",
        "theta_to_boxes",
        "unmap_boxes",
        "unmap_points",
    ]
    for name in cropworth.__all__:
        assert getattr(cropworth, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Zom'"):
        cropworth.Zom  # noqa: B018
