import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

triton = pytest.importorskip("triton")
if os.environ.get("TRITON_INTERPRET") == "1":
    pytest.skip("Triton's compiler is switched off", allow_module_level=True)

from triton.backends.compiler import GPUTarget  # noqa: E402
from triton.compiler import ASTSource  # noqa: E402

from cropworth.crops.kernels import cuda  # noqa: E402
from cropworth.crops.sampling import PADDINGS  # noqa: E402
from kernel_cases import Case, draw_case  # noqa: E402


def test_the_kernels_are_right_in_tritons_interpreter() -> None:
    """In a process of its own: the switch is read when a kernel is defined, and holds for all of them."""
    here = Path(__file__)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(here.with_name("interpreted.py"))]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, env=kept | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d{2} passed", done.stdout)


@pytest.mark.parametrize("kernel", ["crop_kernel", "to_input_kernel", "to_theta_kernel"])
@pytest.mark.parametrize(
    ("pixels", "dims", "padding", "antialias"),
    [
        ("fp32", 2, "zeros", False),
        ("bf16", 2, "border", True),
        ("fp64", 2, "reflection", True),
        ("fp16", 1, "zeros", True),
    ],
)
def test_the_kernels_compile_for_a_gpu(
    kernel: str,
    pixels: str,
    dims: int,
    padding: str,
    antialias: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No GPU is needed for that, but the one that is compiled for is an H100."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    function = getattr(cuda, kernel)
    like = torch.empty(1, 3, 8, 8, dtype=torch.float64 if pixels == "fp64" else torch.float32)
    constants = cuda._options(like, dims, padding, antialias, together=True)
    options = {"enable_fp_fusion": constants.pop("enable_fp_fusion")}
    pointers = dict.fromkeys(("input", "grad", "output"), f"*{pixels}") | {"poses": "*fp32"}
    signature = {name: "constexpr" if name in constants else pointers.get(name, "i32") for name in function.arg_names}
    compiled = triton.compile(
        ASTSource(function, signature, constexprs=constants), target=GPUTarget("cuda", 90, 32), options=options
    )
    assert f".entry {kernel}" in compiled.asm["ptx"]
    assert "atom" not in compiled.asm["ptx"]  # sums of atomics have other bits in every run


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_the_kernels_are_right_on_a_gpu_and_the_same_in_every_run(
    padding: str, antialias: bool, turned: bool, dtype: torch.dtype
) -> None:
    drawn = draw_case(
        0, batch=3, crops=2, channels=5, shape=(40, 50), size=(11, 12), turned=turned, padding=padding,
        antialias=antialias, dtype=dtype,
    )  # fmt: skip
    case = Case(drawn.input.cuda(), drawn.poses.cuda(), drawn.grad.cuda(), padding, antialias)
    case.check(cuda)
    for first, second in zip(case.run(cuda), case.run(cuda), strict=True):
        assert torch.equal(first, second)
