"""Each kind of interval matches its formula, covers where it should, and fails where theory says so."""

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats as ids
from estimators import Cell, draw, make_targets
from infodis_stats import analysis
from infodis_stats.results.error_bars import (
    ErrorBar,
    HallInterval,
    check_interval,
    interval_kind,
    interval_names,
    sum_of,
)
from tests.support.stat_asserts import assert_rate
from tests.support.toys import ArbitraryLosses, slow_nll

LENGTH = 6
MODEL = ArbitraryLosses(LENGTH, seed=51)
(TARGET,) = make_targets(np.zeros((1, LENGTH), dtype=int))
TRUTH = slow_nll(MODEL, TARGET)


def drawn(name, passes, replicates, *, model=MODEL, target=TARGET):
    (found,) = draw(model, [Cell(ids.estimator(name), target, passes, replicates)], 0)
    return found


def covered(name, passes, replicates, *, kind="auto", level=0.95, count=1000, case=(MODEL, TARGET, TRUTH)):
    """Return how many intervals of one target cover; their replicates come from one random stream."""
    model, target, truth = case
    every = drawn(name, passes, replicates * count, model=model, target=target)
    bars = [interval_kind(kind).error_bar(one, level) for one in every.blocks(replicates)]
    return sum(bar.lower <= truth + 1e-9 and bar.upper >= truth - 1e-9 for bar in bars)


class Independent:
    """Token 1 costs 6 nats and any other 0.05, under any mask."""

    def token_nll(self, tokens, masked):
        return masked * torch.where(tokens == 1, 6.0, 0.05).double()


class TestFormulas:
    def test_student_t_is_computed_from_the_replicates(self):
        found = drawn("time-free", 4, 5)
        bar = interval_kind("student-t").error_bar(found, 0.9)
        low, high = stats.t.interval(0.9, 4, found.estimates.mean(), stats.sem(found.estimates))
        assert (bar.lower, bar.upper) == (pytest.approx(low), pytest.approx(high))
        assert (bar.standard_error, bar.degrees) == (pytest.approx(stats.sem(found.estimates)), 4.0)

    def test_design_is_students_t_of_all_passes_if_they_are_independent(self):
        """Exactly for one replicate; several are pooled by Satterthwaite, with equal degrees of freedom."""
        found = drawn("uniform-count", 8, 1)
        bar = interval_kind("design").error_bar(found, 0.9)
        low, high = stats.t.interval(0.9, 7, found.parts.mean(), stats.sem(found.parts.ravel()))
        assert (bar.lower, bar.upper, bar.degrees) == (pytest.approx(low), pytest.approx(high), 7.0)
        found = drawn("uniform-count", 8, 3)
        bar = interval_kind("design").error_bar(found, 0.9)
        assert bar.standard_error == pytest.approx(np.sqrt((found.parts.var(axis=1, ddof=1) / 8).sum()) / 3)
        assert 7.0 <= bar.degrees <= 21.0

    def test_hall_matches_its_transformation(self):
        """The transformed statistic at either end is the quantile of Student's t."""
        found = drawn("time-free", 8, 2)
        parts = found.parts.ravel()
        bar = interval_kind("hall").error_bar(found, 0.9)
        n = len(parts)
        gamma = stats.skew(parts, bias=False)
        for end, side in ((bar.lower, 1), (bar.upper, -1)):
            t = (parts.mean() - end) / stats.sem(parts)
            g = t + gamma / np.sqrt(n) * t**2 / 3 + gamma**2 / n * t**3 / 27 + gamma / (6 * np.sqrt(n))
            assert g == pytest.approx(side * stats.t.ppf(0.95, n - 1))

    def test_hall_of_symmetric_draws_is_students_t(self):
        draws = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
        hall, plain = analysis.hall(draws), analysis.student_t(draws)
        np.testing.assert_allclose([hall.lower, hall.upper], [plain.lower, plain.upper], rtol=1e-6)

    def test_the_design_bootstrap_is_at_least_as_wide_as_students_t(self):
        found = drawn("uniform-count+antithetic", 4, 4)
        bar, plain = (interval_kind(kind).error_bar(found, 0.95) for kind in ("design-bootstrap", "student-t"))
        assert bar.lower <= plain.lower
        assert bar.upper >= plain.upper
        assert bar == interval_kind("design-bootstrap").error_bar(found, 0.95)  # the same random stream every time

    def test_the_design_bootstrap_resamples_both_sides_of_a_pair(self):
        """Equal sides under shared masks have a zero difference in every bootstrap sample."""
        (pair,) = ids.make_pairs([[0, 1, 0, 0]], [[0, 1, 0, 0]])
        sampler = ids.Coupled(ids.estimator("uniform-count"))
        (found,) = draw(Independent(), [Cell(sampler, pair, 4, 3)], 0)
        bar = interval_kind("design-bootstrap").error_bar(found, 0.95)
        assert (bar.lower, bar.upper) == (0.0, 0.0)

    def test_anytime_is_the_end_of_the_confidence_sequence(self):
        found = drawn("uniform-count", 4, 20)
        bar = interval_kind("anytime").error_bar(found, 0.95)
        running = analysis.confidence_sequence(found.estimates, 0.95)
        assert (bar.lower, bar.upper) == (running.lower[-1], running.upper[-1])

    def test_equal_replicates_give_a_point(self):
        for kind in ("student-t", "design", "bca", "auto"):
            bar = interval_kind(kind).error_bar(drawn("exhaustive", 2**LENGTH, 3), 0.95)
            assert bar.lower == pytest.approx(bar.upper) == pytest.approx(TRUTH)

    def test_sums_add_variances(self):
        bars = [ErrorBar("design", 3.0, 10.0, -1.0, 1.0), ErrorBar("hall", 4.0, 10.0, -1.0, 1.0)]
        total = sum_of(bars, 7.0, 0.95)
        assert (total.kind, total.standard_error) == ("design, hall", 5.0)
        assert (total.lower + total.upper) / 2 == pytest.approx(7.0)
        assert (total.upper - 7.0) / 5.0 == pytest.approx(stats.t.ppf(0.975, total.degrees))
        assert sum_of(bars[:1], 0.0, 0.95) is bars[0]


