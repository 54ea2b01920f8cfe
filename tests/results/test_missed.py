"""Intervals that are as wide as what their passes may have missed, unless they are exact."""

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats as ids
from estimators import Cell, Evaluation, MaskPlan, draw, estimator, make_targets
from estimators.masked.blocks import BlockPlan
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.results.missed import size_bands, unseen_sizes
from infodis_stats.results.sample import Sample


class Parity:
    """Tokens of a given parity: each costs log 2, but the last one, which the others determine, costs nothing."""

    def __init__(self, loss: float = np.log(2.0)) -> None:
        self.loss = loss

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        alone = masked.sum(dim=1, keepdim=True) == 1
        return torch.where(masked & ~alone, self.loss, 0.0).double()


def draws_of(name, model, length, budget, count):
    passes, replicates = budget
    targets = make_targets(np.zeros((count, length), dtype=np.int64), names=[f"{row}" for row in range(count)])
    return list(draw(model, [Cell(estimator(name), target, passes, replicates) for target in targets], rng=0))


@pytest.mark.parametrize(("name", "kind"), [("uniform-count+stratified", "auto"), ("uniform-count", "student-t")])
@pytest.mark.parametrize(("length", "loss"), [(64, np.log(2.0)), (48, 1.7)])
def test_the_parity_law_is_covered(name, kind, length, loss):
    model, count = Parity(loss), 400
    truth = (length - 1) * loss
    bars = [interval_kind(kind).error_bar(one, 0.95) for one in draws_of(name, model, length, (16, 8), count)]
    covered = sum(bar.lower - 1e-9 <= truth <= bar.upper + 1e-9 for bar in bars)
    assert stats.binomtest(covered, count, 0.95).proportion_ci(0.999).high >= 0.95
    without = [bar for bar in bars if bar.flags]
    assert without, "some draws miss the masks of one position"
    assert all(bar.lower < truth < bar.upper and np.isfinite(bar.degrees) for bar in without)


def test_control_the_spread_alone_misses_the_parity_law():
    truth = 63 * np.log(2.0)
    samples = [Sample(one, 8) for one in draws_of("uniform-count+stratified", Parity(), 64, (16, 8), 200)]
    bars = [interval_kind("design").from_spread(sample, 0.95) for sample in samples]
    points = [bar for bar in bars if bar.lower[0] == bar.upper[0]]
    assert points
    assert not any(bar.lower[0] <= truth <= bar.upper[0] for bar in points)


class Noisy(Parity):
    """Parity with losses that vary with the mask, a little less for the second symbol."""

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        varied = 1.0 + 0.02 * torch.sin(masked.double() @ torch.arange(masked.shape[1]).double())[:, None]
        return super().token_nll(tokens, masked) * varied * (1.0 - 0.003 * tokens)


class Coin:
    """Every token costs log 2."""

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))


def test_maths_without_spread_the_width_is_that_of_the_rule_of_three():
    (one,) = draws_of("uniform-count", Coin(), 6, (16, 4), 1)
    bar = interval_kind("student-t").error_bar(one, 0.95)
    missed = 1 - 0.05 ** (1 / 64)
    assert (bar.upper - bar.lower) / 2 == pytest.approx(missed * 6 * np.log(2.0))
    assert bar.flags == {"no-spread"}
    assert bar.degrees == 63


class NoLoss:
    """Every token is certain."""

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        return 0.0 * masked.double()


def test_a_sample_that_lost_nothing_has_the_caution():
    (one,) = draws_of("uniform-count", NoLoss(), 6, (16, 4), 1)
    bar = interval_kind("student-t").error_bar(one, 0.95)
    assert bar.flags == {"no-spread"}
    assert np.isfinite(bar.degrees)
    assert bar.lower <= 0 <= bar.upper


@pytest.mark.parametrize(
    ("length", "bands"), [(1, [0]), (2, [0, 1]), (5, [0, 1, 2, 2, 3]), (9, [0, 1, 2, 2, 3, 3, 3, 3, 4])]
)
def test_maths_bands_of_sizes_are_geometric(length, bands):
    assert size_bands(length).tolist() == bands


def evaluation_of(sizes, losses, length=8):
    """An evaluation of one replicate with a pass of each size, whose masked tokens all cost the same."""
    masks = np.arange(length) < np.array(sizes)[:, None]
    weights = masks / len(sizes)
    (target,) = make_targets([[0] * length])
    return Evaluation(
        target, MaskPlan(masks[None], weights[None]), (masks * np.array(losses)[:, None])[None], len(sizes)
    )


