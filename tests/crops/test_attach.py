"""A crop in front of models that nobody wrote for it, and out again."""

import copy
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
import torchvision
import transformers
from torch import Tensor, nn

from cropworth.crops.attach import attach
from cropworth.crops.localizers import HeatmapLocalizer, RegressionLocalizer
from cropworth.crops.sequence import TemporalTransformer
from cropworth.crops.spatial import MultiCrop, Reader, SpatialTransformer
from cropworth.crops.training import parameter_groups
from cropworth.crops.transforms import Affine, Zoom
from cropworth.errors import CropworthError


class Named(nn.Module):
    """Takes its images by name too."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(12, 2)

    def forward(self, images: Tensor, scale: float = 1.0) -> Tensor:
        logits: Tensor = self.head(self.body(images)) * scale
        return logits


def crop(channels: int = 1, size: int = 10) -> SpatialTransformer:
    torch.manual_seed(0)
    localizer = HeatmapLocalizer(channels, 3, width=4)
    return SpatialTransformer(localizer, Zoom((0.5, 0.5, 0.6, 0.6)), (size, size), look_size=(16, 16))


def resnet() -> nn.Module:
    torch.manual_seed(1)
    return torchvision.models.resnet18(num_classes=3)


def vit() -> nn.Module:
    torch.manual_seed(1)
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=16, patch_size=8
    )
    return transformers.ViTForImageClassification(config)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("model", [Named(), Named().body, nn.Conv2d(1, 2, 3)], ids=["module", "sequential", "layer"])
def test_in_front_it_is_the_crop_and_then_the_model(model: nn.Module, training: bool) -> None:
    model, transformer, images = copy.deepcopy(model).train(training), crop().train(training), torch.rand(2, 1, 24, 24)
    alone, kept = model(images), copy.deepcopy(model.state_dict())
    expected = model(transformer(images))
    with attach(model, transformer) as attached:
        assert attached.transformer is transformer
        assert torch.equal(model(images), expected)
        assert not torch.equal(expected, alone) or expected.shape != alone.shape
    assert torch.equal(model(images), alone)
    assert model.state_dict().keys() == kept.keys()
    assert not model._forward_pre_hooks


def test_other_inputs_are_left_alone() -> None:
    model, transformer, images = Named(), crop(), torch.rand(2, 1, 24, 24)
    expected = model(transformer(images), 3.0)
    attach(model, transformer)
    assert torch.equal(model(images, 3.0), expected)
    assert torch.equal(model(images, scale=3.0), expected)


@pytest.mark.parametrize("at", ["layer3", "layer3.0.conv1", "maxpool"])
def test_a_feature_map_of_a_resnet(at: str) -> None:
    model, images = resnet().eval(), torch.rand(2, 3, 64, 64)
    inputs: list[Tensor] = []
    hook = model.get_submodule(at).register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    alone = model(images)
    transformer = crop(inputs[0].shape[1], inputs[0].shape[2]).eval()
    attached = attach(model, transformer, at=at)
    cropped = model(images)
    assert torch.equal(inputs[0], inputs[1])  # hooks that were there see the layer's input as before
    assert not torch.equal(cropped, alone)
    hook.remove()
    copied = nn.Sequential(transformer, model.get_submodule(at))
    attached.remove()
    parent, _, name = at.rpartition(".")
    by_hand = copy.deepcopy(model)
    setattr(by_hand.get_submodule(parent), name, copied)
    assert torch.equal(by_hand(images), cropped)
    assert torch.equal(model(images), alone)
    attached.remove()  # a second time does nothing
    assert torch.equal(model(images), alone)


@pytest.mark.parametrize("at", [None, "stages.1"])
def test_a_timm_model(at: str | None) -> None:
    torch.manual_seed(1)
    model = timm.create_model("test_convnext", pretrained=False, num_classes=3).eval()
    images = torch.rand(2, 3, 64, 64)
    channels = 3 if at is None else model.feature_info[0]["num_chs"]
    alone = model(images)
    with attach(model, crop(channels, 32), at=at):
        cropped = model(images)
        assert cropped.shape == (2, 3)
        assert not torch.equal(cropped, alone)
    assert torch.equal(model(images), alone)


def test_a_vision_transformer_in_front() -> None:
    model, transformer, images = vit().eval(), crop(3, 16).eval(), torch.rand(2, 3, 40, 40)
    expected = model(transformer(images)).logits
    attach(model, transformer)
    assert torch.equal(model(images).logits, expected)
    with pytest.raises(CropworthError, match="nothing as positional input of ViTForImageClassification"):
        model(pixel_values=images)


@pytest.mark.parametrize("at", [None, "body.2"])
def test_theta_gets_its_gradient_from_the_models_loss(at: str | None) -> None:
    torch.manual_seed(0)
    model = Named().double()
    channels = 1 if at is None else 3
    localizer = RegressionLocalizer(channels, (20, 20), 6).double()
    transformer = SpatialTransformer(localizer, Affine((0.45, 0.55, 0.6, 0.5)), (7, 7), look_size=(20, 20)).double()
    attach(model, transformer, at=at)
    images = torch.rand(2, 1, 13, 13, dtype=torch.float64)
    last = [p for p in localizer.parameters() if p.requires_grad][-1]

    def answer(raw: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(model, {name: raw}, (images,))
        return found

    (name,) = [name for name, p in model.named_parameters() if p is last]
    assert name.endswith("cropworth.transformer.localizer." + name.rpartition("localizer.")[2])
    torch.autograd.gradcheck(answer, (last.detach().clone() + 0.03).requires_grad_())
    model(images).sum().backward()
    assert last.grad is not None
    assert last.grad.abs().sum() > 0


def test_it_belongs_to_the_model() -> None:
    model, transformer = Named(), crop()
    model.eval()
    before = {id(p) for p in model.parameters()}
    attach(model, transformer, at="body")
    assert not transformer.training
    assert {id(p) for p in model.parameters()} == before | {id(p) for p in transformer.parameters()}
    assert sum(isinstance(module, Reader) for module in model.modules()) == 1
    groups = parameter_groups(model, 0.1, 0.5)
    assert {id(p) for p in groups[1]["params"]} == {id(p) for p in transformer.localizer.parameters()}
    model.train().double()
    assert transformer.training
    assert {p.dtype for p in transformer.parameters()} == {torch.float64}


@pytest.fixture
def fresh_graphs() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def test_its_weights_are_saved_and_loaded(tmp_path: Path) -> None:
    model, images = Named().eval(), torch.rand(2, 1, 24, 24)
    attach(model, crop())
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other, different = Named().eval(), crop()
    nn.init.normal_(different.localizer.heatmap.weight)  # type: ignore[union-attr,arg-type]
    attach(other, different)
    assert not torch.equal(other(images), model(images))
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(images), model(images))


def test_a_copy_has_a_crop_of_its_own() -> None:
    model, images = Named().eval(), torch.rand(2, 1, 24, 24)
    attached = attach(model, crop())
    expected = model(images)
    stream = io.BytesIO()
    torch.save(model, stream)
    stream.seek(0)
    for twin in (copy.deepcopy(model), torch.load(stream, weights_only=False)):
        assert torch.equal(twin(images), expected)
        assert not {id(p) for p in twin.parameters()} & {id(p) for p in model.parameters()}
        with torch.no_grad():
            for parameter in twin.cropworth.parameters():
                parameter.add_(0.3)
        assert not torch.equal(twin(images), expected)
        assert torch.equal(model(images), expected)
    twin = copy.deepcopy(model)
    attached.remove()
    assert torch.equal(twin(images), expected)


def test_a_sequence() -> None:
    torch.manual_seed(0)
    model, series = nn.Sequential(nn.Flatten(), nn.Linear(20, 2)), torch.rand(3, 17, 4)
    transformer = TemporalTransformer(HeatmapLocalizer(4, 2, dims=1), Zoom((0.5, 0.5), dims=1), 5, look_size=16)
    expected = model(transformer(series))
    attach(model, transformer)
    assert torch.equal(model(series), expected)
    with pytest.raises(CropworthError, match=r"got \(3, 4\) as positional input of Sequential.*\(B, T, F\)"):
        model(torch.rand(3, 4))
    with pytest.raises(CropworthError, match=r"\(3, 17, 4\), \(3,\).*nothing beside it"):
        model(series, torch.tensor([4, 5, 6]))


@pytest.mark.usefixtures("fresh_graphs")
@pytest.mark.parametrize("at", [None, "body.2"])
def test_compiled_without_a_break_in_the_graph(at: str | None) -> None:
    model, images = Named(), torch.rand(2, 1, 24, 24)
    attach(model, crop(1 if at is None else 3), at=at)
    # Torch runs the hooks of the compiled module itself outside the graph, so the call is compiled.
    compiled = torch.compile(lambda given: model(given), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(images), model(images))


@pytest.mark.parametrize("at", [None, "body.2"])
def test_exported(at: str | None) -> None:
    model, images = Named().eval(), torch.rand(2, 1, 24, 24)
    attach(model, crop(1 if at is None else 3).eval(), at=at)
    program = torch.export.export(model, (images,))
    torch.testing.assert_close(program.module()(images), model(images))


def test_what_cannot_be_attached() -> None:
    model = resnet()
    with pytest.raises(CropworthError, match=r"'layer33', which a ResNet does not have.*Did you mean 'layer3'"):
        attach(model, crop(), at="layer33")
    with pytest.raises(CropworthError, match="Did you mean 'conv1' or 'bn1'"):
        attach(model, crop(), at="q")
    with pytest.raises(CropworthError, match="a Linear; expected a crop that gives one view"):
        attach(model, nn.Linear(2, 2))  # type: ignore[arg-type]
    several = MultiCrop(HeatmapLocalizer(3, 6, width=4), [Zoom(), Zoom()], (8, 8), look_size=(16, 16))
    with pytest.raises(CropworthError, match="a MultiCrop"):
        attach(model, several)
    attach(model, crop(64, 8), at="layer1")
    with pytest.raises(CropworthError, match="a second crop in front of layer1"):
        attach(model, crop(64, 8), at="layer1")
    attach(model, crop(512, 8), at="fc")
    with pytest.raises(CropworthError, match=r"got \(2, 512\) as positional input of fc.*\(B, C, H, W\)"):
        model(torch.rand(2, 3, 32, 32))