class TestCoverage:
    """1,000 intervals each; 4 binomial standard deviations are 2.8 points at 95 %."""

    @pytest.mark.parametrize(
        ("name", "passes", "replicates"),
        [
            ("uniform-count", 8, 1),
            ("uniform-count+antithetic", 16, 2),
            ("uniform-count+stratified", 24, 2),
            ("time-free", 16, 1),
            ("triangular", 12, 4),
            ("chain", 4 * LENGTH, 2),
            ("time-free+stratified", 32, 4),
        ],
    )
    def test_auto(self, name, passes, replicates):
        assert_rate(covered(name, passes, replicates), 1000, 0.95)

    @pytest.mark.parametrize("level", [0.9, 0.99])
    def test_at_other_levels(self, level):
        assert_rate(covered("uniform-count+stratified", 16, 3, kind="design", level=level), 1000, level)

    def test_control_students_t_of_skewed_passes_misses_on_one_side(self):
        """A few hard positions under time-free sampling: Hall's interval covers where Student's t does not."""
        (target,) = make_targets([[0] * 12])
        model = Skewed()
        truth = float(ids.estimator("exhaustive").sample(model, [[0] * 12], passes=4096, replicates=1, rng=0)[0, 0])
        case = (model, target, truth)
        plain = covered("time-free", 16, 1, kind="design", case=case)
        hall = covered("time-free", 16, 1, kind="hall", case=case)
        assert plain < 900
        assert hall > 930

    @pytest.mark.slow
    @pytest.mark.parametrize("count", [40, 80])
    def test_control_students_t_misses_one_hard_token_under_antithetic_pairs(self, count):
        """Student's t fails by construction; the bootstrap of the masks covers."""
        tokens = [0, 0, 0, 1, 0, 0, 0, 0]
        (target,) = make_targets([tokens])
        case = (Independent(), target, 6.35)
        plain = covered("uniform-count+antithetic", 2, 8, kind="student-t", case=case)
        again = covered("uniform-count+antithetic", 2, 8, kind="design-bootstrap", count=count, case=case)
        assert plain < 900
        assert again > 0.9 * count

    @pytest.mark.slow
    def test_simultaneous_intervals_cover_jointly(self):
        law = ids.MarkovChain.random(order=1, alphabet="AB", seed=5)
        tokens = law.sample(200 * 5, length=8, seed=6)
        truth = law.nll(tokens)

        def covered_of(part, **settings):
            result = ids.estimate_nll(law, tokens[part], "uniform-count", passes=16, replicates=2, **settings)
            lower, upper = result["nll_ci"].values.T
            return (lower <= truth[part]) & (truth[part] <= upper)

        fives = [slice(start, start + 5) for start in range(0, len(tokens), 5)]
        together = [covered_of(five, simultaneous=True, seed=five.start).all() for five in fives]
        assert_rate(np.sum(together), 200, 0.95)
        alone = covered_of(slice(None), seed=0)  # pointwise intervals
        with pytest.raises(AssertionError):
            assert_rate(np.sum(alone.reshape(200, 5).all(axis=1)), 200, 0.95)


