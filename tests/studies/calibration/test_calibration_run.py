"""Calibration studies: counts match the intervals, and undercoverage is detected."""

import math

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from estimators import Cell, draw
from infodis_stats.results.error_bars import SAMPLE_CAUTIONS, ErrorBars, interval_kind
from infodis_stats.results.sample import Sample
from infodis_stats.studies.calibration import run
from infodis_stats.studies.calibration.run import summarise_calibration
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_CALIBRATION

NAME = "A <b>chain</b>"
NONE_FLAGGED = (0, 0, 0)


def counts_of(coverage, number, width=1.0, flagged=NONE_FLAGGED):
    """Make up counts for two items of one group: this many intervals each, all misses below.

    Each of the flagged intervals has one flag, and misses.
    """
    dims = ["item", "estimator", "passes", "interval", "replicates", "level"]
    misses = np.full((2, len(coverage), 1, 1, 1, 1), 0.0)
    misses[...] = np.round(number * (1 - np.array(coverage))).reshape(-1, 1, 1, 1, 1)
    return xr.Dataset(
        {
            "missed_low": (dims, misses + sum(flagged)),
            "missed_high": (dims, 0.0 * misses),
            "quiet_missed_low": (dims, misses),
            "quiet_missed_high": (dims, 0.0 * misses),
            "quiet_intervals": (dims, np.full(misses.shape, float(number))),
            "relative_width": (dims, np.full(misses.shape, width)),
            "flagged": ([*dims, "flag"], np.broadcast_to(np.array(flagged, dtype=float), (*misses.shape, 3))),
            "intervals": (dims[:-1], np.full(misses.shape[:-1], float(number + sum(flagged)))),
        },
        coords={
            "group": ("item", ["a", "a"]),
            "estimator": [f"e{place}" for place in range(len(coverage))],
            "passes": [8],
            "interval": ["auto"],
            "replicates": [4],
            "level": [0.95],
            "flag": list(SAMPLE_CAUTIONS),
        },
    )


class TestCounts:
    """A draw of six intervals of known ends and flags."""

    TRUTH = 10.0
    LOWER = np.array([9.0, 11.0, 11.0, 8.0, 11.0, 9.0])
    UPPER = np.array([11.0, 13.0, 12.0, 9.0, 12.0, 11.5])
    SKEWED = np.array([0, 0, 1, 0, 1, 0], dtype=bool)
    UNSEEN_SIZES = np.array([0, 0, 0, 0, 1, 0], dtype=bool)

    @pytest.fixture
    def counted(self, tmp_path, monkeypatch):
        text = SMALL_CALIBRATION.replace('["auto", "student-t", "anytime"]', '["auto"]')
        (tmp_path / "small.toml").write_text(text.replace("[1, 4]", "[4]").replace("[0.8, 0.95]", "[0.95]"))
        spec, _ = read_study(tmp_path / "small.toml")
        law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
        target = ids.make_targets(law.sample(1, length=8, seed=1))[0]
        (drawn,) = draw(law, [Cell(ids.estimator("uniform-count"), target, 8, 24)], 3)
        flags = {"skewed": self.SKEWED, "unseen-sizes": self.UNSEEN_SIZES}
        bars = ErrorBars("made up", np.ones(6), np.full(6, 3.0), self.LOWER, self.UPPER, flags)
        monkeypatch.setattr(run, "_bars", lambda *_: bars)
        return drawn, run._counted(drawn, spec, {target.key: (self.TRUTH, 0.0)})

    def test_misses_are_counted_among_all_intervals_and_among_those_without_a_flag(self, counted):
        _, values = counted
        numbers = {name: np.asarray(values[name]).ravel().tolist() for name in (*run.MISSES, *run.QUIET, "intervals")}
        assert numbers == {
            "missed_low": [1],
            "missed_high": [3],
            "quiet_missed_low": [1],
            "quiet_missed_high": [1],
            "quiet_intervals": [4],
            "intervals": [6],
        }
        assert dict(zip(SAMPLE_CAUTIONS, np.ravel(values["flagged"]).tolist(), strict=True)) == {
            "no-spread": 0,
            "unseen-sizes": 1,
            "skewed": 2,
        }

    def test_the_width_is_that_of_the_intervals_without_a_flag(self, counted):
        drawn, values = counted
        normal = 2 * 1.959964 * drawn.estimates.std(ddof=1) / math.sqrt(4)
        assert np.ravel(values["relative_width"]) == pytest.approx([np.median([2.0, 2.0, 1.0, 2.5]) / normal])

    def test_control_an_unknown_flag_is_not_lost(self):
        bars = ErrorBars(
            "made up", np.ones(1), np.ones(1), np.zeros(1), np.ones(1), {"unknown": np.ones(1, dtype=bool)}
        )
        with pytest.raises(ValueError, match="not in tuple"):
            run._flags(bars)

    def test_exact_estimators_have_no_flag(self):
        law = ids.MarkovChain.random(order=1, alphabet="ABC", seed=6)
        target = ids.make_targets(law.sample(1, length=2, seed=1))[0]
        (drawn,) = draw(law, [Cell(ids.estimator("exhaustive"), target, 4, 4)], 3)
        bars = interval_kind("auto").error_bars(Sample(drawn, 1), 0.95)
        assert bars.lower == pytest.approx(bars.upper)
        assert not run._flags(bars).any()


