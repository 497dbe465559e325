"""Weights from a local file: read without running what is in it, and loaded where they fit."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cropworth.errors import CropworthError
from cropworth.models.origins import LogitsOnly

# Where a checkpoint of a training run keeps the model's state_dict.
INSIDE = ("state_dict", "model", "model_state_dict")
NAMED = 5

Named = dict[str, Tensor]


@dataclass(frozen=True)
class Loaded:
    """What a file of weights gave a model.

    Attributes:
        loaded: the model's tensors that now have the file's values.
        missing: those that keep what they were initialised with: a new head, a first convolution of other channels.
        unexpected: the file's tensors that have no place in the model.
        notes: a sentence on each thing that is not as in the file.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    notes: tuple[str, ...]


def read_weights(path: Path) -> Named:
    """The named tensors of a ``.safetensors`` file, or of a state_dict that torch saved, on the processor.

    A state_dict may lie in a checkpoint, beside numbers and texts. Nothing that a file holds is ever run:
    one that holds more than that is refused, not unpickled.

    Raises:
        CropworthError: there is no such file, or it is damaged or something else.
    """
    if not path.is_file():
        raise CropworthError(f"the weights {path}, which is no file", "a local file of weights", "Check the path.")
    try:
        found = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise CropworthError(
            f"the weights {path}, which hold {named[1] if named else 'something else than tensors'}",
            "a state_dict; whatever else a pickle holds could run code, so it has not been unpickled",
            "Save the weights alone, `torch.save(model.state_dict(), path)`, or as .safetensors.",
        ) from None
    except Exception as error:  # of whatever bytes
        reason = f"{type(error).__name__}: {error}".strip(": ").partition(". ")[0]
        raise CropworthError(
            f"the weights {path} ({path.stat().st_size:,} bytes; {reason})",
            "a complete .safetensors file or state_dict",
            "Copy or save the file again.",
        ) from None
    return _state_dict(found, path)


def load_weights(network: nn.Module, path: Path) -> Loaded:
    """Load a file of weights into a model, all of it but for what has to be new.

    New is the head (the last linear layer or convolution) where the file has none, or one of another number of classes;
    and the first convolution where it takes other channels, unless it takes a single one: then it has the sum over the
    file's, which gives a grey image the answer that three equal channels had. Names may differ by what stands before
    all of them, such as ``module.``.

    Args:
        network: the model, with the wanted channels and classes.
        path: see `read_weights`.

    Raises:
        CropworthError: the file cannot be read, or is that of another model: it says what does not fit.
    """
    given = read_weights(path)
    if isinstance(network, LogitsOnly):
        given = network.renamed(given)
    own, given = _alike(network.state_dict(keep_vars=True), given)
    # Counters that no evaluation uses, and that files from before 2018 do not have.
    own = {name: tensor for name, tensor in own.items() if name in given or not name.endswith("num_batches_tracked")}
    new, notes = _made_anew(network, own, given, path.name)
    misfits = [
        _misfit(name, own[name], given) for name in own if name not in new and not _fits(own[name], given.get(name))
    ]
    if misfits:
        fit = len(own) - len(misfits) - len(new)
        raise CropworthError(
            f"the weights {path}, which fit {fit:,} of the model's {len(own):,} tensors; not {_few(misfits, '; ')}",
            "weights of this model; only the head, and the channels of the first convolution, may differ",
            "Name the file of this model, or the backbone and arguments that the file was saved from.",
        )
    unexpected = tuple(name for name in given if name not in own)
    if unexpected:
        notes.append(f"{path.name}: {len(unexpected):,} of its tensors have no place in the model: {_few(unexpected)}")
    fits = [name for name in own if name not in new]
    with torch.no_grad():
        for name in fits:
            own[name].copy_(given[name])
    whole = {id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()}
    loaded, missing = (tuple(whole[id(own[name])] for name in names) for names in (fits, new))
    return Loaded(loaded, missing, unexpected, tuple(notes))


