"""Each variable of the summary agrees with a few lines of numpy on made-up draws."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from xarray.backends import BackendArray
from xarray.core import indexing

from infodis_stats import analysis
from infodis_stats.studies.comparison.summary import summarise

LEVEL, REPLICATES, BLOCK = 0.8, 24, 4
PASSES = np.array([2, 8, 32])
GROUPS = ["a", "a", "a", "b", "b"]


@pytest.fixture(scope="module")
def made_up():
    """Two groups and three estimators: a good one, a skewed and biased one, and one exact up to rounding."""
    rng = np.random.default_rng(1)
    truth = rng.normal(20, 3, size=5)
    scale = 1 / np.sqrt(PASSES)[:, None]
    good = truth[:, None, None] + scale * rng.normal(size=(5, 3, REPLICATES))
    skewed = truth[:, None, None] + scale * 3 * (rng.gamma(0.5, 2.0, size=(5, 3, REPLICATES)) - 0.2)
    exact = truth[:, None, None] + 1e-13 * np.random.default_rng(2).normal(size=good.shape)
    coords = {"group": ("item", GROUPS), "estimator": ["good", "skewed", "exact"], "passes": PASSES}
    dims = ["item", "estimator", "passes"]
    draws = xr.Dataset(
        {
            "estimate": ([*dims, "replicate"], np.stack([good, skewed, exact], axis=1)),
            "forward_passes": (dims, rng.integers(1, 500, size=(5, 3, 3)).astype(float)),
            "khat": (dims, rng.random((5, 3, 3))),
        },
        coords=coords,
    )
    known = xr.Dataset(
        {
            "truth": ("item", truth),
            "truth_se": ("item", np.zeros(5)),
            "exact_pass_variance": (["item", "estimator"], rng.random((5, 3))),
        },
        coords={name: coords[name] for name in ("group", "estimator")},
    )
    summary = summarise(draws, known, reference="good", level=LEVEL, interval_replicates=BLOCK, seed=3)
    return draws, known, summary


def member(data, group):
    return data.isel(item=data["group"].values == group)


def test_moments(made_up):
    draws, known, summary = made_up
    for group in ("a", "b"):
        estimate, truth = member(draws["estimate"], group), member(known["truth"], group)
        error = estimate - truth
        found = summary.sel(group=group)
        np.testing.assert_allclose(found["variance"], estimate.var("replicate", ddof=1).mean("item"), atol=1e-12)
        np.testing.assert_allclose(found["mse"], (error**2).mean(("item", "replicate")), atol=1e-12)
        np.testing.assert_allclose(found["bias"], error.mean(("item", "replicate")), atol=1e-12)
        spread = np.sqrt(estimate.var("replicate", ddof=1).sum("item") / REPLICATES) / estimate.sizes["item"]
        np.testing.assert_allclose(found["bias_se"], spread, atol=1e-12)
        np.testing.assert_allclose(found["bias_z"][:2], (error.mean(("item", "replicate")) / spread)[:2])
        run = member(draws["forward_passes"], group).mean("item") / REPLICATES
        np.testing.assert_allclose(found["passes_run"], run)
        np.testing.assert_allclose(found["khat_median"], member(draws["khat"], group).median("item"))
        exact = member(known["exact_pass_variance"], group).mean("item")
        np.testing.assert_allclose(found["exact_variance"], exact / draws["passes"])


def test_bias_tests_are_family_wise_over_all_cells(made_up):
    draws, known, summary = made_up
    raw = []
    for group in ("a", "b"):
        estimates = member(draws["estimate"], group).transpose("estimator", "passes", "item", "replicate").values
        raw.append(analysis.pooled_bias(estimates, member(known["truth"], group).values, axis=-1).p_value)
    np.testing.assert_allclose(summary["bias_p"], analysis.family_wise(np.stack(raw)))


@pytest.mark.parametrize("kind", ["student-t", "bca"])
def test_coverage_counts_disjoint_blocks_at_the_level(made_up, kind):
    draws, known, summary = made_up
    for group in ("a", "b"):
        found = summary.sel(group=group, interval=kind, estimator="skewed")
        estimates = member(draws["estimate"].sel(estimator="skewed"), group).values
        truth = member(known["truth"], group).values[:, None, None]
        blocks = estimates.reshape(*estimates.shape[:2], REPLICATES // BLOCK, BLOCK)
        if kind == "student-t":
            half = stats.t.ppf((1 + LEVEL) / 2, BLOCK - 1) * stats.sem(blocks, axis=-1)
            low, high = blocks.mean(axis=-1) - half, blocks.mean(axis=-1) + half
            below, above = (high < truth).sum(axis=(0, 2)), (low > truth).sum(axis=(0, 2))
            np.testing.assert_array_equal(found["missed_low"], below)
            np.testing.assert_array_equal(found["missed_high"], above)
            assert below.sum() != above.sum()  # otherwise the two could be swapped
            np.testing.assert_allclose(found["half_width"], half.mean(axis=(0, 2)))
            covered = blocks[..., 0].size - below.sum() - above.sum()
            assert float(found["coverage_pooled"]) == pytest.approx(covered / blocks[..., 0].size)
        count = blocks.shape[0] * blocks.shape[2]
        np.testing.assert_array_equal(found["intervals"], [count] * 3)
        np.testing.assert_allclose(found["coverage"], 1 - (found["missed_low"] + found["missed_high"]) / count)
        assert int(found["intervals_pooled"]) == 3 * count


def test_coverage_tests_are_family_wise_for_each_kind(made_up):
    summary = made_up[2]
    for kind in ("student-t", "bca"):
        one = summary.sel(interval=kind)
        covered = one["intervals"] - one["missed_low"] - one["missed_high"]
        tail = np.minimum(
            stats.binom.cdf(covered, one["intervals"], LEVEL), stats.binom.sf(covered - 1, one["intervals"], LEVEL)
        )
        raw = np.minimum(2 * tail, 1.0)
        raw[:, 2] = np.nan  # points have no coverage test
        np.testing.assert_allclose(one["coverage_p"], analysis.family_wise(raw))
        points = one.sel(estimator="exact")
        assert (points["half_width"] == 0).all()
        assert (points["intervals"] == 0).all()
        assert points["coverage"].isnull().all()
    # BCa intervals from four replicates are too short and cover less than t in every cell: the kinds are not swapped.
    random = summary["coverage_pooled"].sel(estimator=["good", "skewed"])
    assert (random.sel(interval="bca") < random.sel(interval="student-t")).all()


def test_slopes_and_efficiencies(made_up):
    draws, _, summary = made_up
    for group in ("a", "b"):
        estimates = member(draws["estimate"], group).transpose("estimator", "passes", "item", "replicate").values
        logs = np.log(estimates[:2].var(axis=-1, ddof=1).mean(axis=-1))
        found = summary.sel(group=group)
        for place in range(2):
            line = np.polyfit(np.log(PASSES), logs[place], 1)[0]
            assert float(found["slope"][place]) == pytest.approx(line)
        np.testing.assert_allclose(np.log(found["efficiency"][1]), logs[0] - logs[1])
        assert np.isinf(found["efficiency"].sel(estimator="exact")).all()
    assert summary.attrs["ci_prob"] == LEVEL
    assert summary.attrs["interval_replicates"] == BLOCK


def test_intervals_at_a_lower_level_are_shorter(made_up):
    draws, known, summary = made_up
    wider = summarise(draws, known, reference="good", level=0.99, interval_replicates=BLOCK, seed=3)
    for name in ("slope_ci", "efficiency_ci"):
        length = {
            key: one[name].sel(ci_bound="upper") - one[name].sel(ci_bound="lower")
            for key, one in (("short", summary), ("wide", wider))
        }
        assert (length["short"].sel(estimator="skewed") < length["wide"].sel(estimator="skewed")).all()


@pytest.mark.parametrize("share", [0.3, 0.45])
def test_coverage_allows_for_the_error_of_a_long_run(share):
    """150 items with 8 intervals each, against long runs with that share of an interval's standard error."""
    rng = np.random.default_rng(0)
    error = share / BLOCK**0.5
    draws = xr.Dataset(
        {
            "estimate": (["item", "estimator", "passes", "replicate"], rng.normal(size=(150, 1, 2, 8 * BLOCK))),
            "forward_passes": (["item", "estimator", "passes"], np.ones((150, 1, 2))),
            "khat": (["item", "estimator", "passes"], np.ones((150, 1, 2))),
        },
        coords={"group": ("item", ["a"] * 150), "estimator": ["one"], "passes": [4, 8]},
    )
    known = xr.Dataset(
        {
            "truth": ("item", rng.normal(scale=error, size=150)),
            "truth_se": ("item", np.full(150, error)),
            "exact_pass_variance": (["item", "estimator"], np.full((150, 1), np.nan)),
        },
        coords={"group": ("item", ["a"] * 150), "estimator": ["one"]},
    )
    how = {"reference": "one", "level": 0.95, "interval_replicates": BLOCK}
    found = summarise(draws, known, **how).sel(interval="student-t")
    assert (found["intervals"] == 1200).all()
    # Eight intervals share the error of one run: the design effect on their count is at most five.
    slack = 4 * (0.95 * 0.05 / 1200 * 5) ** 0.5
    assert (np.abs(found["coverage"] - 0.95) < slack).all()
    known["truth_se"] = ("item", np.zeros(150))
    assert (summarise(draws, known, **how).sel(interval="student-t")["coverage"] < 0.95).all()
    known["truth_se"] = ("item", np.full(150, 0.8 / BLOCK**0.5))
    imprecise = summarise(draws, known, **how).sel(interval="student-t")
    assert (imprecise["intervals"] == 0).all()
    assert imprecise["coverage"].isnull().all()