class TestSummary:
    def test_sums_over_the_items(self):
        summary = summarise_calibration(counts_of([0.95, 0.90], 100))
        assert summary["coverage"].values.ravel() == pytest.approx([0.95, 0.90])
        assert summary["intervals"].values.ravel().tolist() == [200, 200]
        assert summary["missed_low"].values.ravel() == pytest.approx([10, 20])
        assert summary["missed_high"].values.ravel().tolist() == [0, 0]
        lower, upper = summary["coverage_ci"].values.reshape(2, 2).T
        assert ((lower < [0.95, 0.90]) & (upper > [0.95, 0.90])).all()

    def test_intervals_with_a_flag_are_counted_apart(self):
        summary = summarise_calibration(counts_of([0.95], 80, flagged=(5, 0, 15)))
        numbers = {name: summary[name].item() for name in ("intervals", "quiet_intervals", "quiet_share", "coverage")}
        assert numbers == {"intervals": 200, "quiet_intervals": 160, "quiet_share": 0.8, "coverage": 152 / 200}
        assert summary["quiet_coverage"].item() == 152 / 160
        lower, upper = summary["quiet_coverage_ci"].values.ravel()
        assert lower < 152 / 160 < upper
        assert summary["flag_share"].values.ravel().tolist() == [0.05, 0.0, 0.15]

    def test_only_intervals_without_a_flag_are_tested(self):
        """Half of the intervals miss, and have a flag; control: the same misses without a flag."""
        flagged = counts_of([0.95], 1000, flagged=(0, 0, 1000))
        assert summarise_calibration(flagged)["short_p"].item() > 0.5
        unflagged = counts_of([0.475], 2000)
        assert summarise_calibration(flagged)["coverage"].item() == summarise_calibration(unflagged)["coverage"].item()
        assert summarise_calibration(unflagged)["short_p"].item() < 1e-6

    @pytest.mark.parametrize(
        ("flagged", "held"),
        [
            (NONE_FLAGGED, []),
            ((0, 0, 99), []),
            ((0, 0, 100), ["skewed"]),
            ((100, 300, 0), ["unseen-sizes"]),
            ((40, 60, 0), ["unseen-sizes"]),
            ((60, 0, 60), ["no-spread", "skewed"]),
        ],
    )
    def test_a_cell_that_mostly_warns_has_the_caution(self, flagged, held):
        cautions = run._mostly_flagged(summarise_calibration(counts_of([0.95], 100, flagged=flagged)))
        cautions = cautions.squeeze()
        assert cautions["caution"].values[cautions.values].tolist() == held

    def test_without_an_interval_that_has_no_flag_there_is_no_coverage_without_a_caution(self):
        counts = counts_of([0.95], 100, width=np.nan, flagged=(100, 0, 0))
        summary = summarise_calibration(counts.assign({name: 0.0 * counts[name] for name in run.QUIET}))
        assert np.isnan([summary["quiet_coverage"].item(), summary["short_p"].item()]).all()
        assert summary["coverage"].item() == 95 / 200

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
        assert cautions.sel(passes=8, interval="auto", replicates=1, caution="few-passes").all()
        assert not cautions.sel(passes=8, interval="auto", replicates=4).any()  # 32 passes in all
        assert not cautions.sel(passes=8, interval="student-t", replicates=1).any()  # there is no interval

    def test_skipped_cells_are_reported(self, calibration_study):
        assert "exhaustive needs 255 passes" in calibration_study["provenance"].attrs["not_run"]

    def test_the_batch_size_changes_no_number(self, calibration_study, tmp_path):
        path = tmp_path / "again.toml"
        path.write_text(calibration_study["provenance"].attrs["spec"])
        again = ids.run_study(path, batch_size=7)
        xr.testing.assert_identical(again["summary"].to_dataset(), calibration_study["summary"].to_dataset())


PARITY = """\
kind = "calibration"
title = "Parity"
seed = 3
passes = [32]
replicates = [1]
draws = 200
estimators = ["uniform-count+stratified"]
intervals = ["auto"]
levels = [0.95]
[[subjects]]
name = "parity"
law = { kind = "code", length = 64, group = 64, rule = "checksum", alphabet = "AB" }
targets = [{ name = "64", count = 1, length = 64, seed = 611 }]
"""


def parity(tmp_path, name):
    path = tmp_path / f"{name}.toml"
    path.write_text(PARITY)
    return ids.run_study(path)


class TestParity:
    """Only masks of one position show the parity: half of the samples have none, and the others one or two."""

    def test_every_interval_has_a_caution_and_they_cover(self, tmp_path):
        summary = parity(tmp_path, "parity")["summary"].to_dataset().squeeze()
        assert summary["quiet_share"] < 0.1
        assert summary["coverage"] >= 0.94
        assert summary["flag_share"].sel(flag="no-spread") > 0.3
        assert summary["flag_share"].sel(flag="skewed") > 0.3

    def test_control_the_spread_alone_falls_short(self, tmp_path, monkeypatch):
        monkeypatch.setattr(run, "_bars", lambda sample, kind, level: interval_kind(kind).from_spread(sample, level))
        tree = parity(tmp_path, "spread")
        summary = tree["summary"].to_dataset().squeeze()
        assert summary["quiet_share"] == 1
        assert summary["quiet_coverage"] < 0.6
        assert summary["short_p"] < 1e-6
        assert ids.diagnose(tree).verdict == "caution"