def freeze(network: nn.Module, loaded: Loaded) -> tuple[nn.Module, ...]:
    """Let what was loaded train no more.

    Returns:
        The parts in which nothing trains, to be kept in eval mode: so the statistics of their batch normalisation stay,
        and they drop nothing out.
    """
    for name, parameter in network.named_parameters(remove_duplicate=False):
        if name in loaded.loaded:
            parameter.requires_grad_(False)
    return tuple(part for part in network.modules() if not any(p.requires_grad for p in part.parameters()))


def _unpickled(path: Path) -> object:
    with warnings.catch_warnings(action="ignore"):  # of unusual pickles; what is in them decides
        return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(found: object, path: Path) -> Named:
    for key in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    tensors = {str(k): v for k, v in found.items() if isinstance(v, Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        keys = f" with {_few([str(key) for key in found])}" if isinstance(found, Mapping) else ""
        raise CropworthError(
            f"the weights {path}: a {type(found).__name__}{keys} and no tensors",
            f"a state_dict, or a checkpoint that holds one as {', '.join(INSIDE)}",
            "Save the weights alone, `torch.save(model.state_dict(), path)`.",
        )
    return tensors


def _alike(own: Named, given: Named) -> tuple[Named, Named]:
    """Both without what stands before all names, module. or _orig_mod., where more names are then the same."""
    return max(product(_shorter(own), _shorter(given)), key=lambda pair: len(pair[0].keys() & pair[1].keys()))


def _shorter(tensors: Named) -> Iterator[Named]:
    yield tensors
    while len({name.partition(".")[0] for name in tensors}) == 1 and all("." in name for name in tensors):
        tensors = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}
        yield tensors


def _made_anew(network: nn.Module, own: Named, given: Named, file: str) -> tuple[list[str], list[str]]:
    """The tensors that the file need not give, and what to say of them; changes the first convolution's in `given`."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d)]
    names = {id(tensor): name for name, tensor in own.items()}
    new: list[str] = []
    notes: list[str] = []
    if layers:
        head = [names[id(tensor)] for tensor in layers[-1].parameters()]
        theirs = given.get(head[0])
        if theirs is None or _other_classes(own[head[0]], theirs):
            new += head
            why = "has none" if theirs is None else f"has {len(theirs):,} classes"
            notes.append(f"{file}: the head {_layer(head[0])} is new, since the file {why}")
    if len(layers) > 1:
        first = [names[id(tensor)] for tensor in layers[0].parameters()]
        ours, theirs = own[first[0]], given.get(first[0])
        if theirs is not None and _other_channels(ours, theirs):
            what = f"{file}: the first convolution {_layer(first[0])}, of {theirs.shape[1]} channels in the file,"
            notes.append(f"{what} takes their sum" if ours.shape[1] == 1 else f"{what} is new for {ours.shape[1]}")
            if ours.shape[1] == 1:
                given[first[0]] = theirs.sum(1, keepdim=True)
            else:
                new += first
    return new, notes


def _other_classes(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two heads' weights (classes, ...) differ in their classes alone."""
    return is_lazy(ours) or (ours.shape != theirs.shape and ours.shape[1:] == theirs.shape[1:])


def _other_channels(ours: Tensor, theirs: Tensor) -> bool:
    """Whether two convolutions' weights (O, C, h, w) differ in C alone."""
    if is_lazy(ours) or not ours.ndim == theirs.ndim == 4:
        return False
    return ours.shape[1] != theirs.shape[1] and ours[:, :1].shape == theirs[:, :1].shape


def _fits(ours: Tensor, theirs: Tensor | None) -> bool:
    return theirs is not None and not is_lazy(ours) and ours.shape == theirs.shape


def _misfit(name: str, ours: Tensor, given: Named) -> str:
    if name not in given:
        return f"{name}, which the file does not have"
    shape = "of no shape yet" if is_lazy(ours) else str(tuple(ours.shape))
    return f"{name}, {shape} in the model and {tuple(given[name].shape)} in the file"


def _layer(name: str) -> str:
    return name.rpartition(".")[0] or name


def _few(names: list[str] | tuple[str, ...], separator: str = ", ") -> str:
    more = len(names) - NAMED
    return separator.join(names[:NAMED]) + (f"{separator}and {more:,} more" if more > 0 else "")
