"""Classifier-free guidance in the likelihood, against the formula of LLaDA computed directly."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import infodis_stats as ids
from estimators import InputError
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface, masked_model
from tests.support.checkpoints import write_checkpoint
from tests.support.direct import BOS, MASK, network

SCALE = 1.5
BATCH, LENGTH, CONTEXT = 5, 8, 3


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 9, (BATCH, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def context() -> Tensor:
    """Prompts of different lengths; none in the last row."""
    lengths = torch.tensor([CONTEXT, 1, 5, 2, 0])
    return torch.arange(LENGTH)[None] < lengths[:, None]


@pytest.fixture
def masked(context: Tensor) -> Tensor:
    masked = torch.rand(BATCH, LENGTH, generator=torch.Generator().manual_seed(2)) < 0.6
    masked[1] = True
    return masked & ~context


class Transformed(nn.Module):
    """A network whose head cannot be separated: it transforms its logits."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, input_ids: Tensor) -> Tensor:
        return 3 * torch.tanh(self.net(input_ids).logits)


def wrap(net: nn.Module, family: str = "llada", **options: Any) -> MaskedLanguageModel:
    return MaskedLanguageModel(net, family, **{"mask_id": MASK, "length": 16, "guidance": SCALE, **options})


def logits_of(output: Any) -> Tensor:
    return getattr(output, "logits", output)


@torch.no_grad()
def slow_guided(
    net: nn.Module,
    tokens: Tensor,
    masked: Tensor,
    context: Tensor,
    *,
    scale: float = SCALE,
    bos: int | None = None,
    excluded: int | None = None,
) -> Tensor:
    """Return the losses of one row and position at a time: logits ``u + (scale + 1) (l - u)`` over all tokens."""
    losses = torch.zeros(tokens.shape)
    for row in range(len(tokens)):
        given = torch.where(masked[row], MASK, tokens[row]).tolist()
        hidden = torch.where(context[row] | masked[row], MASK, tokens[row]).tolist()
        front = [] if bos is None else [bos]
        conditional, unconditional = (logits_of(net(torch.tensor([[*front, *ids]])))[0] for ids in (given, hidden))
        guided = unconditional + (scale + 1) * (conditional - unconditional)
        for position in masked[row].nonzero()[:, 0].tolist():
            values = guided[position].double()
            if excluded is not None:
                values[excluded] = -torch.inf
            losses[row, position] = values.logsumexp(0) - values[tokens[row, position]]
    return losses


@pytest.mark.parametrize("lean", [True, False])
@pytest.mark.parametrize("excluded", [None, MASK])
def test_guided_losses_equal_the_formula(
    lean: bool, excluded: int | None, tokens: Tensor, masked: Tensor, context: Tensor
) -> None:
    net = network("llada") if lean else Transformed(network("llada"))
    model = wrap(net, exclude_mask=excluded is not None)
    assert model.lean is lean
    losses = model.token_nll(tokens, masked, context)
    expected = slow_guided(net, tokens, masked, context, excluded=excluded)
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=0)
    assert (losses[~masked] == 0).all()
    # Controls: another scale, and the scale without the 1 that LLaDA adds.
    for other in (0.0, 0.5, SCALE - 1):
        wrong = slow_guided(net, tokens, masked, context, scale=other, excluded=excluded)
        assert (wrong - losses).abs().max() > 0.05
    # Without a prompt there is nothing to mask.
    plain = wrap(net, guidance=0.0, exclude_mask=excluded is not None).token_nll(tokens, masked)
    torch.testing.assert_close(losses[-1], plain[-1], atol=1e-5, rtol=0)
    assert (losses - plain)[0].abs().max() > 0.05


def test_guidance_of_shifted_logits_keeps_the_bos(tokens: Tensor, masked: Tensor, context: Tensor) -> None:
    """BOS is not part of the prompt; the logits for position i are at output i - 1."""
    net = network("dream")
    losses = wrap(net, "dream", before=(BOS,)).token_nll(tokens, masked, context)
    torch.testing.assert_close(losses, slow_guided(net, tokens, masked, context, bos=BOS), atol=1e-5, rtol=0)


@pytest.mark.parametrize("lean", [True, False])
def test_a_row_does_not_depend_on_its_batch(
    lean: bool, tokens: Tensor, masked: Tensor, context: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = wrap(network("llada") if lean else Transformed(network("llada")))
    together = model.token_nll(tokens, masked, context)
    rows = [model.token_nll(tokens[[row]], masked[[row]], context[[row]]) for row in range(BATCH)]
    torch.testing.assert_close(together, torch.cat(rows), atol=2e-6, rtol=0)
    monkeypatch.setattr(masked_model, "FULL_LOGITS", 2 * 2 * LENGTH * 11)  # two rows per call
    torch.testing.assert_close(together, model.token_nll(tokens, masked, context), atol=2e-6, rtol=0)


def test_the_context_is_required(tokens: Tensor, masked: Tensor) -> None:
    with pytest.raises(
        InputError, match=r"guidance masks the context: pass it to token_nll\(tokens, masked, context\)"
    ):
        wrap(network("llada")).token_nll(tokens, masked)


@pytest.mark.parametrize("scale", [-0.5, float("nan"), float("inf")])
def test_the_scale_must_be_a_finite_number(scale: float) -> None:
    with pytest.raises(InputError, match=f"guidance must be a finite number of at least 0, got {scale}"):
        wrap(network("llada"), guidance=scale)


def test_estimates_are_those_of_the_guided_model_and_count_two_passes(tokens: Tensor) -> None:
    """With exhaustive estimation the estimate is a sum of losses over all masks, computed here one at a time."""
    net = network("llada")
    rows = tokens[:2, : CONTEXT + 2]
    options: dict[str, Any] = {"passes": 3, "replicates": 2, "seed": 0, "context": CONTEXT}
    guided = ids.estimate_nll(wrap(net), rows.numpy(), "exhaustive", **options)
    plain = ids.estimate_nll(wrap(net, guidance=0.0), rows.numpy(), "exhaustive", **options)
    assert guided.attrs["forward_passes"] == 2 * plain.attrs["forward_passes"]
    # log p is the mean over both orders of two tokens.
    context = torch.arange(CONTEXT + 2)[None].expand(2, -1) < CONTEXT

    def loss(*hidden: int) -> Tensor:
        masked = torch.zeros_like(context)
        masked[:, [CONTEXT + place for place in hidden]] = True
        return slow_guided(net, rows, masked, context)

    both = loss(0, 1)
    expected = (both[:, CONTEXT] + loss(1)[:, CONTEXT + 1] + both[:, CONTEXT + 1] + loss(0)[:, CONTEXT]) / 2
    torch.testing.assert_close(torch.tensor(guided["nll"].values), expected.double(), atol=1e-5, rtol=0)
    assert (guided["nll"] - plain["nll"]).max() != 0


def test_a_checkpoint_loads_with_guidance(tmp_path: Any, tokens: Tensor, masked: Tensor, context: Tensor) -> None:
    net = write_checkpoint(tmp_path, "llada")
    model = load_huggingface(tmp_path, guidance=SCALE, trust_remote_code=True)
    expected = slow_guided(net, tokens, masked, context)
    torch.testing.assert_close(model.token_nll(tokens, masked, context), expected, atol=1e-5, rtol=0)
    assert model.conventions()["guidance"] == SCALE
