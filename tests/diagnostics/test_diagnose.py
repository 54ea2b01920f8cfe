"""Diagnosis of results: findings that hold by construction come first, and each verdict can be triggered."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import infodis_stats as ids
from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.results.validity import CAUTIONS

LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(8, length=12, seed=1)


def estimated(name="uniform-count+stratified", passes=8, replicates=16, **asked):
    return ids.estimate_nll(LAW, TOKENS, name, passes=passes, replicates=replicates, **asked)


def words(result):
    return {one.check: one.verdict for one in ids.diagnose(result).verdicts}


def test_a_sound_result_is_fine():
    found = ids.diagnose(estimated())
    assert found.verdict == "fine"
    assert found.overall == "fine: no problems found in 6 checks."
    assert set(words(estimated())) == {"construction", "exact value", "streams", "running mean", "tails", "precision"}


def test_findings_by_construction_come_first():
    found = ids.diagnose(estimated("time-integral", replicates=3, interval="student-t"))
    assert found.verdict == "do not use"
    assert [one.check for one in found.verdicts[:3]] == ["infinite-variance", "skewed", "few-replicates"]
    assert found.overall.startswith("do not use: infinite variance by construction")
    assert "auto" in found.verdicts[0].advice


def test_every_caution_has_its_own_verdict():
    found = caution_verdicts(CAUTIONS.values())
    assert [verdict.check for verdict in found] == list(CAUTIONS)
    assert {verdict.verdict for verdict in found} == {"caution", "do not use"}
    assert all(verdict.advice for verdict in found)
    assert [verdict.verdict for verdict in caution_verdicts([])] == ["fine"]


def test_points_of_exact_estimators_are_fine():
    found = ids.diagnose(ids.estimate_nll(LAW, TOKENS[:, :4], "exhaustive", passes=15, replicates=2))
    assert found.verdict == "fine"
    assert "8 of 8 rows" in next(one.reason for one in found.verdicts if one.check == "points")
    assert words(estimated("chain", passes=12))["points"] == "fine"


def test_points_of_a_sampler_get_a_caution():
    """Any revealed symbol determines all others, so only the full mask has a loss."""
    law = ids.TableLaw(["AAAAAAAA", "BBBBBBBB"], [0.5, 0.5])
    tokens = law.encode(["AAAAAAAA"])
    result = ids.estimate_nll(law, tokens, "published-infodis", passes=2, replicates=4)
    assert (result["nll_replicate"] == 0).all()  # it never masks everything; the exact value is ln 2
    assert words(result)["points"] == "caution"
    assert words(result)["exact value"] == "do not use"


def test_an_estimate_that_misses_its_exact_value_is_detected():
    result = estimated()
    result["exact"] = result["exact"] + 0.5 * np.array([1, *[0] * 7]) * 40
    found = ids.diagnose(result).verdicts[0]
    assert (found.check, found.verdict) == ("exact value", "do not use")
    assert "(0)" in found.reason


def test_too_low_coverage_of_the_exact_values_is_detected():
    """Each of eight estimates is off by 2.5 standard errors, which is not significant for any one of them."""
    result = estimated()
    result["exact"] = result["nll"] + 2.5 * result["nll_se"]
    found = ids.diagnose(result).verdicts[0]
    assert found.reason == "too few intervals contain the exact value"


def test_one_replicate_gets_the_checks_that_apply():
    found = estimated(replicates=1)
    assert words(found) == {"few-passes": "caution", "exact value": "fine", "precision": "fine"}
    checks = ("construction", "exact value", "precision")
    assert words(estimated(passes=32, replicates=1)) == dict.fromkeys(checks, "fine")
    found["exact"] = found["nll"] + 2.5 * found["nll_se"] * stats.t.ppf(0.975, found["degrees"])
    assert ids.diagnose(found).verdicts[0].reason == "too few intervals contain the exact value"
    exact = ids.estimate_nll(LAW, TOKENS[:, :4], "exhaustive", passes=15, replicates=1)
    assert ids.diagnose(exact).verdict == "fine"
    exact["exact"][2] += 1.0
    assert "differ significantly from the exact value (2)" in ids.diagnose(exact).verdicts[0].reason


def test_three_simultaneous_intervals_that_miss_are_too_many():
    """Of 8 intervals at 95 %, three misses may be chance if the level is pointwise, but not if it is simultaneous."""
    for simultaneous, verdict in ((False, "fine"), (True, "do not use")):
        result = estimated(passes=32, replicates=1, simultaneous=simultaneous)
        outside = result["nll_ci"].sel(ci_bound="upper") + 0.1
        result["exact"] = result["nll"].where(result["sequence"] > 2, outside)
        assert words(result)["exact value"] == verdict


def test_an_interval_that_ends_at_zero_gets_a_caution():
    law = ids.TableLaw(["AA", "AB", "BB"], [0.5, 0.25, 0.25])
    result = ids.estimate_nll(law, law.encode(["AA"]), "time-free", passes=1, replicates=3, seed=3)
    assert float(result["nll_ci"][0, 0]) == 0
    assert words(result)["precision"] == "caution"


def test_a_certain_sequence_has_no_caution():
    law = ids.TableLaw(["AA", "BB"], [1.0, 0.0])
    result = ids.estimate_nll(law, law.encode(["AA"]), "time-free", passes=4, replicates=3)
    assert result["nll_ci"].values.tolist() == [[0, 0]]
    assert words(result)["precision"] == "fine"


def test_ratios_and_missing_replicates():
    ratio = ids.estimate_log_ratio(LAW, TOKENS[:4], TOKENS[4:], "uniform-count", passes=8, replicates=16)
    assert words(ratio)["precision"] == "fine"
    result = estimated()
    padded = result["nll_replicate"].values.copy()
    padded[2, 10:] = np.nan
    result["nll_replicate"] = (("sequence", "replicate"), padded)
    assert ids.diagnose(result).verdict == "fine"


def test_texts():
    record = ids.Record("opening", "It is a truth ", "universally")
    result = ids.estimate_texts(ids.load_model("austen"), [record], passes=8, replicates=8)
    assert "exact value" not in words(result)
    assert ids.diagnose(result).verdict == "fine"


def test_verdicts_are_printed_worst_first():
    found = Diagnosis(
        [Verdict("a", "fine", "well"), Verdict("b", "do not use", "bad", "stop"), Verdict("c", "caution", "hm")]
    )
    assert [one.check for one in found.verdicts] == ["b", "c", "a"]
    assert str(found).splitlines()[0] == "do not use: bad."
    assert found.to_dataframe()["advice"].tolist() == ["stop", "", ""]
    assert found.to_markdown().splitlines()[2].split("|")[1].strip() == "b"
    assert list(found.by_word()) == ["fine", "caution", "do not use"]
    assert str(Diagnosis([])) == "fine: no problems found in 0 checks."


@pytest.mark.parametrize("other", [xr.Dataset(), xr.DataTree(), None, estimated().drop_vars("nll_replicate")])
def test_input_other_than_a_result_is_rejected(other):
    with pytest.raises(ids.InputError, match="a diagnosis needs"):
        ids.diagnose(other)
