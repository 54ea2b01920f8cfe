"""Substitution scans: exact if possible, calibrated otherwise, and every cell is independent of the rest."""

import numpy as np
import pytest
import torch
from scipy import stats

import infodis_stats as ids
from estimators import Cell, Coupled, Draw, Job, evaluate, make_pairs, make_targets
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.results.validity import caution_sentences
from tests.support.stat_asserts import assert_unbiased

DENOISER = ids.Denoiser(ids.DenoiserConfig("abc ", length=8, layers=1, width=8, heads=2))
LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(1, length=8, seed=1)[0]


def mutated(tokens, position, symbol):
    mutant = tokens.copy()
    mutant[position] = symbol
    return mutant


def differences(law, tokens):
    """Return the exact log p(mutant) - log p(original), one mutant at a time."""
    return np.array(
        [
            [float(law.nll([tokens])[0] - law.nll([mutated(tokens, i, a)])[0]) for a in range(law.vocabulary_size)]
            for i in range(len(tokens))
        ]
    )


class TestExact:
    @pytest.mark.parametrize("order", [1, 4])
    def test_all_masks_give_the_exact_differences(self, order):
        law = ids.MarkovChain.random(order=order, alphabet="ACGT", seed=order)
        tokens = law.sample(1, length=6, seed=2)[0]
        scan = ids.scan_substitutions(law, tokens, "exhaustive", passes=63, replicates=2)
        expected = differences(law, tokens)
        np.testing.assert_allclose(scan["log_ratio"], expected, atol=1e-9)
        np.testing.assert_allclose(scan["exact"], expected, atol=1e-9)
        assert np.abs(expected).max() > 1  # the check could fail

    def test_a_context_is_given_and_not_scanned(self):
        given = np.array([True, False, False, True, False, False, False, True])
        scan = ids.scan_substitutions(LAW, TOKENS, "exhaustive", passes=31, replicates=2, context=given)
        assert scan["position"].values.tolist() == [1, 2, 4, 5, 6]
        for position in scan["position"].values:
            mutants = np.stack([mutated(TOKENS, position, symbol) for symbol in range(4)])
            expected = LAW.nll([TOKENS], context=given) - LAW.nll(mutants, context=given)
            np.testing.assert_allclose(scan["log_ratio"].sel(position=position), expected, atol=1e-9)
        leading = ids.scan_substitutions(LAW, TOKENS, "exhaustive", passes=7, replicates=2, context=5)
        np.testing.assert_allclose(leading["log_ratio"], leading["exact"], atol=1e-9)
        assert leading["site"].values.tolist() == [6, 7, 8]

    def test_the_original_is_exactly_zero(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "time-free", passes=4, replicates=3)
        for position, token in enumerate(TOKENS):
            cell = scan.isel(position=position, symbol=token)
            assert str(cell["original"].item()) == str(cell["symbol"].item()) == "ACGT"[token]
            assert not cell[["log_ratio", "log_ratio_se", "exact"]].to_array().any()
            assert not cell["log_ratio_ci"].any()
            assert not cell["log_ratio_replicate"].any()
            assert np.isnan(cell["log_ratio_p"])
            assert (cell["interval"].item(), cell["degrees"].item()) == ("", np.inf)
            assert not cell["cautions"].any()

    def test_where_auto_uses_replicates_intervals_are_students(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "chain", passes=8, replicates=5, level=0.8)
        network = ids.scan_substitutions(DENOISER, [0, 1, 2, 3, 0, 1], passes=16, replicates=8, level=0.8)
        assert set(network["interval"].values[network["log_ratio_p"].notnull()]) == {"student-t"}
        changed = np.array([0, 1, 2, 4, 5])
        draws = network["log_ratio_replicate"].values[changed, 3]
        expected = stats.t.interval(0.8, 7, draws.mean(axis=1), stats.sem(draws, axis=1))
        np.testing.assert_allclose(network["log_ratio_ci"].values[changed, 3].T, expected)
        np.testing.assert_allclose(scan["log_ratio"], scan["log_ratio_replicate"].mean("replicate"))

    @pytest.mark.parametrize("name", ["uniform-count+stratified", "time-free", "regression"])
    def test_intervals_are_those_of_pairs_of_the_mutant_and_the_original(self, name):
        estimator = ids.estimator(name)
        scan = ids.scan_substitutions(LAW, TOKENS, estimator, passes=10, replicates=5, level=0.8, seed=3)
        (original,) = make_targets([TOKENS])
        plan = estimator.plan(8, 10, 5, stream(root_seed(3), original.key, "substitutions", estimator.name, "10"))
        for position, symbol in ((2, (TOKENS[2] + 1) % 4), (7, (TOKENS[7] + 3) % 4)):
            (pair,) = make_pairs([mutated(TOKENS, position, symbol)], [TOKENS])
            sides = list(evaluate(LAW, [Job(side, plan) for side in pair.sides]))
            bar = interval_kind("auto").error_bar(Draw.of(Cell(Coupled(estimator), pair, 10, 5), sides), 0.8)
            cell = scan.isel(position=position, symbol=symbol)
            np.testing.assert_allclose(cell["log_ratio_ci"], [bar.lower, bar.upper], atol=1e-12)
            np.testing.assert_allclose(cell["log_ratio_se"], bar.standard_error)
            assert (cell["interval"].item(), cell["degrees"].item()) == (bar.kind, pytest.approx(bar.degrees))

    def test_replicates_are_coupled_estimates_from_one_plan(self):
        """The plan of the scan, run on each mutant separately, gives the same replicates."""
        estimator = ids.estimator("uniform-count+stratified")
        scan = ids.scan_substitutions(LAW, TOKENS, estimator, passes=8, replicates=3, seed=5)
        (original,) = make_targets([TOKENS])
        plan = estimator.plan(8, 8, 3, stream(root_seed(5), original.key, "substitutions", estimator.name, "8"))
        for position, symbol in ((2, (TOKENS[2] + 1) % 4), (7, (TOKENS[7] + 3) % 4)):
            pair = [original, *make_targets([mutated(TOKENS, position, symbol)])]
            first, second = (
                estimator.reduce(plan, one.losses) for one in evaluate(LAW, [Job(side, plan) for side in pair])
            )
            found = scan["log_ratio_replicate"].values[position, symbol]
            np.testing.assert_allclose(found, first - second, atol=1e-12)


