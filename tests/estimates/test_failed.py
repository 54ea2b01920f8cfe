"""If a model fails on one sequence, that one is reported and all others keep their numbers."""

import json

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError, Job, ModelError, estimator, evaluate, make_targets

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
BAD = 3  # the row that starts with an A


class FailsOn:
    """The law, with another loss in rows that start with `token` and have `fewest` masked positions or more."""

    def __init__(self, token=0, loss=torch.nan, fewest=1):
        self.token, self.loss, self.fewest = token, loss, fewest

    def token_nll(self, tokens, masked):
        wrong = (tokens[:, :1] == self.token) & (masked.sum(dim=1, keepdim=True) >= self.fewest) & masked
        return torch.where(wrong, self.loss, LAW.token_nll(tokens, masked))


@pytest.fixture
def tokens():
    rows = LAW.sample(6, 8, seed=1)
    rows[:, 0] = 1
    rows[BAD, 0] = 0
    return rows


def without(values):
    return np.delete(values, BAD, axis=0)


@pytest.mark.parametrize("name", ["auto", "uniform-count+stratified", "regression", "chain", "exhaustive"])
@pytest.mark.parametrize("loss", [torch.nan, torch.inf, -1.0])
def test_contract_other_sequences_keep_their_numbers(tokens, name, loss):
    model, passes = FailsOn(loss=loss), 256 if name == "exhaustive" else 16
    result = ids.estimate_nll(model, tokens, name, passes=passes)
    alone = ids.estimate_nll(model, without(tokens), name, passes=passes)
    for variable in alone.data_vars:
        if variable != "effective_positions":
            np.testing.assert_array_equal(without(result[variable].values), alone[variable].values)
    assert [bool(one) for one in result["failed"].values] == [row == BAD for row in range(6)]
    assert np.isnan(result["nll"][BAD])
    assert np.isnan(result["nll_ci"][BAD]).all()
    assert "failed" not in alone  # without failures there is no such variable


def test_contract_one_nan_in_a_thousand_is_reported():
    tokens = np.random.default_rng(0).integers(1, 4, (1000, 4))
    tokens[417, 0] = 0
    result = ids.estimate_nll(FailsOn(), tokens, "uniform-count", passes=2, replicates=2)
    assert np.flatnonzero(result["failed"].values != "").tolist() == [417]
    assert np.flatnonzero(np.isnan(result["nll"].values)).tolist() == [417]
    assert "model returned NaN as a loss" in str(result["failed"][417].item())
    row = ids.summary(result).to_dataframe().iloc[417]
    assert np.isnan(row["nll"])
    assert row["failed"] == result["failed"][417]
    assert "model returned NaN as a loss" in str(ids.summary(result))


def test_passes_of_failed_sequences_are_counted(tokens):
    result = ids.estimate_nll(FailsOn(), tokens, "uniform-count")
    assert (result["forward_passes"] > 0).all()
    assert result["length"].values.tolist() == [8] * 6
    assert result.attrs["forward_passes"] == int(result["forward_passes"].sum())


def test_failed_sequences_have_no_cautions(tokens):
    held = ids.estimate_nll(FailsOn(), tokens, "time-integral")["cautions"].sel(caution="infinite-variance")
    assert held.dtype == bool
    assert held.values.tolist() == [row != BAD for row in range(6)]


def test_rounds_continue_without_failed_sequences(tokens):
    result = ids.estimate_nll(FailsOn(), tokens, "uniform-count", precision=0.3)
    assert without(result["reached"].values).all()
    assert not result["reached"][BAD]


@pytest.mark.parametrize(
    "estimate",
    [
        ids.estimate_nll,
        lambda model, rows, *a, **how: ids.estimate_log_ratio(model, rows, rows[[1, 0, 2, 4, 5, 5]], *a, **how),
    ],
    ids=["nll", "ratio"],
)
def test_a_failure_in_a_later_round_counts(tokens, estimate):
    calls = []

    class Late(FailsOn):
        def token_nll(self, tokens, masked):
            calls.append(len(tokens))
            fine = len(calls) < 3
            return LAW.token_nll(tokens, masked) if fine else super().token_nll(tokens, masked)

    result = estimate(Late(), tokens, "uniform-count", precision=0.05, passes=8, replicates=4)
    assert [bool(one) for one in result["failed"].values] == [row == BAD for row in range(6)]


def test_a_failure_on_the_full_mask_only_counts(tokens):
    model = FailsOn(fewest=8)  # more than half of the draws of four masks of uniform size lack the full mask
    for seed in range(8):
        result = ids.estimate_nll(model, tokens, "uniform-count", passes=2, replicates=2, seed=seed)
        assert (result["failed"].values != "").tolist() == [row == BAD for row in range(6)]


@pytest.mark.parametrize("name", ["score-entropy(uniform,polynomial)", "marginal-score-entropy(uniform)+stratified"])
def test_maths_under_uniform_noise_impossible_sequences_fail(name):
    law = ids.TableLaw(["ACGT", "CAGT"], [0.5, 0.5])
    result = ids.estimate_nll(law, law.encode(["ACGT", "CCGT"]), name)
    assert np.isfinite(result["nll"][0])
    assert result["failed"][0] == ""
    assert np.isnan(result["nll"][1])
    assert "law gives it probability 0" in str(result["failed"][1].item())


def test_an_error_is_raised_if_all_sequences_fail(tokens):
    with pytest.raises(ModelError, match=r"^sequence 0, position \d \(token 0\): the model returned NaN as a loss$"):
        ids.estimate_nll(FailsOn(), tokens[BAD:][:1])


