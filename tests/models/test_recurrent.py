"""The recurrent classifier: pools by hand, and padding that decides nothing."""

import math

import pytest
import torch
from torch import nn

from cropworth.errors import CropworthError
from cropworth.models.build import build_backbone
from cropworth.models.recurrent import POOLS, ReadOut, RecurrentNet

LENGTHS = torch.tensor([4, 1, 3])


@pytest.mark.parametrize("pool", POOLS)
def test_the_pools_by_hand(pool: str) -> None:
    torch.manual_seed(0)
    states, read_out = torch.randn(3, 4, 6), ReadOut(6, 2, pool)
    for item, length in enumerate(LENGTHS.tolist()):
        own = states[item, :length]
        if pool == "max":
            pooled = own.max(0).values
        elif pool == "mean":
            pooled = own.mean(0)
        elif pool == "last":
            pooled = torch.cat([own[-1, :3], own[0, 3:]])
        else:
            assert read_out.score is not None
            scores = [math.exp(read_out.score(step).item()) for step in own]
            pooled = sum(score / sum(scores) * step for score, step in zip(scores, own, strict=True))  # type: ignore[assignment]
        torch.testing.assert_close(read_out(states, LENGTHS)[item], read_out.head(pooled))


@pytest.mark.parametrize("encoder", ["gru", "lstm", "convolutions"])
@pytest.mark.parametrize("pool", POOLS)
def test_more_padding_changes_nothing(encoder: str, pool: str) -> None:
    torch.manual_seed(0)
    network = RecurrentNet(2, 3, 8, encoder, pool).eval()  # type: ignore[arg-type]
    series = torch.randn(3, 4, 2)
    answer = network(series, LENGTHS)
    for item, length in enumerate(LENGTHS):
        series[item, length:] = math.nan
    longer = torch.cat([series, torch.full((3, 5, 2), math.nan)], dim=1)
    torch.testing.assert_close(network(longer, LENGTHS), answer)
    alone = torch.cat([network(series[item : item + 1, :length]) for item, length in enumerate(LENGTHS.tolist())])
    torch.testing.assert_close(alone, answer)


def test_the_gru_is_torchs_own() -> None:
    network = RecurrentNet(2, 3, 8, "gru")
    assert isinstance(network.encoder, nn.GRU)
    series = torch.randn(2, 5, 2)
    torch.testing.assert_close(network(series), network.read_out.head(network.encoder(series)[0].mean(1)))


def test_it_is_built_by_name_and_refuses_what_it_does_not_know() -> None:
    assert isinstance(build_backbone("recurrent", 2, 3, {"pool": "max"}), RecurrentNet)
    with pytest.raises(CropworthError, match="pool = 'median'"):
        RecurrentNet(2, 3, pool="median")  # type: ignore[arg-type]
    with pytest.raises(CropworthError, match="encoder = 'rnn'"):
        RecurrentNet(2, 3, encoder="rnn")  # type: ignore[arg-type]
