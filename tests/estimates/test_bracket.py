"""Brackets of the order-marginal likelihood: exact where all masks fit, bounds and an interval elsewhere."""

import itertools

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError
from estimators.masked.orders.marginal import order_marginal
from infodis_stats.estimates.order_draws import draw_orders
from tests.support.toys import ArbitraryBlocks, ArbitraryLosses


def brute_force(model, tokens, scored):
    """The value by its definition: the chain rule in every order of the scored positions."""
    row, values = torch.as_tensor(np.asarray(tokens))[None], []
    for order in itertools.permutations(scored):
        masked = torch.zeros(row.shape, dtype=torch.bool)
        masked[0, list(scored)] = True
        total = 0.0
        for position in order:
            total -= float(model.token_nll(row, masked)[0, position])
            masked[0, position] = False
        values.append(total)
    return -(np.logaddexp.reduce(values) - np.log(len(values))), -np.mean(values)


class TestExact:
    @pytest.mark.parametrize(("length", "context"), [(4, None), (5, 1), (5, [[False, True, False, False, True]])])
    def test_maths_both_values_are_the_means_over_all_orders(self, length, context):
        model, tokens = ArbitraryLosses(length), np.zeros((1, length), dtype=int)
        given = np.zeros(length, bool) if context is None else np.arange(length) < context
        given = np.array(context[0]) if isinstance(context, list) else given
        result = ids.bracket_nll(model, tokens, context=None if context is None else given[None])
        marginal, any_order = brute_force(model, tokens[0], np.flatnonzero(~given).tolist())
        assert result["nll"].item() == pytest.approx(any_order, abs=1e-10)
        for name in ("marginal_lower", "marginal_upper"):
            assert result[name].item() == pytest.approx(marginal, abs=1e-10)
        np.testing.assert_allclose(result["bracket"].values, marginal, atol=1e-10)
        assert result["all_orders"].item()
        assert marginal < any_order - 0.01

    def test_maths_blocks_have_orders_of_their_own(self):
        model = ArbitraryBlocks(8, block_size=3, block_start=1)
        tokens = np.array([[1, 0, 2, 1, 2, 0, 1, 1]])
        result = ids.bracket_nll(model, tokens, context=2)
        blocks = [(2, 3), (4, 5, 6), (7,)]
        parts = [brute_force(model, tokens[0], block) for block in blocks]
        assert result["marginal_upper"].item() == pytest.approx(sum(part[0] for part in parts), abs=1e-10)
        assert result["nll"].item() == pytest.approx(sum(part[1] for part in parts), abs=1e-10)
        assert result["forward_passes"].item() == 7

    def test_maths_one_law_has_one_likelihood(self):
        law = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
        tokens = law.sample(2, length=24, seed=1)
        result = ids.bracket_nll(law, tokens, orders=4)
        for name in ("nll", "marginal_lower", "marginal_upper"):
            np.testing.assert_allclose(result[name], law.nll(tokens), atol=1e-9)
        assert result["all_orders"].all()

    def test_maths_undeclared_laws_agree_within_rounding(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)

        class Undeclared:
            def token_nll(self, tokens, masked):
                return law.token_nll(tokens, masked)

        tokens = law.sample(1, length=7, seed=1)
        result = ids.bracket_nll(Undeclared(), tokens)
        assert result["marginal_upper"].item() == pytest.approx(law.nll(tokens).item(), abs=1e-9)
        long = law.sample(1, length=16, seed=2)
        drawn = ids.bracket_nll(Undeclared(), long, orders=32)
        assert drawn["cautions"].sel(caution="no-spread").item() == (drawn["log_weight_sd"].item() < 1e-9)
        lower, upper = drawn["bracket"].values[0]
        assert lower < law.nll(long).item() < upper


