"""Results as data for arviz: its functions run on them, and their numbers are those of the results."""

import warnings

import numpy as np
import pytest

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
TOKENS = LAW.sample(3, length=12, seed=1)


@pytest.fixture(scope="module")
def az():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # arviz 0.23 warns once a day of its next version
        import arviz  # noqa: PLC0415  it warns once a day, where warnings are errors

        return arviz


@pytest.fixture(scope="module")
def result():
    return ids.estimate_nll(LAW, TOKENS, "uniform-count", passes=8, replicates=400)


def test_every_replicate_is_one_draw_in_its_order(az, result):
    posterior = ids.to_arviz(result).posterior
    assert dict(posterior.sizes) == {"chain": 4, "draw": 100, "sequence": 3}
    stacked = posterior["nll"].transpose("sequence", "chain", "draw").values.reshape(3, -1)
    np.testing.assert_array_equal(stacked, result["nll_replicate"].values)
    assert posterior["nll"].attrs["units"] == "nat"


def test_arviz_summarises_plots_and_counts(az, result):
    data = ids.to_arviz(result)
    table = az.summary(data, round_to="none")
    np.testing.assert_allclose(table["mean"].astype(float), result["nll"].values, rtol=1e-9)
    error = result["nll_replicate"].std("replicate", ddof=1).values / 20
    np.testing.assert_allclose(table["mcse_mean"].astype(float), error, rtol=0.35)
    assert (table["r_hat"].astype(float) < 1.1).all()
    size = az.ess(data)["nll"].values
    assert ((size > 200) & (size < 800)).all()  # 400 independent draws
    from matplotlib import pyplot  # noqa: PLC0415  chooses a backend

    assert az.plot_forest(data) is not None
    pyplot.close("all")


def test_control_a_drift_has_a_large_r_hat(az, result):
    drifting = result.copy(deep=True)
    drifting["nll_replicate"] = drifting["nll_replicate"] + 0.1 * np.arange(400)
    assert (az.rhat(ids.to_arviz(drifting))["nll"] > 1.5).all()


def test_ratios_and_failed_items(az):
    ratio = ids.estimate_log_ratio(LAW, TOKENS, TOKENS[::-1], passes=4, replicates=6)
    assert dict(ids.to_arviz(ratio).posterior.sizes) == {"chain": 1, "draw": 6, "pair": 3}
    failed = ratio.assign(failed=("pair", ["", "it did", ""]))
    failed["log_ratio_replicate"][1] = np.nan
    assert ids.to_arviz(failed).posterior["pair"].values.tolist() == [0, 2]
    with pytest.raises(ids.InputError, match="at least one pair that has not failed"):
        ids.to_arviz(failed.isel(pair=[1]))


def test_different_numbers_of_replicates_are_refused_with_a_way_out(az):
    found = ids.estimate_nll(LAW, TOKENS, "time-free", passes=8, replicates=4, precision=1.0)
    with pytest.raises(ids.InputError, match="same number of replicates of every sequence") as raised:
        ids.to_arviz(found)
    selection = str(raised.value).partition("result.isel")[2]
    chosen = eval(f"found.isel{selection}", {"found": found, "result": found})
    assert ids.to_arviz(chosen).posterior.sizes["sequence"] >= 1


def test_other_data_are_refused():
    with pytest.raises(ids.InputError, match="to_arviz needs the result of"):
        ids.to_arviz([1.0])
