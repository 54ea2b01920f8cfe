"""Estimators that are biased by construction are never recommended for their small variance."""

import numpy as np
import pytest

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(4, length=16, seed=1)


def estimated(name, model=LAW):
    return ids.estimate_nll(model, TOKENS, name, passes=8, replicates=16, seed=0)


def test_a_biased_result_without_variance_is_not_exact():
    biased, sound = estimated("published-d1"), estimated("uniform-count+stratified")
    assert biased["nll_replicate"].std("replicate").values.max() < 1e-6
    for first, second, winner in ((biased, sound, "second"), (sound, biased, "first")):
        compared = ids.compare_variances(first, second)
        assert compared.attrs["verdict"].startswith(f"take the {winner}: the ")
        assert "biased by construction" in compared.attrs["verdict"]
        assert set(compared["smaller"].values) == {"biased"}
    assert compared["rmse"].values[1] > compared["rmse"].values[0]


def test_the_errors_are_those_of_the_replicates():
    biased, sound = estimated("published-d1"), estimated("uniform-count+stratified")
    compared = ids.compare_variances(biased, sound)
    for index, result in enumerate((biased, sound)):
        error = result["nll_replicate"].values - LAW.nll(TOKENS)[:, None]
        assert compared["rmse"].values[index] == pytest.approx(np.sqrt((error**2).mean()))


class Hidden:
    """The law, without its exact values."""

    def token_nll(self, tokens, masked):
        return LAW.token_nll(tokens, masked)


def test_there_is_no_recommendation_without_exact_values():
    compared = ids.compare_variances(
        estimated("published-d1", Hidden()), estimated("uniform-count+stratified", Hidden())
    )
    assert compared.attrs["verdict"].startswith("no recommendation: the first is biased by construction")
    assert "rmse" not in compared


def test_a_biased_result_that_is_nearer_is_not_recommended_either():
    biased = estimated("time-integral(eps=0.001)")
    noisy = estimated("time-free")
    compared = ids.compare_variances(biased, noisy)
    assert compared["rmse"].values[0] < compared["rmse"].values[1]
    assert compared.attrs["verdict"].startswith("no recommendation: the first is biased by construction, which more")


def test_control_unbiased_results_are_compared_by_variance():
    compared = ids.compare_variances(estimated("uniform-count+stratified"), estimated("time-free"))
    assert compared.attrs["verdict"].startswith("take the first: ")
    assert "times less variance" in compared.attrs["verdict"]
