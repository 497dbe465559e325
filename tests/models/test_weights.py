"""Weights from files: what fits is loaded to the bit, what does not is said, and nothing in a file is ever run."""

import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from cropworth.errors import CropworthError
from cropworth.models.build import build_backbone
from cropworth.models.normalise import IMAGENET, Normalise
from cropworth.models.weights import freeze, load_weights, read_weights

SAVED = ["weights.pt", "weights.pth", "weights.safetensors", "legacy.pt"]


class Runs:
    """Its pickle makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return open, (str(self.path), "w")


def small(channels: int = 3, classes: int = 4, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_backbone("small", channels, classes, {"width": 2})


def save(tensors: dict[str, Tensor], path: Path) -> Path:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=path.stem != "legacy")
    return path


def named(network: nn.Module) -> dict[str, Tensor]:
    return dict(network.state_dict())


@pytest.mark.parametrize("name", SAVED)
def test_the_models_own_weights(tmp_path: Path, name: str) -> None:
    source, network, images = small(), small(seed=1), torch.rand(2, 3, 16, 16)
    loaded = load_weights(network, save(named(source), tmp_path / name))
    assert torch.equal(network.eval()(images), source.eval()(images))
    assert set(loaded.loaded) == set(named(network))
    assert loaded.missing == loaded.unexpected == loaded.notes == ()


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", None])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module.", "model."])
def test_checkpoints_and_prefixes(tmp_path: Path, key: str | None, prefix: str) -> None:
    source, network = small(), small(seed=1)
    tensors = {prefix + name: tensor for name, tensor in named(source).items()}
    found = tensors if key is None else {key: tensors, "epoch": 3, "optimizer": {"lr": 0.1}}
    torch.save(found, tmp_path / "last.ckpt")
    load_weights(network, tmp_path / "last.ckpt")
    assert all(torch.equal(a, b) for a, b in zip(named(network).values(), named(source).values(), strict=True))


def test_torchvisions_resnet_in_grey_with_a_new_head(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = torchvision.models.resnet18(num_classes=10).eval()
    network = build_backbone("torchvision:resnet18", 1, 4, {}).eval()
    head = network.fc.weight.clone()  # type: ignore[union-attr,operator]
    loaded = load_weights(network, save(named(source), tmp_path / "r.pt"))
    assert loaded.missing == ("fc.weight", "fc.bias")
    assert loaded.notes == (
        "r.pt: the head fc is new, since the file has 10 classes",
        "r.pt: the first convolution conv1, of 3 channels in the file, takes their sum",
    )
    assert torch.equal(network.fc.weight, head)  # type: ignore[union-attr,arg-type]
    # A grey image gets the features that it had as three equal channels.
    grey = torch.rand(2, 1, 64, 64)
    source.fc, network.fc = nn.Identity(), nn.Identity()
    torch.testing.assert_close(network(grey), source(grey.expand(-1, 3, -1, -1)))


def test_a_first_convolution_of_other_channels_is_new(tmp_path: Path) -> None:
    network = small(channels=5, seed=1)
    first = next(network.parameters()).clone()
    loaded = load_weights(network, save(named(small()), tmp_path / "w.pt"))
    assert torch.equal(next(network.parameters()), first)
    assert "of 3 channels in the file, is new for 5" in loaded.notes[0]
    name = next(iter(dict(network.named_parameters())))
    assert name in loaded.missing


def test_a_file_without_a_head_and_with_more(tmp_path: Path) -> None:
    source = torchvision.models.resnet18(num_classes=10)
    tensors = {name: tensor for name, tensor in named(source).items() if not name.startswith("fc.")}
    loaded = load_weights(
        build_backbone("torchvision:resnet18", 3, 10, {}),
        save(tensors | {"teacher.weight": torch.ones(2)}, tmp_path / "w.pt"),
    )
    assert loaded.missing == ("fc.weight", "fc.bias")
    assert loaded.unexpected == ("teacher.weight",)
    assert loaded.notes == (
        "w.pt: the head fc is new, since the file has none",
        "w.pt: 1 of its tensors have no place in the model: teacher.weight",
    )


@pytest.mark.parametrize("other", ["wider", "other names", "one missing"])
def test_weights_of_another_model(tmp_path: Path, other: str) -> None:
    network = small(seed=1)
    before = {name: tensor.clone() for name, tensor in named(network).items()}
    if other == "wider":
        tensors = named(build_backbone("small", 3, 4, {"width": 3}))
    elif other == "other names":
        tensors = {f"x{name}": tensor for name, tensor in named(small()).items()}
    else:
        tensors = named(small())
        del tensors["layers.0.weight" if "layers.0.weight" in tensors else next(iter(tensors))]
    with pytest.raises(CropworthError) as caught:
        load_weights(network, save(tensors, tmp_path / "other.pt"))
    of = sum(not name.endswith("num_batches_tracked") or name in tensors for name in before)
    assert f"other.pt, which fit {of - 1 if other == 'one missing' else ''}" in str(caught.value)
    assert f"of the model's {of} tensors; not " in str(caught.value)
    said = "in the model and" if other == "wider" else "which the file does not have"
    assert said in str(caught.value)
    assert "the backbone and arguments that the file was saved from" in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in named(network).items())  # nothing half-loaded


def test_a_lazy_layer_has_no_shape_to_compare(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.LazyLinear(3), nn.Linear(3, 2))
    file = save({"1.weight": torch.ones(3, 5), "1.bias": torch.ones(3)}, tmp_path / "w.pt")
    with pytest.raises(CropworthError, match=r"1\.weight, of no shape yet in the model and \(3, 5\) in the file"):
        load_weights(network, file)


@pytest.mark.parametrize("kind", ["torch", "plain", "model"])
def test_a_pickle_of_something_else_is_never_unpickled(tmp_path: Path, kind: str) -> None:
    mark, file = tmp_path / "ran", tmp_path / "weights.pt"
    if kind == "torch":
        torch.save({"state_dict": {"a": torch.ones(2)}, "more": Runs(mark)}, file)
    elif kind == "plain":
        file.write_bytes(pickle.dumps(Runs(mark)))
    else:
        torch.save(small(), file)
    with pytest.raises(CropworthError, match=r"weights\.pt, which hold .*it has not been unpickled"):
        read_weights(file)
    assert not mark.exists()
    if kind == "plain":  # the file is indeed such a one
        pickle.loads(file.read_bytes()).close()
        assert mark.exists()


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_file(tmp_path: Path, name: str, share: float) -> None:
    file = save(named(small()), tmp_path / name)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CropworthError, match=rf"{name}.*({int(len(whole) * share):,} bytes|which hold)"):
        read_weights(file)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_any_bytes(tmp_path: Path, name: str) -> None:
    rng = random.Random(0)
    for size in (1, 8, 9, 100, 3000):
        (tmp_path / name).write_bytes(rng.randbytes(size))
        with pytest.raises(CropworthError):
            read_weights(tmp_path / name)


@pytest.mark.parametrize("found", [torch.ones(2), {"epoch": 1}, {"state_dict": {}}, [torch.ones(2)]])
def test_no_state_dict(tmp_path: Path, found: object) -> None:
    torch.save(found, tmp_path / "w.pt")
    with pytest.raises(CropworthError, match="and no tensors"):
        read_weights(tmp_path / "w.pt")


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pt"):
        with pytest.raises(CropworthError, match="which is no file"):
            read_weights(path)


def test_what_is_frozen_stays(tmp_path: Path) -> None:
    network = small(classes=2, seed=1)
    loaded = load_weights(network, save(named(small(classes=4)), tmp_path / "w.pt"))
    still = freeze(network, loaded)
    trains = [name for name, p in network.named_parameters() if p.requires_grad]
    assert sorted(trains) == sorted(loaded.missing)
    assert any(isinstance(part, nn.BatchNorm2d) for part in still)
    assert network not in still
    assert not any(part is m for part in still for m in network.modules() if isinstance(m, nn.Linear))


@pytest.mark.parametrize("channels", [1, 3])
def test_normalise_is_torchvisions(channels: int) -> None:
    mean, deviation = (IMAGENET[0][:channels], IMAGENET[1][:channels])
    images = torch.rand(2, channels, 5, 6)
    ours = Normalise(mean, deviation, channels)
    expected = torchvision.transforms.v2.functional.normalize(images, list(mean), list(deviation))
    torch.testing.assert_close(ours(images), expected)
    assert not ours.state_dict()
    torch.testing.assert_close(Normalise((0.5,), (0.25,), channels)(images), images * 4 - 2)


def test_normalise_for_other_channels() -> None:
    with pytest.raises(CropworthError, match="3 means and 3 deviations for 1 channels"):
        Normalise(*IMAGENET, 1)
