"""Comparison of many results: the order, ties, what is not ranked, and results that do not belong together."""

import numpy as np
import pytest

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=12, seed=1)


class Hidden:
    """The law, without its exact values."""

    def token_nll(self, tokens, masked):
        return LAW.token_nll(tokens, masked)


def estimated(name="uniform-count", model=LAW, tokens=TOKENS, replicates=24, **asked):
    return ids.estimate_nll(model, tokens, name, **{"passes": 8, "replicates": replicates} | asked)


def standings(compared):
    return dict(zip(compared["estimator"].values.tolist(), compared["standing"].values.tolist(), strict=True))


@pytest.fixture(scope="module")
def compared():
    names = ("time-free", "published-d1", "uniform-count+stratified", "time-integral", "uniform-count")
    return ids.compare([estimated(name) for name in names])


def test_variance_is_that_of_one_pass(compared):
    result = estimated("time-free")
    spent = result["forward_passes"] / result.sizes["replicate"]
    expected = float((result["nll_replicate"].var("replicate", ddof=1) * spent).mean())
    row = compared.sel(estimator="time-free")
    assert float(row["variance_per_pass"]) == pytest.approx(expected)
    best = compared["variance_per_pass"].sel(estimator=compared["standing"] == "best")
    assert float(row["variance_ratio"]) == pytest.approx(expected / float(best[0]))
    assert float(row["passes"]) == pytest.approx(float(spent.mean()))
    error = result["nll_replicate"] - result["exact"]
    assert float(row["rmse"]) == pytest.approx(float(np.sqrt((error**2).mean())))


def test_biased_and_infinite_ones_are_last_and_not_ranked(compared):
    found = standings(compared)
    assert found["published-d1"] == "biased"
    assert found["time-integral"] == "infinite variance"
    assert next(iter(found)) == next(name for name, standing in found.items() if standing == "best")
    assert set(list(found)[3:]) == {"published-d1", "time-integral"}
    assert compared["variance_ratio"].sel(estimator=["published-d1", "time-integral"]).isnull().all()
    assert found["time-free"] == "worse"
    assert "Not ranked, biased by construction: published-d1." in compared.attrs["verdict"]


def test_biased_ones_alone_are_not_recommended():
    both = [estimated(name, Hidden()) for name in ("published-d1", "published-diffucoder")]
    alone = ids.compare(both)
    assert alone.attrs["verdict"].startswith("no recommendation: ")
    assert "rmse" not in alone
    single = ids.compare([both[0], estimated(model=Hidden())])
    assert single.attrs["verdict"].startswith("no comparison: only uniform-count can be ranked.")


def test_a_biased_one_that_is_nearer_is_named_and_not_recommended():
    both = ids.compare([estimated(name, replicates=16) for name in ("time-integral(eps=0.001)", "time-free")])
    errors = both["rmse"]
    nearer = float(errors.sel(estimator="time-integral(eps=0.001)")) < float(errors.sel(estimator="time-free"))
    assert ("a bias that more passes do not mend" in both.attrs["verdict"]) == nearer
    assert standings(both)["time-integral(eps=0.001)"] == "biased"


def test_control_equal_estimators_are_ties():
    same = ids.compare([estimated(seed=seed) for seed in range(4)])
    assert set(same["standing"].values) == {"best", "tied"}
    assert same.attrs["verdict"].startswith("no significant difference between uniform-count, seed ")
    assert {f"uniform-count, seed {seed}" for seed in range(4)} == set(same["estimator"].values)


def test_auto_is_tied_with_what_it_chose():
    chosen = ids.compare([estimated(name, Hidden(), passes=16) for name in ("auto", "regression", "time-free")])
    assert {standings(chosen)[name] for name in ("auto", "regression")} == {"best", "tied"}
    assert float(chosen["variance_ratio"].sel(estimator="regression")) == 1
    assert standings(chosen)["time-free"] == "worse"


def test_exact_ones_are_tied_and_the_rest_is_infinitely_worse():
    exact = ids.compare([estimated(name, passes=12) for name in ("auto", "chain", "uniform-count")])
    assert [standings(exact)[name] for name in ("auto", "chain")] == ["best", "tied"]
    assert np.isinf(exact["variance_ratio"].sel(estimator="uniform-count"))


def test_unequal_replicates_and_passes_are_compared():
    mixed = ids.compare([estimated(replicates=8), estimated(replicates=8, precision=0.7, seed=2), estimated(passes=32)])
    assert "uniform-count, 32 passes" in mixed["estimator"].values
    assert mixed["variance_ratio"].notnull().all()


def test_ratios_of_pairs_are_compared():
    second = LAW.sample(3, length=12, seed=2)
    coupled, decoupled = (
        ids.estimate_log_ratio(LAW, TOKENS, second, "uniform-count", passes=8, replicates=16, coupled=coupled)
        for coupled in (True, False)
    )
    pairs = ids.compare([coupled, decoupled])
    assert pairs.attrs["unit"] == "pair"
    assert set(pairs["estimator"].values) == {"coupled uniform-count", "decoupled uniform-count"}


def test_the_summary_is_the_table(compared):
    table = ids.summary(compared)
    assert table.to_dataframe()["estimator"].tolist() == compared["estimator"].values.tolist()
    assert compared.attrs["verdict"] in str(table)
    assert "Caution (biased: published-d1)" in str(table)


OTHER = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        ([], "at least two results, got 0"),
        ([estimated()], "at least two results, got 1"),
        (estimated(), "must be a list of results of estimate_nll, .*, got Dataset"),
        (3, "must be a list of results .*, got int"),
        ([estimated(), "x"], "needs two results|result of estimate_nll"),
        ([estimated(), estimated()], "results 0 and 1 are the same draw of uniform-count"),
        ([estimated(), estimated("time-free", tokens=TOKENS[:2])], "the same sequences in the same order, .* result 1"),
        ([estimated(), estimated("time-free", tokens=TOKENS[::-1])], "the same sequences in the same order"),
        ([estimated(), estimated("time-free", model=OTHER)], "the same sequences|of one model"),
        (
            [estimated(model=Hidden()), estimated("time-free")],
            "of one model, but result 1 .* has another model",
        ),
        ([estimated(), estimated("time-free", replicates=2)], "at least 3 replicates, but result 1 .time-free. has 2"),
        (
            [estimated(), ids.estimate_log_ratio(LAW, TOKENS, TOKENS[::-1], "uniform-count", passes=8)],
            "results must be of one kind, but result 1",
        ),
    ],
)
def test_results_that_do_not_belong_together_are_one_sentence(results, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        ids.compare(results)


def test_a_level_in_percent_is_rejected():
    with pytest.raises(ids.InputError, match="between 0 and 1, got 95"):
        ids.compare([estimated("published-d1"), estimated("published-diffucoder")], level=95)
