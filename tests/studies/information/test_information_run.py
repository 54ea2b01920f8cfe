"""Information studies: their parts match comparisons and information curves, and the lead is unbiased."""

import json

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.studies.comparison.summary import summarise
from infodis_stats.studies.information.run import family_lead
from tests.support.small_studies import SMALL_INFORMATION

SHORT, LONG = "A <b>chain</b>: short", "A <b>chain</b>: long"
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)


def test_groups_are_named_after_their_subject(information_study):
    for name in ("summary", "curves"):
        assert information_study[name]["group"].values.tolist() == [SHORT, LONG, "Hidden"]
    assert information_study["draws"]["item"].values[0] == f"{SHORT}/0"


@pytest.mark.parametrize("name", ["uniform-count+stratified", "marginal-score-entropy(uniform,polynomial)+stratified"])
def test_draws_match_the_estimators(information_study, name):
    tokens = LAW.sample(3, length=11, seed=1)
    draws = information_study["draws"].to_dataset()
    expected = ids.estimator(name).sample(LAW, tokens, passes=8, replicates=16, rng=np.random.SeedSequence(3))
    found = draws["estimate"].sel(estimator=name, passes=8).isel(item=draws["group"] == LONG)
    np.testing.assert_array_equal(found, expected)
    truth = information_study["truth"].to_dataset()
    np.testing.assert_array_equal(truth["truth"][truth["group"] == LONG], LAW.nll(tokens))


def test_the_summary_is_that_of_a_comparison_over_all_subjects(information_study):
    draws, truth = information_study["draws"].to_dataset(), information_study["truth"].to_dataset()
    expected = summarise(draws, truth, reference="uniform-count+stratified", seed=3)
    summary = information_study["summary"].to_dataset()
    xr.testing.assert_identical(summary[list(expected.data_vars)], expected)
    cautions = summary["cautions"].sel(group=LONG)
    assert cautions.sel(estimator="score-entropy(uniform)", caution="infinite-variance")
    assert json.loads(information_study["provenance"].attrs["not_run"])  # triangular needs more than 4 passes


def test_curves_match_estimate_information(information_study):
    curves = information_study["curves"].to_dataset().sel(group=SHORT, noise="uniform")
    expected = ids.estimate_information(LAW, ids.Uniform(), length=5, sequences=64, passes=8, seed=3)
    for name in ("information", "information_se", "information_ci", "exact"):
        np.testing.assert_array_equal(curves[name], expected[name])
    assert curves["entropy"].item() == pytest.approx(LAW.entropy(5))
    assert curves["length"].item() == 5
    draws = information_study["draws"]["forward_passes"].sum() + information_study["curves"]["forward_passes"].sum()
    assert information_study["provenance"].attrs["forward_passes"] == draws


def test_unknown_values_are_missing(information_study):
    curves = information_study["curves"].to_dataset()
    assert curves["exact"].sel(group="Hidden").isnull().all()
    assert curves["entropy"].isnull().values.tolist() == [False, False, True]
    assert curves["entropy_z"].sel(group="Hidden").isnull().all()
    assert curves["exact"].sel(group=LONG).isnull().all()
    z = (curves["information"][..., 0] - curves["entropy"]) / curves["information_se"][..., 0]
    np.testing.assert_allclose(curves["entropy_z"], z)
    assert (curves["entropy_p"] > 0.05).sum() == 4


def test_a_subset_of_a_study_has_the_same_numbers(information_study, tmp_path):
    path = tmp_path / "part.toml"
    head, first, _ = SMALL_INFORMATION.partition("[[subjects]]")[0], *SMALL_INFORMATION.split("[[subjects]]")[1:]
    path.write_text(f"{head}[[subjects]]{first}".replace('    "triangular",\n', ""))
    part = ids.run_study(path, batch_size=37)
    for name, variable in (("draws", "estimate"), ("curves", "information")):
        found = part[name][variable]
        whole = information_study[name][variable]
        chosen = {dim: found[dim] for dim in ("item", "estimator", "group") if dim in found.dims}
        np.testing.assert_array_equal(found, whole.sel(chosen))


