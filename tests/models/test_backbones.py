from pathlib import Path

import pytest
import torch
from torch import nn

from cropworth.errors import CropworthError
from cropworth.models.build import build_backbone


@pytest.mark.parametrize("pool", ["grid", "max"])
@pytest.mark.parametrize("size", [(28, 28), (64, 64), (17, 90)])
def test_the_small_backbone_takes_any_size(size: tuple[int, int], pool: str) -> None:
    network = build_backbone("small", 2, 5, {"pool": pool, "width": 4})
    assert network(torch.rand(3, 2, *size)).shape == (3, 5)


def test_max_pooling_does_not_care_where() -> None:
    network = build_backbone("small", 1, 3, {"pool": "max", "width": 4}).eval()
    image = torch.zeros(1, 1, 64, 64)
    image[..., 16:24, 16:24] = torch.rand(8, 8)
    torch.testing.assert_close(network(image), network(image.roll((8, 16), dims=(2, 3))))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["torchvision:resnet18", "torchvision:mobilenet_v3_small"])
def test_torchvision(name: str, channels: int) -> None:
    network = build_backbone(name, channels, 4, {})
    assert network(torch.rand(2, channels, 64, 64)).shape == (2, 4)


def test_your_own(tmp_path: Path) -> None:
    (tmp_path / "my_backbone.py").write_text(
        "from torch import nn\n"
        "def make(channels, classes, hidden=3):\n"
        "    layers = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, hidden), nn.Linear(hidden, classes)\n"
        "    return nn.Sequential(*layers)\n"
        "def number(channels, classes):\n"
        "    return 3\n"
    )
    network = build_backbone("my_backbone:make", 3, 7, {"hidden": 5}, tmp_path)
    assert isinstance(network, nn.Sequential)
    assert network(torch.rand(2, 3, 9, 9)).shape == (2, 7)
    with pytest.raises(CropworthError, match="int from the backbone"):
        build_backbone("my_backbone:number", 3, 7, {}, tmp_path)
    with pytest.raises(CropworthError, match="arguments it takes"):
        build_backbone("my_backbone:make", 3, 7, {"hiden": 5}, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smal", "Did you mean 'small'"),
        ("torchvision:resnet19", "Did you mean 'resnet18'|Did you mean 'resnet1"),
        ("no_such_module:make", "No module named"),
        ("math:make", "no attribute"),
    ],
)
def test_a_backbone_that_does_not_exist(name: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        build_backbone(name, 3, 2, {})


def test_a_bad_argument_of_the_small_backbone() -> None:
    with pytest.raises(CropworthError, match="pool = 'mean'"):
        build_backbone("small", 1, 2, {"pool": "mean"})
