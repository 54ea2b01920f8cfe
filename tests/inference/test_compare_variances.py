"""Variances of two results: costs are the passes spent, pairing is recognised, and the verdict follows."""

import numpy as np
import pytest

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=12, seed=1)


def estimated(name="uniform-count", law=LAW, replicates=24, **asked):
    return ids.estimate_nll(law, TOKENS, name, passes=8, replicates=replicates, **asked)


@pytest.fixture(scope="module")
def plain():
    return estimated()


def test_the_ratio_compares_variance_times_passes(plain):
    other = estimated("uniform-count+stratified", replicates=16)
    found = ids.compare_variances(plain, other)
    work = [
        one["nll_replicate"].var("replicate", ddof=1) * one["forward_passes"] / one.sizes["replicate"]
        for one in (plain, other)
    ]
    np.testing.assert_allclose(found["variance_ratio"], work[0] / work[1], rtol=1e-12)
    assert float(found["total_ratio"]) == pytest.approx(float(work[0].sum() / work[1].sum()))
    assert found["variance_ratio_ci"].attrs["units"] == "1"
    assert not found.attrs["paired"]


def test_a_better_design_is_detected_and_reported(plain):
    found = ids.compare_variances(plain, estimated("time-free", replicates=32))
    upper = float(found["total_ratio_ci"].sel(ci_bound="upper"))
    assert upper < 1
    assert found.attrs["verdict"].startswith(
        f"take the first: {1 / float(found['total_ratio']):.3g} [{1 / upper:.3g}, "
    )
    assert "of 3 sequences alone" in found.attrs["verdict"]
    again = ids.compare_variances(plain, estimated(seed=1))  # negative control: the same law
    assert again.attrs["verdict"].startswith("no significant difference: the first has ")
    assert (again["smaller"] == "open").all()


def test_two_models_under_one_seed_are_paired(plain):
    other = estimated(law=ids.MarkovChain.random(order=1, alphabet="ACGT", seed=1))
    assert ids.compare_variances(plain, other).attrs["paired"]
    assert not ids.compare_variances(plain, other, paired=False).attrs["paired"]
    for changed in (estimated(seed=1), estimated("time-free")):
        assert not ids.compare_variances(plain, changed).attrs["paired"]


def test_a_requested_precision_gives_padded_replicates(plain):
    asked = estimated(replicates=8, precision=0.7, seed=2)
    assert asked["nll_replicate"].isnull().any()
    found = ids.compare_variances(asked, plain)
    spent = asked["forward_passes"] / asked["replicates"] * asked["nll_replicate"].var("replicate", ddof=1)
    own = plain["forward_passes"] / 24 * plain["nll_replicate"].var("replicate", ddof=1)
    np.testing.assert_allclose(found["variance_ratio"], spent / own, rtol=1e-12)
    assert np.isfinite(found["total_ratio_ci"]).all()


def test_exact_results_win(plain):
    exact = ids.estimate_nll(LAW, TOKENS, "chain", passes=12, replicates=4)
    assert (ids.compare_variances(exact, plain)["smaller"] == "first").all()
    assert "it is exact and the other is not" in ids.compare_variances(plain, exact).attrs["verdict"]
    both = ids.compare_variances(exact, exact)
    assert both.attrs["verdict"] == "both are exact: there is nothing to compare."
    assert (both["smaller"] == "exact").all()


def test_coupled_and_decoupled_ratios_are_compared():
    second = LAW.sample(3, length=12, seed=2)
    coupled, decoupled = (
        ids.estimate_log_ratio(LAW, TOKENS, second, "uniform-count", passes=8, replicates=16, coupled=coupled)
        for coupled in (True, False)
    )
    found = ids.compare_variances(coupled, decoupled)
    assert found["variance_ratio"].dims == ("pair",)
    assert not found.attrs["paired"]
    assert "of 3 pairs alone" in found.attrs["verdict"]


def test_results_that_cannot_be_compared_are_rejected(plain):
    fewer = ids.estimate_nll(LAW, TOKENS[:2], "uniform-count", passes=8, replicates=8)
    pairs = ids.estimate_log_ratio(LAW, TOKENS, TOKENS[::-1], "uniform-count", passes=8, replicates=8)
    for other, message in [
        (fewer, "over the same sequences in the same order"),
        (pairs, "two results of one kind"),
        (plain, "both results are the same draw"),
        (plain["nll"], "needs the result of estimate_nll"),
        (estimated("time-free", replicates=2), "at least 3 replicates, got 2"),
    ]:
        with pytest.raises(ids.InputError, match=message):
            ids.compare_variances(plain, other)