def drawn(deviations, replicates=64, items=8, seed=0):
    """Draw normal replicates of estimators with these standard deviations, for one number of passes."""
    rng = np.random.default_rng(seed)
    shape = (items, len(deviations), 1, replicates)
    values = rng.standard_normal(shape) * np.array(list(deviations.values()))[:, None, None]
    return xr.Dataset(
        {"estimate": (["item", "estimator", "passes", "replicate"], values)},
        coords={"group": ("item", ["all"] * items), "estimator": list(deviations), "passes": [8]},
    )


def lead_of(deviations, **asked):
    samplers = [ids.estimator(name) for name in deviations]
    return family_lead(drawn(deviations, **asked), samplers).isel(group=0, passes=0)


FAMILIES = {
    "time-integral": 0.01,  # infinite variance: never the best
    "uniform-count": 2.0,
    "triangular": 1.0,
    "marginal-score-entropy(uniform)": 3.0,
    "marginal-score-entropy(uniform)+stratified": 0.5,
    "marginal-score-entropy(uniform,end=0.9)": 0.01,  # biased: never the best
}


def test_the_lead_compares_the_best_sound_estimators():
    found = lead_of(FAMILIES)
    assert (found["best_masked"], found["best_noised"]) == ("triangular", "marginal-score-entropy(uniform)+stratified")
    lower, upper = found["lead_ci"].values
    assert lower < 4.0 < upper
    swapped = lead_of(FAMILIES | {"triangular": 0.25}, seed=1)
    lower, upper = swapped["lead_ci"].values
    assert lower < 0.25 < upper < 1


def test_the_lead_among_equals_has_no_selection_bias():
    """The best of ten equal score entropies looks better on the replicates that selected it, but not on the others."""
    names = [f"marginal-score-entropy(uniform,polynomial,power={power})" for power in range(1, 11)]
    equal = dict.fromkeys(["triangular", *names], 1.0)
    leads, flattered = [], []
    for seed in range(40):
        found = lead_of(equal, replicates=16, items=2, seed=seed)
        leads.append(np.log(found["lead"].item()))
        variance = drawn(equal, replicates=16, items=2, seed=seed)["estimate"].var("replicate", ddof=1).mean("item")
        flattered.append(np.log(variance[0, 0] / variance[1:, 0].min()))
    error = np.std(leads) / 40**0.5
    assert abs(np.mean(leads)) < 4 * error
    assert np.mean(flattered) > 4 * error


def test_a_single_family_has_no_lead():
    found = lead_of({"triangular": 1.0, "time-integral": 1.0, "score-entropy(uniform)": 1.0})
    assert (found["best_masked"], found["best_noised"]) == ("triangular", "")
    assert found["lead"].isnull()
    assert found["lead_ci"].isnull().all()


def test_texts_of_several_lengths_are_refused_and_of_one_length_compared(tmp_path):
    text = SMALL_INFORMATION.replace("count = 3, length = 25, seed = 1", 'records = "a.txt"')
    (tmp_path / "study.toml").write_text(text)
    (tmp_path / "a.txt").write_text("ABBA\nBBA\n")
    with pytest.raises(ids.InputError, match="group '25' of 'Hidden' needs whole sequences of one length, without"):
        ids.run_study(tmp_path / "study.toml")
    (tmp_path / "a.txt").write_text("ABBABBAAB\nBBAABABBA\n")
    tree = ids.run_study(tmp_path / "study.toml")
    law = ids.HiddenMarkov.random(2, "AB", seed=5)
    exact = law.nll(law.encode(["ABBABBAAB", "BBAABABBA"]))
    np.testing.assert_allclose(tree["truth"]["truth"].values[-2:], exact, rtol=1e-12)
