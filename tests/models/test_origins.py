"""Classifiers of other packages: built as they build them, and never downloaded."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import save_file

from cropworth.errors import CropworthError
from cropworth.models.build import build_backbone
from cropworth.models.weights import load_weights

TINY_VIT = {
    "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    """A folder with a configuration and weights, as transformers saves them."""
    torch.manual_seed(0)
    network = transformers.ViTForImageClassification(transformers.ViTConfig(**TINY_VIT, num_labels=4))
    network.save_pretrained(tmp_path / "vit")
    return tmp_path / "vit"


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet.r160_in1k", "test_convnext"])
def test_timm(name: str, channels: int) -> None:
    network = build_backbone(f"timm:{name}", channels, 5, {})
    assert network(torch.rand(2, channels, 64, 64)).shape == (2, 5)


@pytest.mark.usefixtures("no_network")
def test_timm_takes_its_own_arguments() -> None:
    network = build_backbone("timm:test_vit", 3, 5, {"img_size": 32})
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    with pytest.raises(CropworthError, match="arguments it takes"):
        build_backbone("timm:test_vit", 3, 5, {"img_sise": 32})


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("name", "message"),
    [("timm:resnet19", "Did you mean 'resnet"), ("timm:hf-hub:timm/resnet18", "a model of timm")],
)
def test_timm_knows_no_such_model_and_asks_no_hub(name: str, message: str) -> None:
    with pytest.raises(CropworthError, match=message):
        build_backbone(name, 3, 2, {})


@pytest.mark.parametrize("name", ["torchvision:resnet18", "timm:test_resnet", "transformers:vit"])
@pytest.mark.parametrize("argument", ["weights", "pretrained", "checkpoint_path", "trust_remote_code"])
def test_weights_are_files(name: str, argument: str) -> None:
    with pytest.raises(CropworthError, match=r"nothing is downloaded.*backbone.weights"):
        build_backbone(name, 3, 2, {argument: "DEFAULT"})


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("where", ["absolute", "beside the plan"])
def test_a_config_and_its_weights(vit: Path, where: str) -> None:
    name = f"transformers:{vit}" if where == "absolute" else "transformers:vit"
    network = build_backbone(name, 3, 4, {}, vit.parent).eval()
    own = transformers.ViTForImageClassification.from_pretrained(vit).eval()
    images = torch.rand(2, 3, 32, 32)
    assert network(images).shape == (2, 4)
    assert not torch.equal(network(images), own(images).logits)  # only the plan's `weights` loads them
    loaded = load_weights(network, vit / "model.safetensors")
    assert loaded.missing == loaded.unexpected == loaded.notes == ()
    assert torch.equal(network(images), own(images).logits)
    # Another size than the configuration's: as the model itself interpolates.
    larger = torch.rand(2, 3, 48, 40)
    assert torch.equal(network(larger), own(larger, interpolate_pos_encoding=True).logits)


def test_a_transformers_file_in_grey_with_a_new_head(vit: Path) -> None:
    network = build_backbone("transformers:vit", 1, 7, {}, vit.parent).eval()
    loaded = load_weights(network, vit / "model.safetensors")
    assert sorted(loaded.missing) == ["network.classifier.bias", "network.classifier.weight"]
    assert len(loaded.loaded) == len(network.state_dict()) - 2
    assert [note.partition(": ")[2] for note in loaded.notes] == [
        "the head classifier is new, since the file has 4 classes",
        "the first convolution vit.embeddings.patch_embeddings.projection, of 3 channels in the file, takes their sum",
    ]
    own = transformers.ViTModel.from_pretrained(vit, add_pooling_layer=False).eval()
    grey = torch.rand(2, 1, 32, 32)
    states = network.network.vit(grey).last_hidden_state  # type: ignore[union-attr,operator]
    torch.testing.assert_close(states, own(grey.expand(-1, 3, -1, -1)).last_hidden_state)


def test_weights_of_another_transformer(vit: Path) -> None:
    network = build_backbone("transformers:vit", 3, 4, {"hidden_size": 16}, vit.parent)
    with pytest.raises(
        CropworthError, match=r"fit 2 of the model's 24 tensors.*\(1, 1, 16\) in the model and \(1, 1, 8\)"
    ):
        load_weights(network, vit / "model.safetensors")


def test_a_config_for_other_channels_and_arguments(vit: Path) -> None:
    network = build_backbone("transformers:vit", 1, 7, {"num_hidden_layers": 3}, vit.parent)
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 7)
    assert network.network.config.num_hidden_layers == 3  # type: ignore[union-attr]
    with pytest.raises(CropworthError, match="ViTConfig has no hidden_sise"):
        build_backbone("transformers:vit", 1, 7, {"hidden_sise": 3}, vit.parent)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, "config.json"),
        ({"model_type": "no-such-model"}, "no-such-model"),
        ({}, "config.json"),
        ([], "config.json"),
    ],
)
def test_a_config_of_something_else(tmp_path: Path, config: Any, message: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CropworthError, match=message):
        build_backbone(f"transformers:{tmp_path}", 3, 2, {})


def test_no_config(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CropworthError, match="without a config"):
        build_backbone(f"transformers:{tmp_path}", 3, 2, {})
    with pytest.raises(CropworthError, match="without a config"):
        build_backbone("transformers:google/vit-base-patch16-224", 3, 2, {}, tmp_path)


def test_a_folders_code_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Mine: pass\n")
    auto = {"AutoConfig": "mine.Mine", "AutoModelForImageClassification": "mine.Mine"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mine", "auto_map": auto}))
    with pytest.raises(CropworthError, match="transformers itself holds"):
        build_backbone(f"transformers:{tmp_path}", 3, 2, {})
    assert not (tmp_path / "ran").exists()


def test_half_precision_of_a_config_is_not_taken_over(vit: Path) -> None:
    config = json.loads((vit / "config.json").read_text())
    (vit / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    network = build_backbone(f"transformers:{vit}", 3, 4, {})
    assert {p.dtype for p in network.parameters()} == {torch.float32}


@pytest.mark.parametrize(("origin", "extra"), [("timm:resnet18", "timm"), ("transformers:folder", "transformers")])
def test_what_to_install(monkeypatch: pytest.MonkeyPatch, origin: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(CropworthError, match=rf"pip install 'cropworth\[{extra}\]'"):
        build_backbone(origin, 3, 2, {})


def test_weights_of_the_same_file_under_another_prefix(vit: Path, tmp_path: Path) -> None:
    network = build_backbone("transformers:vit", 3, 4, {}, vit.parent)
    save_file({f"module.{k}": v for k, v in network.state_dict().items()}, tmp_path / "w.safetensors")
    twin = build_backbone("transformers:vit", 3, 4, {}, vit.parent)
    load_weights(twin, tmp_path / "w.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), twin.parameters(), strict=True))
