"""The stand-ins for flash_attn, against an explicit softmax and an explicit rotation of planes."""

import importlib
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from infodis_stats.models.huggingface.compatibility import compatible
from tests.support.tiny_networks import angles, rotated

transformers = pytest.importorskip("transformers")

BATCH, LENGTH, HEADS, WIDTH = 2, 5, 3, 4


@pytest.fixture
def flash() -> Any:
    with compatible(transformers):
        yield importlib.import_module("flash_attn")


@pytest.fixture
def packed() -> Tensor:
    return torch.randn(BATCH, LENGTH, 3, HEADS, WIDTH, generator=torch.Generator().manual_seed(1))


def slow_attention(
    query: Tensor, key: Tensor, value: Tensor, *, scale: float | None = None, causal: bool = False
) -> Tensor:
    """Attention of one row, each (length, heads, width), one query and one head at a time."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    result = torch.zeros_like(query)
    for position in range(len(query)):
        seen = range(position + 1 if causal else len(key))
        for head in range(query.shape[1]):
            scores = torch.stack([scale * query[position, head] @ key[other, head] for other in seen])
            weights = scores.exp() / scores.exp().sum()
            result[position, head] = weights @ value[: len(seen), head]
    return result


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_attention_is_a_softmax_of_scalar_products(
    causal: bool, scale: float | None, flash: Any, packed: Tensor
) -> None:
    expected = torch.stack([slow_attention(*row.unbind(1), scale=scale, causal=causal) for row in packed])
    query, key, value = packed.unbind(2)
    found = flash.flash_attn_func(query, key, value, softmax_scale=scale, causal=causal)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(flash.flash_attn_qkvpacked_func(packed, softmax_scale=scale, causal=causal), expected)
    # Control: the other of the two kinds of attention differs.
    assert (flash.flash_attn_func(query, key, value, causal=not causal) - expected).abs().max() > 0.1


@pytest.mark.parametrize("lengths", [(5, 5), (1, 7, 2), (10,)])
@pytest.mark.parametrize("causal", [False, True])
def test_concatenated_sequences_do_not_see_each_other(lengths: tuple[int, ...], causal: bool, flash: Any) -> None:
    rows = torch.randn(sum(lengths), 3, HEADS, WIDTH, generator=torch.Generator().manual_seed(2))
    ends = torch.tensor([0, *lengths]).cumsum(0).int()
    attention = flash.flash_attn_interface.flash_attn_varlen_qkvpacked_func
    found = attention(rows, ends, max(lengths), 0.0, causal=causal)
    expected = [slow_attention(*part.unbind(1), causal=causal) for part in rows.split(list(lengths))]
    torch.testing.assert_close(found, torch.cat(expected))
    assert flash.flash_attn_varlen_qkvpacked_func is attention
    if len(lengths) > 1:
        together = slow_attention(*rows.unbind(1), causal=causal)
        assert (together - found).abs().max() > 0.1


@pytest.mark.parametrize("turned", [WIDTH, WIDTH // 2])
def test_rotary_embeddings_rotate_planes(turned: int, flash: Any, packed: Tensor) -> None:
    """With fewer angles than planes, only the leading features rotate."""
    rotary = importlib.import_module("flash_attn.layers.rotary")
    cosines, sines = angles(LENGTH, turned)
    before = packed.clone()
    query, key = (rotated(before[:, :, part, :, :turned], cosines, sines) for part in (0, 1))
    rest = before[..., turned:]
    torch.testing.assert_close(
        rotary.apply_rotary_emb_torch(before[:, :, 0], cosines, sines), torch.cat([query, rest[:, :, 0]], dim=-1)
    )
    returned = rotary.apply_rotary_emb_qkv_(packed, cosines, sines)
    assert returned is packed  # in place
    torch.testing.assert_close(packed[:, :, 0, :, :turned], query)
    torch.testing.assert_close(packed[:, :, 1, :, :turned], key)
    torch.testing.assert_close(packed[:, :, 2], before[:, :, 2])
    torch.testing.assert_close(packed[..., turned:], rest)
    assert (packed - before).abs().max() > 0.1


def test_lengths_are_kept_by_rotations(flash: Any, packed: Tensor) -> None:
    rotary = importlib.import_module("flash_attn.layers.rotary")
    before = packed.norm(dim=-1)
    torch.testing.assert_close(rotary.apply_rotary_emb_qkv_(packed, *angles(LENGTH, WIDTH)).norm(dim=-1), before)


def test_another_layout_of_the_planes_is_refused(flash: Any, packed: Tensor) -> None:
    rotary = importlib.import_module("flash_attn.layers.rotary")
    with pytest.raises(NotImplementedError, match="interleaved rotary embeddings need the package flash_attn"):
        rotary.apply_rotary_emb_qkv_(packed, *angles(LENGTH, WIDTH), interleaved=True)