@pytest.mark.parametrize(
    ("sizes", "losses", "held"),
    [
        pytest.param([1, 2, 3, 5], [1, 1, 1, 1], 0.0, id="all bands"),
        pytest.param([2, 3, 5], [1, 1, 1], 1.0, id="size 1"),
        pytest.param([3, 5], [1, 1], 2.0, id="sizes 1 and 2 are one run"),
        pytest.param([1, 2, 5], [1, 1, 1], 2.0, id="sizes 3 and 4"),
        pytest.param([2, 5], [1, 1], 2.0, id="the larger of two runs"),
        pytest.param([2, 3, 5], [0, 0, 0], 0.0, id="no losses"),
    ],
)
def test_maths_unseen_sizes_may_hold_the_losses_around_them(sizes, losses, held):
    assert unseen_sizes(evaluation_of(sizes, losses), 1)[0] == pytest.approx(held)


def test_maths_blocks_share_the_bands_of_their_sizes():
    """Blocks of 4 and 2: what one of them has seen is seen; what none has may be missing from both."""
    masks = np.array([[[1, 1, 1, 1, 1, 0], [1, 1, 0, 0, 1, 1]]], dtype=bool)
    (target,) = make_targets([[0] * 6])
    plan = BlockPlan(masks, masks * 0.5, (4, 2), (2, 2))
    assert unseen_sizes(Evaluation(target, plan, masks * 1.0, 2), 1)[0] == 0.0
    masks = np.array([[[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 1, 1]]], dtype=bool)
    plan = BlockPlan(masks, masks * 0.5, (4, 2), (2, 2))
    assert unseen_sizes(Evaluation(target, plan, masks * 1.0, 2), 1)[0] == pytest.approx(2.0)  # size 1 of two blocks


def test_maths_nearer_bands_count_more():
    (held,) = unseen_sizes(evaluation_of([1, 2, 5], [1, 1, 4]), 1)
    tokens, distance = np.array([1, 2, 5]), np.array([2, 1, 1])
    weights = tokens * 0.25**distance
    assert held == pytest.approx(2 * (weights @ np.array([1, 1, 4])) / weights.sum())


def test_an_interval_that_misses_sizes_is_as_wide_as_they_may_be():
    names = "uniform-count+stratified"
    bars = [interval_kind("auto").error_bar(one, 0.95) for one in draws_of(names, Parity(), 64, (32, 1), 200)]
    unseen = [bar for bar in bars if "unseen-sizes" in bar.flags]
    assert 50 < len(unseen) < 150, "half of the samples have no mask of one position"
    assert all((bar.upper - bar.lower) / 2 >= np.log(2.0) * 0.999 for bar in unseen)
    assert all(bar.unseen == 0.0 for bar in bars if "unseen-sizes" not in bar.flags)


@pytest.mark.parametrize("kind", ["auto", "student-t"])
def test_unseen_sizes_widen_the_interval_and_not_the_standard_error(kind):
    samples = [Sample(one, 4) for one in draws_of("uniform-count+stratified", Noisy(), 64, (16, 4), 40)]
    plain = [interval_kind(kind).from_spread(sample, 0.95) for sample in samples]
    bars = [interval_kind(kind).error_bars(sample, 0.95) for sample in samples]
    assert any(bar.unseen[0] > 0 for bar in bars)
    for before, after in zip(plain, bars, strict=True):
        assert (after.standard_error, after.degrees) == (before.standard_error, before.degrees)
        assert before.lower[0] - after.lower[0] == pytest.approx(after.unseen[0])
        assert after.upper[0] - before.upper[0] == pytest.approx(after.unseen[0])


def test_decisions_and_averages_allow_for_unseen_sizes():
    """The test rejects 0 exactly where the interval excludes it."""
    first, second = np.zeros((2, 200, 64), dtype=np.int64)
    result = ids.estimate_log_ratio(Noisy(), first, second + 1, "uniform-count+stratified", passes=16, replicates=2)
    assert (result["unseen"] > 0).any()
    lower, upper = (result["log_ratio_ci"].sel(ci_bound=end).values for end in ("lower", "upper"))
    excluded = (lower > 0) | (upper < 0)
    assert ((ids.decide(result, 0.05, "each")["p_value"].values < 0.05) == excluded).all()
    standard = result.drop_vars("unseen")
    assert (ids.decide(standard, 0.05, "each")["p_value"].values < 0.05).sum() > excluded.sum(), "control"
    for of in ("these", "population"):
        wide, narrow = (ids.average(each, of)["log_ratio_ci"].diff("ci_bound").item() for each in (result, standard))
        assert wide - narrow == pytest.approx(2 * float(result["unseen"].mean()))


