"""Rows that differ under their masks alone: one pass of the network, and a loss of their own for each."""

import pytest
import torch

from estimators import Cell, Coupled, draw, estimator, make_pairs
from infodis_stats.models import Denoiser, DenoiserConfig, MaskedLanguageModel
from infodis_stats.models.repeats import distinct_rows


class Network(torch.nn.Module):
    """Logits that depend on all tokens, but not on padding."""

    def __init__(self):
        super().__init__()
        self.embedding, self.head = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)

    def forward(self, tokens, attention_mask=None):
        hidden = self.embedding(tokens) * torch.arange(1.0, tokens.shape[1] + 1)[:, None]
        seen = torch.ones_like(tokens) if attention_mask is None else attention_mask
        return self.head(torch.tanh(hidden + (hidden * seen[..., None]).sum(dim=1, keepdim=True)))


def models():
    torch.manual_seed(0)
    denoiser = Denoiser(DenoiserConfig("abcd", length=12, layers=1, width=16, heads=2)).eval()
    for weights in denoiser.parameters():
        torch.nn.init.normal_(weights, std=0.4)
    wrapped = [MaskedLanguageModel(Network(), "llada", mask_id=4, length=12, guidance=scale) for scale in (0.0, 1.5)]
    return {"denoiser": denoiser, "network": wrapped[0], "guided": wrapped[1]}


@pytest.fixture(params=["denoiser", "network", "guided"])
def model(request):
    return models()[request.param]


def counting(model):
    """Count the rows that the network reads."""
    rows = []
    embedding = model.embedding if isinstance(model, Denoiser) else model.network.embedding
    embedding.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    return rows


@pytest.mark.parametrize("padded", [False, True])
def test_a_loss_does_not_depend_on_which_rows_are_passes(model, padded):
    """Rows 0, 2 and 4 differ under their masks alone; 1 and 3 elsewhere, in the mask, context or length as well."""
    tokens = torch.tensor([[0, 1, 2, 3, 0], [0, 1, 2, 3, 0], [0, 2, 2, 3, 0], [1, 1, 2, 3, 0], [0, 0, 1, 3, 0]])
    masked = torch.tensor([[0, 1, 1, 0, 0], [0, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 1, 1, 0, 0]]) == 1
    context = torch.tensor([1, 0, 0, 0, 0]).expand(5, 5) == 1
    lengths = torch.tensor([4, 4, 4, 5, 4]) if padded else None
    given = [context] if isinstance(model, MaskedLanguageModel) and model.needs_context else []
    rows = counting(model)
    with torch.no_grad():
        losses = model.token_nll(tokens, masked, *given, lengths=lengths)
        assert rows == [3 * getattr(model, "forward_passes_per_row", 1)]
        for row in range(5):
            part = slice(row, row + 1), slice(0, 4 if padded and row != 3 else 5)
            alone = model.token_nll(tokens[part], masked[part], *(some[part] for some in given))
            torch.testing.assert_close(losses[part], alone, atol=1e-5, rtol=0)


def test_rows_of_other_contexts_or_lengths_are_others():
    rows, context = torch.zeros(3, 2, dtype=torch.int64), torch.tensor([[True, False], [True, False], [False, False]])
    assert distinct_rows(rows, None)[0].tolist() == [0]
    assert distinct_rows(rows, context)[0].tolist() == [0, 2]
    assert distinct_rows(rows, None, torch.tensor([2, 1, 2]))[1].tolist() == [0, 1, 0]


@pytest.mark.parametrize("batch_size", [2, 5, 64])
def test_the_sides_of_a_coupled_ratio_share_passes_in_calls_of_any_size(batch_size):
    """A mask on the only difference makes them one. In a call of odd size a row may miss its partner."""
    model = models()["denoiser"]
    rows = counting(model)
    (pair,) = make_pairs([[0, 1, 2, 3, 0, 1, 2]], [[0, 1, 2, 0, 0, 1, 2]])
    cell = Cell(Coupled(estimator("uniform-count")), pair, passes=16, replicates=2)
    (drawn,) = draw(model, [cell], rng=0, batch_size=batch_size)
    first, second = (side.plan.masks.reshape(-1, 7) for side in drawn.evaluations)
    distinct = {tuple(mask) for mask in first.tolist() if any(mask)}
    assert (first == second).all()
    assert drawn.forward_passes == 2 * len(distinct)
    assert sum(rows) <= 2 * len(distinct) - sum(mask[3] for mask in distinct) + (len(rows) if batch_size == 5 else 0)
    single = draw(models()["denoiser"], [cell], rng=0, batch_size=1)
    torch.testing.assert_close(drawn.estimates, next(single).estimates, atol=1e-4, rtol=0)
