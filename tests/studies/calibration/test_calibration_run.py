"""Calibration studies: counts match the intervals, and undercoverage is detected."""

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from estimators import Cell, draw
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.studies.calibration.run import summarise_calibration

NAME = "A <b>chain</b>"


def counts_of(coverage, number, width=1.0):
    """Make up counts for two items of one group: this many intervals each, all misses below."""
    dims = ["item", "estimator", "passes", "interval", "replicates", "level"]
    misses = np.full((2, len(coverage), 1, 1, 1, 1), 0.0)
    misses[...] = np.round(number * (1 - np.array(coverage))).reshape(-1, 1, 1, 1, 1)
    return xr.Dataset(
        {
            "missed_low": (dims, misses),
            "missed_high": (dims, 0.0 * misses),
            "relative_width": (dims, np.full(misses.shape, width)),
            "intervals": (dims[:-1], np.full(misses.shape[:-1], float(number))),
        },
        coords={
            "group": ("item", ["a", "a"]),
            "estimator": [f"e{place}" for place in range(len(coverage))],
            "passes": [8],
            "interval": ["auto"],
            "replicates": [4],
            "level": [0.95],
        },
    )


class TestSummary:
    def test_sums_over_the_items(self):
        summary = summarise_calibration(counts_of([0.95, 0.90], 100))
        assert summary["coverage"].values.ravel() == pytest.approx([0.95, 0.90])
        assert summary["intervals"].values.ravel().tolist() == [200, 200]
        assert summary["missed_low"].values.ravel() == pytest.approx([10, 20])
        assert summary["missed_high"].values.ravel().tolist() == [0, 0]
        lower, upper = summary["coverage_ci"].values.reshape(2, 2).T
        assert ((lower < [0.95, 0.90]) & (upper > [0.95, 0.90])).all()

    @pytest.mark.parametrize(("coverage", "short"), [(0.96, False), (0.945, False), (0.935, False), (0.92, True)])
    def test_undercoverage_is_more_than_a_point_and_significant(self, coverage, short):
        """2,000 intervals: the standard error at 94 % is half a point."""
        summary = summarise_calibration(counts_of([coverage], 1000))
        assert bool(summary["short_p"].item() < 0.05) == short

    def test_all_cells_are_one_family_of_tests(self):
        alone = summarise_calibration(counts_of([0.92], 1000))["short_p"].values.ravel()[0]
        among = summarise_calibration(counts_of([0.92] + [0.95] * 9, 1000))["short_p"].values.ravel()
        assert among[0] == pytest.approx(10 * alone, rel=1e-6)
        assert (among[1:] == 1).all()

    def test_points_have_no_coverage_test(self):
        summary = summarise_calibration(counts_of([0.5], 1000, width=np.nan))
        assert np.isnan(summary["short_p"].item())


class TestStudy:
    def test_counts_match_the_intervals_computed_singly(self, calibration_study):
        counts = calibration_study["counts"].to_dataset()
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
        tokens = law.sample(3, length=8, seed=1)
        truth = law.nll(tokens)
        np.testing.assert_allclose(counts["truth"][:3], truth)
        cells = [Cell(ids.estimator("uniform-count"), target, 8, 40) for target in ids.make_targets(tokens)]
        for kind, level in (("auto", 0.8), ("student-t", 0.95)):
            for item, one in enumerate(draw(law, cells, 3)):
                bars = [interval_kind(kind).error_bar(block, level) for block in one.blocks(4)]
                here = counts.sel(estimator="uniform-count", passes=8, interval=kind, replicates=4, level=level)
                here = here.isel(item=item)
                assert len(bars) == int(here["intervals"]) == 10
                assert sum(bar.upper < truth[item] for bar in bars) == int(here["missed_low"])
                assert sum(bar.lower > truth[item] for bar in bars) == int(here["missed_high"])

    def test_intervals_that_cannot_be_computed_are_not_counted(self, calibration_study):
        summary = calibration_study["summary"].to_dataset()
        single = summary.sel(interval="student-t", replicates=1)
        assert (single["intervals"] == 0).all()
        assert single["coverage"].isnull().all()
        assert single["missed_low"].isnull().all()
        empty = summary.sel(group="Three letters/2", passes=8)
        assert (empty["intervals"] == 0).all()

    def test_exact_estimators_have_points(self, calibration_study):
        exact = calibration_study["summary"].to_dataset().sel(estimator="exhaustive", group="Three letters/2", passes=4)
        counted = exact["intervals"] > 0
        assert (exact["coverage"].where(counted, 1.0) == 1).all()
        assert exact["relative_width"].isnull().all()
        assert exact["short_p"].isnull().all()

    def test_cautions_follow_from_the_construction(self, calibration_study):
        cautions = calibration_study["summary"]["cautions"].sel(group=f"{NAME}/8", estimator="uniform-count")
        assert cautions.sel(passes=8, interval="auto", replicates=1, caution="few-passes")
        assert not cautions.sel(passes=8, interval="auto", replicates=4).any()  # 32 passes in all
        assert not cautions.sel(passes=8, interval="student-t", replicates=1).any()  # there is no interval

    def test_skipped_cells_are_reported(self, calibration_study):
        assert "exhaustive needs 255 passes" in calibration_study["provenance"].attrs["not_run"]

    def test_the_batch_size_changes_no_number(self, calibration_study, tmp_path):
        path = tmp_path / "again.toml"
        path.write_text(calibration_study["provenance"].attrs["spec"])
        again = ids.run_study(path, batch_size=7)
        xr.testing.assert_identical(again["summary"].to_dataset(), calibration_study["summary"].to_dataset())