class TestStatistics:
    def test_means_agree_with_the_exact_differences(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count", passes=8, replicates=400, seed=3)
        assert_unbiased(scan["log_ratio_replicate"], differences(LAW, TOKENS))

    def test_control_another_law_fails_the_same_check(self):
        other = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=9)
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count", passes=8, replicates=400, seed=3)
        with pytest.raises(AssertionError, match="biased"):
            assert_unbiased(scan["log_ratio_replicate"], differences(other, TOKENS))

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["time-free", "uniform-count"])
    def test_shared_masks_reduce_the_variance(self, name):
        """The variance of a log ratio is far below that of independent masks on the two sides."""
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
        tokens = law.sample(1, length=24, seed=1)[0]
        scan = ids.scan_substitutions(law, tokens, name, passes=8, replicates=100)
        mutants = np.stack([mutated(tokens, i, (tokens[i] + 1) % 4) for i in range(24)])
        apart = ids.Decoupled(ids.estimator(name)).sample(
            law, mutants, np.tile(tokens, (24, 1)), passes=8, replicates=100, rng=0
        )
        shared = scan["log_ratio_replicate"].values[np.arange(24), (tokens + 1) % 4]
        # A variance of 100 normal replicates has a relative error of 0.14, and these are sums over 24 mutants.
        assert apart.var(axis=1).sum() > 3 * shared.var(axis=1).sum()

    def test_mutants_are_compared_through_their_replicates(self):
        """The difference between two mutants at one position is also coupled, and unbiased."""
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count", passes=8, replicates=400, seed=3)
        draws = scan["log_ratio_replicate"].values
        difference = draws[:, 1] - draws[:, 2]
        assert_unbiased(difference, scan["exact"].values[:, 1] - scan["exact"].values[:, 2])
        assert difference.var(axis=1).sum() < draws[:, 1].var(axis=1).sum() + draws[:, 2].var(axis=1).sum()


