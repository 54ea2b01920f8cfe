"""Substitution scans: exact if possible, calibrated otherwise, and every cell is independent of the rest."""

import numpy as np
import pytest
from scipy import stats

import infodis_stats as ids
from estimators import Job, evaluate, make_targets
from estimators.streams import root_seed, stream
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

    def test_intervals_are_computed_from_the_replicates(self):
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count", passes=4, replicates=5, level=0.8)
        draws = scan["log_ratio_replicate"].values[TOKENS != 0, 0]
        expected = stats.t.interval(0.8, 4, draws.mean(axis=1), stats.sem(draws, axis=1))
        np.testing.assert_allclose(scan["log_ratio_ci"].values[TOKENS != 0, 0].T, expected)
        np.testing.assert_allclose(scan["log_ratio"], scan["log_ratio_replicate"].mean("replicate"))

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
        cautions = caution_sentences(ids.scan_substitutions(LAW, TOKENS, "time-integral", passes=4, replicates=3))
        assert {"infinite-variance", "few-replicates"} <= set(cautions)


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
        scan = ids.scan_substitutions(LAW, TOKENS, "uniform-count+stratified", passes=16, replicates=8)
        frame = ids.rank_substitutions(scan)
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