class NeighbourLosses:
    """Losses that no law has: those of `ArbitraryLosses`, less erratic, and larger beside masked neighbours."""

    def __init__(self, length, seed=0):
        self.random = ArbitraryLosses(length, seed, skew=0.25)

    def token_nll(self, tokens, masked):
        left, right = torch.zeros_like(masked), torch.zeros_like(masked)
        left[:, 1:], right[:, :-1] = masked[:, :-1], masked[:, 1:]
        return masked * (0.3 * self.random.token_nll(tokens, masked) + 0.8 * left + 0.6 * right + 0.2)


class NeighbourBlocks:
    """Two blocks of `NeighbourLosses`."""

    block_size = 10

    def token_nll(self, tokens, masked):
        halves = [
            NeighbourLosses(10, seed).token_nll(tokens[:, :10], masked[:, 10 * seed :][:, :10]) for seed in (0, 1)
        ]
        return torch.cat(halves, dim=1)


def exact_value(model, length):
    masks = torch.tensor((np.arange(1, 2**length)[:, None] >> np.arange(length) & 1).astype(bool))
    return order_marginal(model.token_nll(torch.zeros(masks.shape, dtype=torch.int64), masks).numpy())


class TestDrawn:
    @pytest.mark.parametrize("length", [11])
    def test_maths_the_bracket_contains_the_exact_value(self, length):
        """24 sequences of equal losses and orders of their own: nominal 95 %; at most 5 misses, 3.5 deviations."""
        model = NeighbourLosses(length)
        names = [f"{number}" for number in range(24)]
        result = ids.bracket_nll(model, np.zeros((24, length), dtype=int), orders=48, names=names)
        truth = exact_value(model, length)
        lower, upper = result["bracket"].values.T
        assert not result["all_orders"].any()
        assert (~result["cautions"].sel(caution="wide-orders")).sum() > 12
        assert ((lower <= truth) & (truth <= upper)).sum() >= 19
        assert ((lower <= truth + 0.6) & (truth + 0.6 <= upper)).sum() < 19, "control"
        bounds = result["marginal_upper"].values
        assert abs(np.exp(truth - bounds).mean() - 1.0) < 4 * np.exp(truth - bounds).std() / np.sqrt(24)

    @pytest.mark.slow
    def test_maths_brackets_of_blocks_are_of_their_sum(self):
        """12 sequences, nominal 95 %: 3 misses are 3 deviations more than expected."""
        truth = sum(exact_value(NeighbourLosses(10, seed), 10) for seed in (0, 1))
        names = [f"{number}" for number in range(12)]
        result = ids.bracket_nll(NeighbourBlocks(), np.zeros((12, 20), dtype=int), orders=48, names=names)
        lower, upper = result["bracket"].values.T
        assert not result["all_orders"].any()
        assert ((lower <= truth) & (truth <= upper)).sum() >= 9
        assert ((lower <= truth + 0.6) & (truth + 0.6 <= upper)).sum() < 9, "control"
        assert (result["forward_passes"] <= 48 * 10).all()

    def test_contract_the_passes_of_drawn_orders_are_released(self, monkeypatch):
        """Otherwise the losses of all passes of all sequences are held: 300 MB for each one of 512 tokens."""
        kept = []

        def drawing(model, samples, *arguments):
            draw_orders(model, samples, *arguments)
            kept.extend((len(sample.losses), len(sample.masks), len(sample.log_weights)) for sample, _ in samples)

        monkeypatch.setattr("infodis_stats.estimates.bracket.draw_orders", drawing)
        ids.bracket_nll(NeighbourLosses(12), np.zeros((2, 12), dtype=int), orders=8, names=["a", "b"])
        assert kept == [(0, 0, 1)] * 2

    def test_contract_numbers_do_not_depend_on_other_sequences_or_batches(self):
        model, tokens = NeighbourLosses(12), np.zeros((3, 12), dtype=int)
        all_three = ids.bracket_nll(model, tokens, orders=8, names=["a", "b", "c"])
        one = ids.bracket_nll(model, tokens[:1], orders=8, names=["b"], batch_size=5)
        for name in ("nll", "marginal_upper", "bracket", "log_weight_sd", "forward_passes"):
            np.testing.assert_array_equal(one[name][0], all_three[name][1])
        assert all_three["marginal_upper"][0] != all_three["marginal_upper"][1]

    @pytest.mark.parametrize(("length", "orders"), [(6, 10), (7, 4), (7, 18), (8, 4), (8, 22)])
    def test_contract_short_sequences_and_few_orders_have_all_intervals(self, length, orders):
        result = ids.bracket_nll(NeighbourLosses(length), np.zeros((1, length), dtype=int), orders=orders)
        assert not result["all_orders"].item()
        assert np.isfinite(result["nll_ci"]).all()
        assert result["nll_se"].item() > 0.0
        assert result["forward_passes"].item() <= max(orders, 5) * length

    def test_contract_blocks_of_several_lengths_and_few_orders_have_all_intervals(self):
        model = ArbitraryBlocks(18, block_size=8)
        result = ids.bracket_nll(model, np.zeros((1, 18), dtype=int), orders=4)
        assert np.isfinite(result["nll_ci"]).all()
        assert np.isfinite(result["bracket"].values[0, 1])

    def test_contract_few_orders_have_no_lower_end(self):
        result = ids.bracket_nll(NeighbourLosses(14), np.zeros((1, 14), dtype=int), orders=8)
        assert result["cautions"].sel(caution="wide-orders").item()
        assert np.isnan(result["marginal_lower"].item())
        assert result["bracket"].values[0, 0] == 0.0
        assert result["bracket"].values[0, 1] > result["marginal_upper"].item()

    def test_contract_the_any_order_value_is_that_of_estimate_nll(self):
        model, tokens = NeighbourLosses(12), np.zeros((1, 12), dtype=int)
        bracket = ids.bracket_nll(model, tokens, orders=32, seed=3)
        passes, replicates = bracket.attrs["passes"], bracket.attrs["replicates"]
        nll = ids.estimate_nll(model, tokens, passes=passes, replicates=replicates, seed=3)
        np.testing.assert_array_equal(bracket["nll_ci"], nll["nll_ci"])
        assert bracket["forward_passes"].item() > nll["forward_passes"].item()

    def test_contract_a_failing_sequence_does_not_stop_the_others(self):
        class Failing(NeighbourLosses):
            def token_nll(self, tokens, masked):
                losses = super().token_nll(tokens, masked)
                return torch.where((tokens == 1).any(dim=1, keepdim=True) & masked, torch.nan, losses)

        tokens = np.zeros((3, 12), dtype=int)
        tokens[1, 0] = 1
        result = ids.bracket_nll(Failing(12), tokens, orders=6)
        assert [bool(problem) for problem in result["failed"].values] == [False, True, False]
        assert np.isnan(result["marginal_upper"].values).tolist() == [False, True, False]
        assert result["cautions"].sel(caution="wide-orders").values.tolist() == [True, False, True]
        assert np.isfinite(result["bracket"].values[[0, 2], 1]).all()

    def test_contract_lengths_and_exact_sequences_mix(self):
        model = NeighbourLosses(12)
        rows = [np.zeros(5, dtype=int), np.zeros(12, dtype=int), np.zeros(3, dtype=int)]
        result = ids.bracket_nll(model, rows, orders=16)
        assert result["all_orders"].values.tolist() == [True, False, True]
        alone = ids.bracket_nll(model, rows[:1], orders=16)
        assert result["marginal_upper"][0] == alone["marginal_upper"][0]

    def test_contract_results_are_labelled(self):
        result = ids.bracket_nll(NeighbourLosses(12), np.zeros((2, 12), dtype=int), orders=4, names=["a", "b"])
        assert result.attrs["estimand"] == "order-marginal"
        assert result["nll"].attrs["long_name"] == "any-order negative log-likelihood"
        assert result.attrs["forward_passes"] == result["forward_passes"].sum()
        assert {variable.attrs["units"] for variable in result[["bracket", "marginal_lower"]].values()} == {"nat"}
        assert result["sequence"].values.tolist() == ["a", "b"]