def test_cells_do_not_depend_on_each_other(made_up):
    draws, known, summary = made_up
    some = {"estimator": ["good", "skewed"], "passes": [8, 32]}
    few = draws.isel(item=draws["group"].values == "b").sel(some)
    how = {"reference": "good", "level": LEVEL, "interval_replicates": BLOCK}
    found = summarise(few, member(known, "b").sel(estimator=some["estimator"]), **how, seed=3)
    adjusted = [
        "bias_p",
        "coverage_p",
        "coverage_pooled",
        "coverage_pooled_ci",
        "intervals_pooled",
        "slope",
        "slope_ci",
    ]
    expected = summary.sel(group=["b"], **some).drop_vars(adjusted)
    xr.testing.assert_identical(found.drop_vars(adjusted), expected)
    other = summarise(few, member(known, "b").sel(estimator=some["estimator"]), **how, seed=4)
    for name, cell in (("efficiency_ci", {"estimator": "skewed"}), ("half_width", {"interval": "bca"})):
        assert (other[name].sel(cell) != expected[name].sel(cell)).all()


def test_items_of_groups_may_be_interleaved(made_up):
    draws, known, summary = made_up
    order = [3, 0, 4, 1, 2]
    found = summarise(
        draws.isel(item=order), known.isel(item=order), reference="good", level=LEVEL, interval_replicates=BLOCK, seed=3
    )
    xr.testing.assert_allclose(found.sel(group=["a", "b"]), summary, rtol=1e-9)


class Recorded(BackendArray):
    """An array that stands in for one on disk and records how many values each read returns."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.sizes = values, values.shape, values.dtype, []

    def __getitem__(self, key):
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self.read)

    def read(self, key):
        self.sizes.append(self.values[key].size)
        return self.values[key]


def test_draws_on_disk_are_read_one_cell_at_a_time(made_up):
    draws, known, summary = made_up
    stored = {name: Recorded(draws[name].values) for name in draws.data_vars}
    lazy = {name: (draws[name].dims, indexing.LazilyIndexedArray(one)) for name, one in stored.items()}
    found = summarise(
        xr.Dataset(lazy, draws.coords), known, reference="good", level=LEVEL, interval_replicates=BLOCK, seed=3
    )
    xr.testing.assert_identical(found, summary)
    assert set(stored["estimate"].sizes) == {3 * REPLICATES, 2 * REPLICATES}
    assert set(stored["khat"].sizes) == {3, 2}
    xr.Dataset(lazy)["estimate"].to_numpy()
    assert max(stored["estimate"].sizes) == draws["estimate"].size