def test_control_wide_intervals_of_a_regular_law_stay_as_they_are():
    tokens = LAW32.sample(40, length=32, seed=1)
    result = ids.estimate_nll(LAW32, tokens, "uniform-count+stratified", passes=32, replicates=1)
    assert result["cautions"].sel(caution="unseen-sizes").mean() < 0.1


LAW32 = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=6, seed=1)


@pytest.mark.parametrize("name", ["exhaustive", "chain"])
def test_exact_estimates_stay_points(name):
    result = ids.estimate_nll(LAW, TOKENS, name, passes=63, replicates=4)
    assert (result["nll_ci"].diff("ci_bound").values <= 1e-9).all()
    assert not result["cautions"].sel(caution="no-spread").any()


def test_a_single_position_has_one_mask_and_is_exact():
    result = ids.estimate_nll(LAW, TOKENS, "uniform-count", passes=4, replicates=4, context=5)
    assert (result["nll_ci"].diff("ci_bound").values <= 1e-9).all()


def test_a_sequence_against_itself_is_exact():
    result = ids.estimate_log_ratio(LAW, TOKENS, TOKENS, "uniform-count", passes=4, replicates=4)
    assert (result["log_ratio_ci"].values == 0).all()
    assert not result["cautions"].sel(caution="no-spread").any()


def test_rows_without_spread_have_a_caution_and_others_have_not():
    tokens = np.zeros((40, 64), dtype=np.int64)
    names = [str(row) for row in range(40)]
    result = ids.estimate_nll(Parity(), tokens, "uniform-count+stratified", names=names, passes=16, replicates=8)
    flagged = result["cautions"].sel(caution="no-spread").values
    constant = result["nll_replicate"].std("replicate").values < 1e-9
    np.testing.assert_array_equal(flagged, constant)
    assert 0 < flagged.sum() < 40
    assert ids.diagnose(result).verdict == "caution"


@pytest.mark.slow
def test_a_precision_is_not_reached_by_replicates_that_agree():
    rows = 60
    tokens, names = np.zeros((rows, 64), dtype=np.int64), [f"{row}" for row in range(rows)]
    result = ids.estimate_nll(
        Parity(), tokens, "uniform-count+stratified", names=names, passes=16, replicates=16, precision=0.2
    )
    truth = 63 * np.log(2.0)
    lower, upper = result["nll_ci"].values.T
    covered = int(((lower <= truth) & (truth <= upper)).sum())
    assert covered >= 0.95 * rows - 3 * np.sqrt(0.05 * 0.95 * rows)
    assert (result["replicates"].values > 16).all()


class Shifted(Parity):
    """Every masked token costs ``shift`` nats more in a sequence of ones."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = shift

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        return super().token_nll(tokens, masked) + masked * self.shift * (tokens[:, :1] == 1)


@pytest.mark.parametrize(("shift", "claims"), [(0.01, 0), (1.0, 30)], ids=["unclear", "control-clear"])
def test_a_decision_without_spread_is_not_certain(shift, claims):
    first, second = np.zeros((30, 64), dtype=np.int64), np.ones((30, 64), dtype=np.int64)
    names = [str(row) for row in range(30)]
    result = ids.estimate_log_ratio(
        Shifted(shift), first, second, "uniform-count+stratified", names=names, passes=16, replicates=8
    )
    assert result["cautions"].sel(caution="no-spread").values.all()
    assert ids.decide(result).attrs["claims"] == claims


@pytest.mark.parametrize("name", ["published-d1", "published-pll"])
def test_estimators_that_draw_nothing_have_missed_nothing_and_are_biased(name):
    """Their intervals are points of what they compute, with the caution that it is no likelihood."""
    result = ids.estimate_nll(LAW, TOKENS, name, passes=6, replicates=3)
    assert (result["nll_ci"].diff("ci_bound").values == 0).all()
    cautions = result["cautions"].any("sequence")
    assert cautions["caution"].values[cautions.values].tolist() == ["biased"]
    verdicts = ids.diagnose(result).verdicts
    assert not any(verdict.check == "points" for verdict in verdicts)
    assert ids.diagnose(result).verdict == "do not use"
