"""The check of models of block diffusion: what they see, what they declare, and which block size predicts texts."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import infodis_stats as ids
from infodis_stats.models.denoisers import Denoiser, DenoiserConfig
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from tests.support.block_networks import LLaDA2
from tests.support.checked_models import VOCABULARY, Letters, verdict_of, wrapped
from tests.support.direct import MASK, randomised


def denoiser(size: int | None) -> Denoiser:
    torch.manual_seed(1)
    model = Denoiser(DenoiserConfig("abcdef", length=64, layers=1, width=16, heads=2, block_size=size))
    randomised(model, 0.5)
    return model


@pytest.mark.parametrize(
    ("size", "pattern", "found"),
    [
        (1, "causal", None),
        (4, "block-causal", 4),
        (6, "block-causal", 6),
        (48, "bidirectional", None),
        (None, "bidirectional", None),
    ],
)
def test_the_blocks_of_a_denoiser_are_found(size: int | None, pattern: str, found: int | None) -> None:
    check = ids.check_model(denoiser(size))
    assert (check.measured["attention"], check.measured["block_size"]) == (pattern, found)
    assert verdict_of(check, "attention") == verdict_of(check, "masked tokens") == "fine"


class Declaring:
    """A denoiser that says something else of its blocks."""

    vocabulary, longest = 6, 64

    def __init__(self, model: Denoiser, block_size: int | None, block_start: int = 0) -> None:
        self.model, self.block_size, self.block_start = model, block_size, block_start

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        return self.model.token_nll(tokens, masked)


@pytest.mark.parametrize(
    ("true", "declared", "start", "reason"),
    [
        (4, 2, 0, "but the model declares blocks of 2: masks see tokens of later blocks"),
        (4, 4, 2, "but the model declares blocks of 4 that begin at position 2: masks see tokens of later blocks"),
        (None, 4, 0, "attention is bidirectional, but the model declares blocks of 4"),
        (2, 8, 0, "but the model declares blocks of 8: masks do not see all other tokens of their block"),
        (1, 4, 0, "attention is causal, but the model declares blocks of 4"),
    ],
)
def test_other_blocks_than_declared_are_found(true: int | None, declared: int, start: int, reason: str) -> None:
    check = ids.check_model(Declaring(denoiser(true), declared, start))
    assert verdict_of(check, "attention") == "do not use"
    assert reason in next(part.reason for part in check.diagnosis.verdicts if part.check == "attention")


def test_blocks_that_are_not_declared_are_named() -> None:
    check = ids.check_model(Declaring(denoiser(4), None))
    (verdict,) = (part for part in check.diagnosis.verdicts if part.check == "attention")
    assert (verdict.verdict, check.measured["block_size"]) == ("do not use", 4)
    assert "declare block_size = 4" in verdict.advice


class Noised(Declaring):
    """The masks of earlier blocks hide their tokens from later ones."""

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        clean = self.model.embedding.weight[torch.where(masked, 6, tokens)].mean(dim=-1)
        earlier = torch.arange(tokens.shape[1]) // 4
        seen = (clean[:, None] * (earlier < earlier[:, None])).sum(dim=-1)
        return super().token_nll(tokens, masked) + masked * seen.abs()


def test_masks_of_earlier_blocks_must_not_matter() -> None:
    check = ids.check_model(Noised(denoiser(4), 4))
    assert check.measured["sees_noised_blocks"]
    assert verdict_of(check, "blocks") == "do not use"
    check = ids.check_model(Declaring(denoiser(4), 4))
    assert not check.measured["sees_noised_blocks"]
    assert verdict_of(check, "blocks") == "fine"


class Leaking(Declaring):
    """The first token of a block is seen although it is masked."""

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        first = tokens[:, torch.arange(tokens.shape[1]) // 4 * 4]
        return super().token_nll(tokens, masked) + masked * (first != tokens) * 0.1


def test_a_masked_token_of_the_same_block_must_not_be_seen() -> None:
    assert verdict_of(ids.check_model(Leaking(denoiser(4), 4)), "masked tokens") == "do not use"


class Sized(nn.Module):
    """It predicts a cycle of letters if the smallest number of positions that any sees is that of its training."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight, self.size = nn.Parameter(torch.zeros(1)), size

    def forward(self, tokens: Tensor) -> SimpleNamespace:
        length = tokens.shape[1]
        one_hot = torch.eye(128)[:length].expand(len(tokens), 1, -1, -1)
        counts = (self.seen(one_hot) > 0).sum(dim=-1)
        kinds = self.seen(functional.one_hot(counts, 257).float())[:, 0] > 0
        trained = (torch.where(kinds, torch.arange(257), 256).amin(dim=-1) == self.size)[..., None]
        return SimpleNamespace(logits=5.0 * trained * functional.one_hot(torch.arange(length) % 9, VOCABULARY))

    def seen(self, values: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(torch.zeros_like(values), torch.zeros_like(values), values)


@pytest.mark.parametrize(("declared", "best"), [(4, 4), (2, 4), (16, 4)])
def test_the_block_size_is_measured_on_texts(declared: int, best: int) -> None:
    texts = ["abcdefghiabcdefghiab", "abcdefghiabcdefghia", "abcdefghiabcdefghiabcdef", "abcdefghiabcdefghiabc"]
    model = UncheckedModel(Sized(4), "llada2", mask_id=MASK, length=64, block_size=declared, tokenizer=Letters())
    check = ids.check_model(model, texts)
    assert check.measured["best_block_size"] == best
    assert verdict_of(check, "block size") == ("fine" if declared == best else "do not use")


@pytest.mark.parametrize("shifted", [False, True])
def test_a_network_of_blocks_is_checked_and_validated(shifted: bool) -> None:
    torch.manual_seed(5)
    net: Any = randomised(LLaDA2(SimpleNamespace(vocab_size=VOCABULARY)))
    model = wrapped(net, "llada2", block_size=4, shifted=shifted, before=(9,), tokenizer=Letters())
    validation = ids.validate_model(model, ["abcdefghiabc", "bcadbcad"])
    assert validation.agrees, validation.table
    check = validation.check
    assert (check.measured["attention"], check.measured["block_size"]) == ("block-causal", 4)
    assert check.options["block_size"] == 4
    assert verdict_of(check, "computation") == verdict_of(check, "block size") == verdict_of(check, "blocks") == "fine"
    assert check.measured["padding_difference"] < 1e-5