class TestCalibration:
    """Cells of a scan share masks, so the scan is the unit, and bounds are in standard errors over scans."""

    @staticmethod
    def scans(level):
        law = ids.MarkovChain.random(order=2, alphabet="ABC", seed=41)
        tokens = law.sample(250, length=10, seed=42)
        scans = [ids.scan_substitutions(law, one, "uniform-count+stratified", passes=16, level=level) for one in tokens]
        return [ids.rank_substitutions(scan) for scan in scans]

    @staticmethod
    def coverage_z(frames):
        covered = [((one["lower"] <= one["exact"]) & (one["exact"] <= one["upper"])).mean() for one in frames]
        return (np.mean(covered) - 0.95) / (np.std(covered) / np.sqrt(len(covered)))

    @pytest.mark.slow
    def test_pointwise_intervals_cover_and_verdicts_are_true(self):
        frames = self.scans(0.95)
        assert abs(self.coverage_z(frames)) < 4
        verdicts = [one[one["verdict"] != ""] for one in frames]
        false = sum(bool(((one["verdict"] == "better") != (one["exact"] > 0)).any()) for one in verdicts)
        # At most 5 % of the scans; 4 binomial standard deviations are 5.5 %.
        assert false / len(frames) < 0.05 + 0.055
        assert sum(map(len, verdicts)) > 1000
        assert np.mean([(one["cautions"] == "").mean() for one in frames]) >= 0.9

    @pytest.mark.slow
    def test_control_intervals_at_a_lower_level_fail_the_same_check(self):
        assert abs(self.coverage_z(self.scans(0.9))) > 4


class TestContract:
    def test_a_cell_depends_only_on_the_original(self):
        arguments = {"estimator": "uniform-count", "passes": 8, "replicates": 4, "seed": 7}
        whole = ids.scan_substitutions(LAW, TOKENS, **arguments)["log_ratio_replicate"]
        for part in (
            ids.scan_substitutions(LAW, TOKENS, batch_size=3, **arguments),
            ids.scan_substitutions(LAW, TOKENS, positions=[6, 2], symbols="TC", **arguments),
            ids.scan_substitutions(LAW, TOKENS, positions=[4], symbols=[0, 1, 2, 3], **arguments),
        ):
            expected = whole.sel(position=part["position"], symbol=part["symbol"])
            np.testing.assert_array_equal(part["log_ratio_replicate"], expected)
        more = ids.scan_substitutions(LAW, TOKENS, **(arguments | {"replicates": 6}))["log_ratio_replicate"]
        np.testing.assert_array_equal(more.isel(replicate=slice(4)), whole)
        other = ids.scan_substitutions(LAW, TOKENS, **(arguments | {"seed": 8}))["log_ratio_replicate"]
        assert not np.array_equal(other, whole)

    def test_everything_is_labelled(self):
        scan = ids.scan_substitutions(LAW, TOKENS, positions=[3, 1], symbols="GA", passes=4, replicates=4)
        assert scan["log_ratio"].dims == ("position", "symbol")
        assert scan["log_ratio_ci"].dims == ("position", "symbol", "ci_bound")
        assert scan["log_ratio_replicate"].dims == ("position", "symbol", "replicate")
        assert scan["cautions"].dims == ("position", "symbol", "caution")
        assert scan["position"].values.tolist() == [1, 3]
        assert scan["site"].values.tolist() == [2, 4]
        assert scan["symbol"].values.tolist() == ["G", "A"]
        assert scan["token"].values.tolist() == [2, 0]
        assert scan["original"].values.tolist() == ["ACGT"[token] for token in TOKENS[[1, 3]]]
        for name in scan.data_vars:
            assert scan[name].attrs["units"] in ("nat", "1")
            assert "first over second" not in scan[name].attrs["long_name"]
        assert scan.attrs["sequence"] == LAW.decode([TOKENS])[0]
        assert scan.attrs["estimator"] == "coupled auto"
        ratio = ids.estimate_log_ratio(LAW, [TOKENS], [TOKENS])
        assert set(scan.attrs) == {*ratio.attrs, "sequence"}

    def test_passes_are_counted_and_progress_is_reported(self):
        steps = []
        scan = ids.scan_substitutions(LAW, TOKENS, "exhaustive", passes=255, replicates=2, progress=steps.append)
        # 255 masks for the original, 3 x 255 for masked symbols, 127 for each of 24 mutants.
        assert scan.attrs["forward_passes"] == 255 + 3 * 255 + 24 * 127
        assert steps == [1] * 25

    def test_a_network_is_scanned_over_its_alphabet(self):
        scan = ids.scan_substitutions(DENOISER, DENOISER.encode("abc a"), passes=4, replicates=3)
        assert scan["symbol"].values.tolist() == list("abc ")
        assert "exact" not in scan

    def test_any_model_is_scanned_over_tokens(self):
        class Fair:
            def token_nll(self, tokens, masked):
                return masked * 0.7

        scan = ids.scan_substitutions(Fair(), [5, 2, 5], passes=4, replicates=3)
        assert scan["symbol"].values.tolist() == ["2", "5"]
        np.testing.assert_allclose(scan["log_ratio"], 0.0, atol=1e-12)
        assert set(ids.rank_substitutions(scan)["verdict"]) == {""}

    def test_cautions_are_reported(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "time-integral", passes=4, replicates=3)
        assert {"infinite-variance", "few-passes"} <= set(caution_sentences(scan))
        few = ids.scan_substitutions(LAW, TOKENS, "regression", passes=4, replicates=3)
        assert "few-replicates" in caution_sentences(few)

    def test_decisions_and_diagnoses_are_refused(self):
        """They need independent rows, and the substitutions of a scan share their masks."""
        scan = ids.scan_substitutions(LAW, TOKENS, passes=4, replicates=3)
        with pytest.raises(ids.InputError, match="a decision needs the result of"):
            ids.decide(scan)
        with pytest.raises(ids.InputError, match="a scan has no diagnosis"):
            ids.diagnose(scan)