class TestRatios:
    @pytest.mark.parametrize("coupled", [True, False])
    @pytest.mark.parametrize("name", ["uniform-count", "marginal-score-entropy(uniform,polynomial)+stratified"])
    def test_pairs_of_two_impossible_sequences_fail_without_a_warning(self, name, coupled):
        law = ids.TableLaw(["AABB", "ABAB", "BBBB"], [0.5, 0.25, 0.25], "AB")
        first, second = law.encode(["AAAA", "AABB"]), law.encode(["BBBA", "ABAB"])
        result = ids.estimate_log_ratio(law, first, second, name, passes=8, coupled=coupled)
        assert (result["failed"].values != "").tolist() == [True, False]
        assert np.isnan(result["log_ratio"].values).tolist() == [True, False]

    def test_the_failed_side_is_named(self, tokens):
        result = ids.estimate_log_ratio(FailsOn(), tokens, tokens[::-1].copy(), "uniform-count")
        assert str(result["failed"][BAD].item()).startswith("first side, position")
        assert str(result["failed"][5 - BAD].item()).startswith("second side, position")
        table = ids.summary(result).to_dataframe()
        assert table["likelier"].tolist() == [
            "" if row in (BAD, 5 - BAD) else table["likelier"][row] for row in range(6)
        ]
        assert (table["likelier"] == "").sum() == 2

    def test_the_failed_model_is_named(self, tokens):
        result = ids.estimate_model_log_ratio(LAW, FailsOn(), tokens, "uniform-count")
        alone = ids.estimate_model_log_ratio(LAW, FailsOn(), without(tokens), "uniform-count")
        assert str(result["failed"][BAD].item()).startswith("second side, position")
        np.testing.assert_array_equal(without(result["log_ratio"].values), alone["log_ratio"].values)


class TestReaders:
    @pytest.fixture
    def result(self, tokens):
        return ids.estimate_nll(FailsOn(), tokens, "uniform-count")

    @pytest.mark.parametrize(
        "read",
        [
            lambda one: ids.average(one, "these"),
            lambda one: ids.average(one, "population"),
            lambda one: ids.split_budget(one, 10_000),
            lambda one: ids.compare_variances(one, one),
        ],
    )
    def test_nothing_is_dropped_silently(self, result, read):
        with pytest.raises(InputError, match=r"1 of 6 sequences have no estimate, 3 among them .*result\.isel"):
            read(result)

    def test_the_workaround_in_the_error_works(self, result, tokens):
        kept = result.isel(sequence=(result.failed == "").values)
        alone = ids.estimate_nll(FailsOn(), without(tokens), "uniform-count")
        assert ids.average(kept, "these")["nll"] == ids.average(alone, "these")["nll"]
        assert "failed" not in ids.summary(kept).to_dataframe()

    def test_a_decision_is_rejected(self, tokens):
        result = ids.estimate_log_ratio(FailsOn(), tokens, np.roll(tokens, 1, axis=0), "uniform-count")
        with pytest.raises(InputError, match="2 of 6 pairs have no estimate"):
            ids.decide(result)

    def test_a_diagnosis_reports_failures_and_checks_the_others(self, result, tmp_path):
        found = {one.check: one for one in ids.diagnose(result).verdicts}
        assert found["failed"].verdict == "caution"
        assert found["failed"].items == (BAD,)
        assert "nan" not in found["precision"].measured
        assert "no estimate for 1 of 6 rows" in ids.write_diagnosis(result, tmp_path).read_text()

    def test_results_are_stored(self, result, tmp_path):
        result.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
        json.loads(ids.summary(result).to_dataframe().to_json(orient="records"))


class TestRuns:
    def jobs(self, tokens):
        plan = estimator("uniform-count").plan(8, 4, 2, np.random.default_rng(0))
        return [Job(target, plan) for target in make_targets(tokens)]

    @pytest.mark.parametrize("batch_size", [1, 3, 512])
    def test_failed_jobs_are_kept_on_request(self, tokens, batch_size):
        found = list(evaluate(FailsOn(), self.jobs(tokens), batch_size=batch_size, keep_failed=True))
        assert [one.problem is not None for one in found] == [row == BAD for row in range(6)]
        assert np.isnan(found[BAD].losses).all()

    def test_control_otherwise_they_end_the_run(self, tokens):
        with pytest.raises(ModelError, match=r"^sequence 3, position \d \(token \d\): the model returned NaN"):
            list(evaluate(FailsOn(), self.jobs(tokens)))

    def test_a_ranking_needs_all_its_candidates(self, tokens):
        with pytest.raises(ModelError, match="candidate 3"):
            ids.rank_candidates(FailsOn(), tokens)


class TestTexts:
    def test_a_failed_window_fails_its_record(self, monkeypatch):
        austen = ids.load_model("austen")
        odd = int(austen.encode("q")[0])
        own = type(austen).token_nll

        def token_nll(self, tokens, masked, *, lengths=None):
            losses = own(self, tokens, masked, lengths=lengths)
            return torch.where((tokens == odd).any(dim=1, keepdim=True), torch.nan, losses)

        monkeypatch.setattr(type(austen), "token_nll", token_nll)
        long = "a" * (austen.longest + 8)
        records = [
            ids.Record("fine", "", "It is a truth"),
            ids.Record("odd", "", "quite"),
            ids.Record("long", "", long + "q"),
        ]
        result = ids.estimate_texts(austen, records, "uniform-count", overlap=4, passes=2, replicates=2)
        assert np.isfinite(result["nll"].values).tolist() == [True, False, False]
        assert np.isfinite(result["bits_per_token_ci"].values).all(axis=1).tolist() == [True, False, False]
        first, second, third = result["failed"].values.tolist()
        assert first == ""
        assert second.startswith("position ")
        assert third.startswith("window 2 of 2, position")
        assert "model returned NaN" in str(ids.summary(result))