class CheapFirst:
    """One token costs ``gain`` nats less if its position is revealed first: rare orders are likelier."""

    def __init__(self, gain):
        self.gain = gain

    def token_nll(self, tokens, masked):
        losses = torch.full(masked.shape, 0.2, dtype=torch.float64)
        losses[:, 12] += self.gain * ~masked.all(dim=1)
        return torch.where(masked, losses, 0.0)

    def truth(self, length):
        """One order in ``length`` begins with that position."""
        return 0.2 * length - np.log(1 / length + (1 - 1 / length) * np.exp(-self.gain))


@pytest.mark.slow
@pytest.mark.parametrize("gain", [1.0, 3.0])
def test_maths_rare_likelier_orders_are_allowed_for_or_named(gain):
    """40 brackets, nominal 2.5 % misses below: 5 are 4 deviations more. What is not allowed for has the caution."""
    model, tokens = CheapFirst(gain), np.zeros((40, 24), dtype=int)
    result = ids.bracket_nll(model, tokens, orders=40, names=[str(number) for number in range(40)])
    wide = result["cautions"].sel(caution="wide-orders").values
    lower, upper = result["bracket"].values.T
    assert (upper >= model.truth(24)).all()
    if gain == 1.0:
        assert (lower > model.truth(24)).sum() <= 5
        assert (lower > model.truth(24) - 0.3).sum() > 5, "control"
        assert not wide.any()
    else:
        assert wide.sum() >= 10