class TestRanking:
    def test_rows_are_the_cells_in_order(self):
        scan = ids.scan_substitutions(LAW, TOKENS, passes=8, replicates=8)
        frame = ids.rank_substitutions(scan)
        assert len(frame) == 8 * 3
        assert frame["log_ratio"].is_monotonic_decreasing
        for row in frame.itertuples():
            cell = scan.sel(position=row.site - 1, symbol=row.symbol)
            assert row.substitution == f"{row.original}{row.site}{row.symbol}"
            assert str(cell["original"].item()) == row.original
            assert (row.lower, row.upper) == tuple(cell["log_ratio_ci"].values)
            for name in ("log_ratio", "log_ratio_se", "exact"):
                assert getattr(row, name) == cell[name].item()

    def test_verdicts_are_simultaneous_over_the_scan(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count+stratified", passes=8, replicates=8)
        frame = ids.rank_substitutions(scan)
        assert set(frame["cautions"]) == {""}
        assert set(frame["verdict"]) == {"better", "worse", ""}
        assert ((frame["verdict"] != "") == (frame["p"] < 0.05)).all()
        assert (frame.loc[frame["verdict"] == "better", "lower"] > 0).all()
        assert (frame.loc[frame["verdict"] == "worse", "upper"] < 0).all()
        pointwise = (frame["lower"] > 0) | (frame["upper"] < 0)
        assert pointwise.sum() > (frame["verdict"] != "").sum()  # they are stricter than pointwise intervals
        made = frame[frame["verdict"] != ""]
        assert ((made["verdict"] == "better") == (made["exact"] > 0)).all()

    def test_exact_estimates_are_decided_by_their_sign(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "exhaustive", passes=255, replicates=2)
        frame = ids.rank_substitutions(scan)
        assert ((frame["verdict"] == "better") == (frame["exact"] > 0)).all()
        assert ((frame["verdict"] == "worse") == (frame["exact"] < 0)).all()


class Checksum:
    """Tokens cost log 2 each; the last one masked costs nothing, but ``penalty`` nats in a sequence with a 1.

    Elsewhere, tokens of a sequence that shows a 1 are a little cheaper, so that only masks of one position show that it
    is less likely. A 3 makes every token 1 nat dearer.
    """

    def __init__(self, penalty: float, shift: float = 0.005) -> None:
        self.penalty, self.shift = penalty, shift

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        alone = masked.sum(dim=1, keepdim=True) == 1
        visible = torch.where(masked, 0, tokens)
        ones, threes = (((visible == token).any(dim=1, keepdim=True) | (tokens == token)).double() for token in (1, 3))
        losses = torch.where(alone, self.penalty * ones, np.log(2.0) - self.shift * ones) + threes
        return torch.where(masked, losses, 0.0)

    def differences(self, length: int) -> dict[str, tuple[float, float]]:
        """Return bounds on the log ratio of a mutant with each symbol."""
        sizes = length - 1
        return {"1": (-self.penalty, self.shift * sizes - self.penalty), "2": (0.0, 0.0), "3": (-length, -0.5 * length)}


LENGTH = 128


def checksum_scan(seed, penalty=5.0):
    zeros = np.zeros(LENGTH, dtype=np.int64)
    how = {"positions": range(0, LENGTH, 16), "symbols": [0, 1, 2, 3], "passes": 16, "replicates": 8, "seed": seed}
    return ids.scan_substitutions(Checksum(penalty), zeros, "uniform-count+stratified", **how)


def false_claims(frame, p_values=None):
    """Count the verdicts, or those that p-values would give, that have the wrong sign."""
    better = frame["verdict"] == "better" if p_values is None else (p_values < 0.05) & (frame["log_ratio"] > 0)
    worse = frame["verdict"] == "worse" if p_values is None else (p_values < 0.05) & (frame["log_ratio"] < 0)
    return int((better & frame["symbol"].isin(["1", "2", "3"])).sum() + (worse & (frame["symbol"] == "2")).sum())


def replicate_p_values(scan):
    """Return the p-values of Student's t over the replicates, which knows nothing of masks that were not drawn."""
    draws = scan["log_ratio_replicate"].values
    p_values = np.full(draws.shape[:2], np.nan)
    changed = scan["log_ratio_p"].notnull().values
    p_values[changed] = analysis.family_wise_signs(analysis.Estimates.of_replicates(draws[changed]))
    return p_values


class TestUnseenMasks:
    """Laws whose surprises sit in masks of one position, which a third of the scans do not have."""

    def test_maths_the_checksum_has_the_differences_that_it_says(self):
        model = Checksum(5.0)
        scan = ids.scan_substitutions(model, [0] * 6, "exhaustive", passes=63, replicates=2, symbols=[0, 1, 2, 3])
        for symbol, (low, high) in model.differences(6).items():
            values = scan["log_ratio"].sel(symbol=symbol)
            assert (values >= low - 1e-9).all()
            assert (values <= high + 1e-9).all()

    @pytest.mark.slow
    def test_false_verdicts_stay_within_the_error(self):
        frames = [ids.rank_substitutions(checksum_scan(seed)) for seed in range(20)]
        runs = sum(false_claims(frame) > 0 for frame in frames)
        assert stats.binomtest(runs, 20, 0.05, alternative="greater").pvalue > 0.01
        # Control: true verdicts are still given.
        assert all((frame.loc[frame["symbol"] == "3", "verdict"] == "worse").mean() == 1 for frame in frames)

    @pytest.mark.slow
    def test_control_students_t_over_replicates_makes_false_claims(self):
        runs = 0
        for seed in range(20):
            scan = checksum_scan(seed)
            scan["log_ratio_p"] = (("position", "symbol"), replicate_p_values(scan))
            frame = ids.rank_substitutions(scan)
            runs += false_claims(frame, frame["p"]) > 0
        assert stats.binomtest(runs, 20, 0.05, alternative="greater").pvalue < 0.01

    def test_each_substitution_has_its_own_cautions(self):
        scan = next(scan for scan in map(checksum_scan, range(20)) if not has_single(scan))
        frame = ids.rank_substitutions(scan)
        unseen, constant = (frame["cautions"].str.contains(key) for key in ("unseen-sizes", "no-spread"))
        assert set(frame.loc[unseen, "symbol"]) == {"1", "2"}
        assert set(frame.loc[constant, "symbol"]) == {"2"}
        assert set(frame.loc[frame["symbol"] == "3", "cautions"]) == {""}
        assert not scan["cautions"].sel(symbol="0").any()


def has_single(scan):
    """Return whether a pass masks one position: then some replicates of mutants with a 1 are far below 0."""
    return bool((scan["log_ratio_replicate"].sel(symbol="1") < -10).any())


class Rare:
    """Each token costs 1 nat; one of them 40 more in a few masks that show a 2, and all 1 more if a 3 is shown."""

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        shown = torch.where(masked, 0, tokens)
        two, three = ((shown == token).any(dim=1, keepdim=True).double() for token in (2, 3))
        losses = 1.0 + three.repeat(1, tokens.shape[1])
        size = masked.sum(dim=1)
        losses[:, 0] += 40.0 * two[:, 0] * ((size > 12) & (size <= 16))
        return torch.where(masked, losses, 0.0)


class TestVerdicts:
    @pytest.mark.parametrize("name", ["time-integral", "published-llada"])
    def test_no_verdict_where_the_interval_may_miss_without_showing_it(self, name):
        frame = ids.rank_substitutions(ids.scan_substitutions(LAW, TOKENS, name, passes=32, replicates=8))
        assert frame["cautions"].str.contains("infinite-variance|biased").all()
        assert (frame["verdict"] == "").all()
        assert (frame["p"] < 0.05).any()

    def test_only_the_skewed_row_has_no_verdict(self):
        # At a level so low that the skewed row is significant.
        how = {"positions": [5, 9], "symbols": [2, 3], "passes": 16, "replicates": 32, "level": 0.5}
        frame = ids.rank_substitutions(ids.scan_substitutions(Rare(), [0] * 64, "uniform-count+stratified", **how))
        skewed = frame["cautions"].str.contains("skewed")
        assert set(frame.loc[skewed, "symbol"]) == {"2"}
        assert set(frame.loc[~skewed, "symbol"]) == {"3"}
        assert (frame.loc[skewed, "verdict"] == "").all()
        assert (frame.loc[~skewed, "verdict"] == "worse").all()
        assert (frame.loc[skewed, "p"] < 0.5).any()  # it would have a verdict

    def test_control_few_replicates_alone_withhold_nothing(self):
        frame = ids.rank_substitutions(ids.scan_substitutions(LAW, TOKENS, passes=15, replicates=2))
        assert set(frame["cautions"]) == {"few-replicates"}
        assert (frame["verdict"] != "").any()

    @pytest.mark.parametrize(("name", "passes"), [("chain", 8), ("exhaustive", 255)])
    def test_exact_points_are_not_skewed(self, name, passes):
        frame = ids.rank_substitutions(ids.scan_substitutions(LAW, TOKENS, name, passes=passes, replicates=8))
        assert set(frame["cautions"]) == {""}
        assert (frame["p"] == 0).all()
        assert (frame["verdict"] != "").all()


TABLE = ids.TableLaw(["AAC", "CAC"], [0.5, 0.5], "AC")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"positions": [8]}, "position 8 is outside the sequence, whose positions are 0 to 7"),
        ({"positions": [-1]}, "position -1 is outside"),
        ({"positions": []}, "positions must be integers, at least one"),
        ({"positions": [0.5]}, "positions must be integers"),
        ({"positions": [1], "context": 2}, "position 1 is context, which cannot be substituted"),
        ({"symbols": "AX"}, "symbol 'X' is not a token of the model"),
        ({"symbols": [9]}, "position 0: token 9 is outside the alphabet"),
        ({"symbols": [int(TOKENS[0])], "positions": [0]}, "nothing to substitute"),
        ({"tokens": [0, 5]}, "position 1: token 5 is outside the alphabet"),
        ({"tokens": [[0, 1]]}, "non-empty row of tokens"),
        ({"replicates": 1}, "at least 2 replicates"),
        ({"passes": 0}, "passes must be a positive integer"),
        ({"level": 95}, "between 0 and 1"),
        ({"estimator": "chian"}, "there is no estimator 'chian'"),
        ({"context": 8}, "all 8 tokens are context"),
        ({"estimator": "exhaustive"}, "exhaustive needs 255 passes"),
        ({"model": TABLE, "tokens": [0, 0, 1]}, "substitution A2C has probability 0 under this law"),
        ({"model": TABLE, "tokens": [1, 1, 1]}, "the sequence has probability 0"),
        ({"model": TABLE, "tokens": [0, 1]}, "sequences must have length 3 under this law, got length 2"),
    ],
)
def test_bad_input_is_one_sentence(arguments, sentence):
    with pytest.raises(ids.InfodisError, match=sentence) as caught:
        ids.scan_substitutions(**({"model": LAW, "tokens": TOKENS} | arguments))
    assert "\n" not in str(caught.value)


def test_possible_substitutions_of_a_table_are_scanned():
    scan = ids.scan_substitutions(TABLE, [0, 0, 1], "exhaustive", passes=7, replicates=2, positions=[0])
    np.testing.assert_allclose(scan["log_ratio"], 0.0, atol=1e-12)
