"""Classifier-free guidance in every estimate: LLaDA's formula, computed the slow way over all masks."""

from itertools import product

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError
from infodis_stats.models.huggingface import load_huggingface
from tests.support.chat_checkpoints import MASK, write_chat_checkpoint
from tests.support.toys import mean_over_masks

SCALE, CONTEXT = 1.5, 3
ROWS = np.array([[1, 4, 2, 8, 5, 7], [3, 1, 4, 1, 5, 0]])
ALL = {"estimator": "exhaustive", "passes": 7, "replicates": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("llada")
    write_chat_checkpoint(folder)
    return lambda scale=SCALE: load_huggingface(folder, guidance=scale, trust_remote_code=True)


@torch.no_grad()
def losses(net, tokens, masked, *, scale=SCALE, context=CONTEXT):
    """Return the losses of one row: logits u + (w + 1) (l - u), where u are those without the prompt."""
    row = torch.where(masked, MASK, tokens)
    without = row.clone()
    without[:context] = MASK
    conditional, unconditional = (net(one[None]).logits[0] for one in (row, without))
    logs = (unconditional + (scale + 1) * (conditional - unconditional)).log_softmax(-1)
    return torch.where(masked, -logs[torch.arange(len(tokens)), tokens], 0.0)


def slow_nll(net, row, scale=SCALE, context=CONTEXT):
    tokens, totals = torch.as_tensor(row), {}
    for mask in product((False, True), repeat=len(row) - context):
        masked = torch.tensor([*[False] * context, *mask])
        totals[tuple(map(int, mask))] = float(losses(net, tokens, masked, scale=scale, context=context).sum())
    return mean_over_masks(totals)


@pytest.mark.parametrize("scale", [0.0, SCALE])
def test_estimates_equal_the_formula_over_all_masks(scale, model):
    made = model(scale)
    expected = [slow_nll(made.network, row, scale) for row in ROWS]
    found = ids.estimate_nll(made, ROWS, context=CONTEXT, **ALL)["nll"].values
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Control: another scale gives other numbers, and so does no guidance.
    for other in {0.0, 0.5, SCALE} - {scale}:
        assert (np.abs(found - [slow_nll(made.network, row, other) for row in ROWS]) > 0.01).all()


def test_ratios_scans_and_rankings_equal_the_formula(model):
    made, plain = model(), model(0.0)
    first, second = ROWS[0], np.concatenate([ROWS[0, :CONTEXT], [2, 2, 7]])
    both = [slow_nll(made.network, row, SCALE) for row in (first, second)]
    ratio = ids.estimate_log_ratio(made, [first], [second], context=CONTEXT, **ALL)
    assert ratio["log_ratio"].item() == pytest.approx(both[1] - both[0], abs=1e-5)
    of_models = ids.estimate_model_log_ratio(made, plain, [first], context=CONTEXT, **ALL)
    unguided = slow_nll(made.network, first, 0.0)
    assert of_models["log_ratio"].item() == pytest.approx(unguided - both[0], abs=1e-5)
    scan = ids.scan_substitutions(made, first, positions=[4], symbols=[2, 5, 6], context=CONTEXT, **ALL)
    for symbol in (2, 6):
        mutant = first.copy()
        mutant[4] = symbol
        change = scan["log_ratio"].values[0, scan["token"].values.tolist().index(symbol)]
        assert change == pytest.approx(both[0] - slow_nll(made.network, mutant, SCALE), abs=1e-5)
    ranked = ids.rank_candidates(made, [first, second], context=CONTEXT, **ALL)
    np.testing.assert_allclose(ranked["nll"], both, atol=1e-5)


def test_parts_of_an_estimate_add_up_to_it(model):
    (expected,) = (slow_nll(model().network, row, SCALE) for row in ROWS[:1])
    sizes = ids.estimate_sizes(model(), ROWS[:1], context=CONTEXT, **ALL)
    assert sizes["size_nll"].sum().item() == pytest.approx(expected, abs=1e-5)


def test_orders_and_swaps_price_each_position_under_guidance(model):
    made, row, context = model(), torch.tensor(ROWS[0]), 4

    def price(*masked):
        mask = torch.tensor([position in masked for position in range(6)])
        return losses(made.network, row, mask, context=context)

    forward = float(price(4, 5)[4] + price(5)[5])
    backward = float(price(4, 5)[5] + price(4)[4])
    gap = ids.order_gap(made, ROWS[:1], orders=16, context=context)
    found = np.unique(gap["order_nll"].values.round(4))
    np.testing.assert_allclose(found, np.sort([forward, backward]), atol=1e-4)
    swaps = ids.order_swaps(made, ROWS[:1], swaps=4, context=context)
    np.testing.assert_allclose(np.abs(swaps["swap_defect"]), abs(forward - backward), atol=1e-4)


@pytest.mark.parametrize("estimator", ["time-free", "uniform-count+stratified", "chain", "regression", "auto"])
def test_every_pass_counts_twice(estimator, model):
    how = {"passes": 4, "replicates": 4, "seed": 1, "context": CONTEXT}
    guided, plain = (ids.estimate_nll(model(scale), ROWS, estimator, **how) for scale in (SCALE, 0.0))
    assert guided.attrs["forward_passes"] == 2 * plain.attrs["forward_passes"]
    np.testing.assert_array_equal(guided["forward_passes"], 2 * plain["forward_passes"])
    assert plain.attrs["forward_passes"] > 0


def test_the_pass_of_a_loss_profile_counts_twice(model):
    """A plan without the full mask runs it once more, for the cautions: here that of the first row."""
    guided, plain = (
        ids.estimate_nll(model(scale), ROWS, "time-free", passes=1, replicates=2, seed=3, context=CONTEXT)
        for scale in (SCALE, 0.0)
    )
    np.testing.assert_array_equal(plain["forward_passes"], [3, 2])
    np.testing.assert_array_equal(guided["forward_passes"], [6, 4])


SHARED = np.concatenate([ROWS[[0, 0], :CONTEXT], ROWS[:, CONTEXT:]], axis=1)  # two rows with one context


@pytest.mark.parametrize(
    ("estimate", "how"),
    [
        (lambda made, **how: ids.estimate_log_ratio(made, ROWS[:1], ROWS[:1, [0, 1, 2, 5, 4, 3]], **how), {}),
        (lambda made, **how: ids.estimate_model_log_ratio(made, made, ROWS, **how), {}),
        (lambda made, **how: ids.scan_substitutions(made, ROWS[0], positions=[4], symbols=[2, 6], **how), {}),
        (lambda made, **how: ids.estimate_sizes(made, ROWS, **how), {}),
        (lambda made, **how: ids.order_gap(made, ROWS, **how), {"orders": 3}),
        (lambda made, **how: ids.order_swaps(made, ROWS, **how), {"swaps": 3}),
        (lambda made, **how: ids.rank_candidates(made, SHARED, **how), ALL),
    ],
)
def test_all_estimates_count_the_passes_of_guidance(estimate, how, model):
    spent = [estimate(model(scale), context=CONTEXT, **how).attrs["forward_passes"] for scale in (SCALE, 0.0)]
    assert spent[0] == 2 * spent[1] > 0


def test_a_model_that_masks_the_context_has_no_score_ratios(model):
    with pytest.raises(InputError, match="has no score ratios under absorbing noise"):
        ids.estimate_nll(model(), ROWS, "score-entropy(absorbing)", passes=4, replicates=2)


def test_texts_are_scored_given_their_prompt(model):
    made = model()
    records = [ids.Record("one", "A B ", "C D E"), ids.Record("no prompt", "", "C D E")]
    found = ids.estimate_texts(made, records, **ALL)["nll"].values
    rows = [made.encode(record.prompt + record.response) for record in records]
    expected = [slow_nll(made.network, row, context=len(row) - 3) for row in rows]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    plain = model(0.0)
    unguided = ids.estimate_texts(plain, records, **ALL)["nll"].values
    # Without a prompt there is nothing to mask, so guidance changes nothing.
    np.testing.assert_allclose(np.abs(found - unguided) < 1e-5, [False, True])
    pair = ids.TextPair("pair", "A B ", "C D E", "F G H")
    ratio = ids.estimate_text_ratios(made, [pair], **ALL)["log_ratio"].item()
    (second,) = ids.estimate_texts(made, [ids.Record("two", "A B ", "F G H")], **ALL)["nll"].values
    assert ratio == pytest.approx(second - found[0], abs=1e-5)
    positions = ids.estimate_positions(made, records[0], **ALL)
    assert positions["nll"].sum().item() == pytest.approx(found[0], abs=1e-5)
    leader = ids.rank_texts(made, "A B ", ["C D E", "F G H"], **ALL)["leader"].item()
    assert leader == ("C D E" if ratio > 0 else "F G H")


def test_records_of_several_windows_have_no_guidance(model):
    made = model()
    long = ids.Record("long", "A B ", "C D E F " * 20)
    with pytest.raises(InputError, match="'long': guidance masks the prompt, which only the first of the 2 windows"):
        ids.estimate_texts(made, [long], overlap=8, passes=4)
    plain = model(0.0)
    assert ids.estimate_texts(plain, [long], overlap=8, passes=4)["windows"].item() == 2


def test_guidance_is_checked_and_needs_the_context(model):
    for scale in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="guidance must be a finite number of at least 0"):
            model(scale)
    row = torch.tensor(ROWS[:1])
    with pytest.raises(InputError, match="guidance masks the context: pass it to token_nll"):
        model().token_nll(row, row > 3)
    plain = model(0.0).token_nll(row, row > 3)
    torch.testing.assert_close(plain, model(0.0).token_nll(row, row > 3, row > 99))


def test_a_guided_model_can_be_checked(model):
    assert ids.check_model(model()).measured["attention"] == "bidirectional"