class TestAverages:
    def test_maths_the_average_of_exact_brackets_is_that_of_the_values(self):
        model = ArbitraryLosses(6)
        result = ids.bracket_nll(model, [np.zeros(4, dtype=int), np.zeros(6, dtype=int)])
        averaged = ids.average(result, "these")
        total = float(result["marginal_upper"].sum())
        for side in ("lower", "upper"):
            assert averaged[f"marginal_{side}"].item() == pytest.approx(total / 2)
            assert averaged[f"marginal_{side}_bits_per_token"].item() == pytest.approx(total / 10 / np.log(2))
            assert averaged[f"marginal_{side}_perplexity"].item() == pytest.approx(np.exp(total / 10))
            assert averaged[f"marginal_{side}_se"].item() == 0.0

    def test_maths_both_noises_widen_the_interval_of_the_population(self):
        result = ids.bracket_nll(NeighbourLosses(11), np.zeros((6, 11), dtype=int), orders=40, names=list("abcdef"))
        these, population = (ids.average(result, of) for of in ("these", "population"))
        upper = result["marginal_upper"]
        assert these["marginal_upper_se"].item() == pytest.approx(
            float(np.sqrt((result["marginal_upper_se"] ** 2).sum()) / 6)
        )
        assert population["marginal_upper_se"].item() == pytest.approx(float(upper.std(ddof=1) / np.sqrt(6)))
        assert these["marginal_lower_ci"][0] < these["marginal_upper_ci"][1]

    def test_contract_a_document_without_a_lower_bound_counts_as_0(self):
        result = ids.bracket_nll(NeighbourLosses(12), [np.zeros(4, dtype=int), np.zeros(12, dtype=int)], orders=8)
        averaged = ids.average(result, "these")
        assert averaged["marginal_lower"].item() == pytest.approx(result["marginal_lower"].values[0] / 2)

    def test_contract_the_summary_prints_both_sides(self):
        text = str(ids.summary(ids.bracket_nll(NeighbourLosses(12), np.zeros((1, 12), dtype=int), orders=8)))
        assert "any-order nll" in text
        assert "bracket from" in text
        assert "wide-orders" in text


class TestHostile:
    @pytest.mark.parametrize("orders", [3, 0, 2.5, "8", True])
    def test_orders(self, orders):
        with pytest.raises(InputError, match="orders"):
            ids.bracket_nll(NeighbourLosses(4), [[0, 0]], orders=orders)

    def test_models_without_masks(self):
        class Scores:
            vocabulary_size = 2

            def log_ratios(self, *arguments):
                raise AssertionError

        with pytest.raises(InputError, match="token_nll"):
            ids.bracket_nll(Scores(), [[0, 1]])