class Skewed:
    """Losses are small unless nearly everything is masked."""

    def token_nll(self, tokens, masked):
        share = masked.double().mean(dim=1, keepdim=True)
        return masked * 3.0 * share**3


class TestChoice:
    @pytest.mark.parametrize(
        ("name", "passes", "replicates", "kind"),
        [
            ("time-free", 8, 1, "hall"),
            ("time-free", 2, 2, "design-hall"),
            ("time-free+stratified", 8, 1, "design-hall"),
            ("uniform-count", 8, 8, "design-hall"),
            ("systematic", 16, 8, "design-hall"),
            ("uniform-count+antithetic", 3, 4, "design-hall"),
            ("uniform-count+latin-hypercube", 8, 1, "design"),
            ("triangular", 16, 2, "design-hall"),
            ("regression", 16, 1, "design"),
            ("regression", 16, 8, "student-t"),
            ("regression", 4, 2, "student-t"),
            ("without-replacement", 12, 4, "student-t"),
            ("exhaustive", 63, 1, "design"),
        ],
    )
    def test_auto_follows_from_the_construction(self, name, passes, replicates, kind):
        assert interval_kind("auto").error_bar(drawn(name, passes, replicates), 0.95).kind == kind

    def test_the_data_set_records_the_kind(self):
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        result = ids.estimate_nll(law, law.sample(2, length=8, seed=1), "time-free", passes=16, replicates=1)
        assert result["interval"].values.tolist() == ["hall"] * 2
        assert result["degrees"].values.tolist() == [15.0] * 2
        assert result.attrs["ci_kind"] == "auto"
        assert result["nll_ci"].attrs["ci_kind"] == "hall"
        assert "95 % intervals: hall" in str(ids.summary(result))


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "passes", "replicates", "kind", "sentence"),
        [
            ("uniform-count", 8, 1, "student-t", "a student-t interval needs at least 2 replicates, got 1"),
            ("block-chain", 4, 1, "auto", "a student-t interval needs at least 2 replicates, got 1"),
            ("block-chain", 4, 4, "design", "has no within-replicate variance here .4 passes.; use student-t"),
            ("chain", 6, 4, "hall", "hall needs at least 8 independent parts; chain has 4"),
            ("regression", 8, 4, "design-bootstrap", "unlike regression; use student-t or design"),
            ("uniform-count", 8, 4, "wald", "there is no interval 'wald'; there are auto, student-t"),
        ],
    )
    def test_kinds_are_rejected_before_any_pass(self, name, passes, replicates, kind, sentence):
        model = ArbitraryLosses(LENGTH, seed=1)
        with pytest.raises(ids.InputError, match=sentence):
            check_interval([Cell(ids.estimator(name), TARGET, passes, replicates)], kind)
        assert model.rows == 0

    def test_intervals_that_can_be_computed_are_accepted(self):
        for kind in interval_names():
            cells = [Cell(ids.estimator("uniform-count"), TARGET, 8, 4)]
            check_interval(cells, kind)
            assert interval_kind(kind).error_bar(drawn("uniform-count", 8, 4), 0.95).standard_error > 0

    def test_levels_are_between_zero_and_one(self):
        with pytest.raises(ids.InputError, match="between 0 and 1, got 95"):
            analysis.level_of_each(95, 3, simultaneous=False)

    def test_hall_needs_three_passes(self):
        with pytest.raises(ids.InputError, match="a skewness needs at least 3"):
            analysis.hall([1.0, 2.0])
        assert HallInterval.name == "hall"
