"""The calibration report: its text and tables agree with its numbers."""

import numpy as np
import pandas as pd
import pytest

import infodis_stats as ids
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.report.numbers import percent
from infodis_stats.studies import document_of
from infodis_stats.studies.calibration.report.answer import answer
from infodis_stats.studies.calibration.report.cells import cells, main_interval, main_level
from infodis_stats.studies.calibration.report.tables import estimator_table, kind_table, short_table
from infodis_stats.studies.view import Study


def summary_of(tree):
    return tree["summary"].to_dataset()


def spoiled(tree):
    """Make the default fail significantly in one cell that has no caution."""
    changed = tree.copy(deep=True)
    place = {"group": 0, "estimator": 0, "passes": 1, "interval": 0, "replicates": 1, "level": 1}
    changed["summary"]["short_p"][place] = 1e-6
    changed["summary"]["coverage"][place] = 0.6
    return changed


def test_the_main_level_and_interval(calibration_study):
    summary = summary_of(calibration_study)
    assert (main_level(summary), main_interval(summary)) == (0.95, "auto")
    assert main_level(summary.sel(level=[0.8])) == 0.8
    assert main_interval(summary.sel(interval=["anytime"])) == "anytime"


def test_cells_have_intervals_and_a_spread(calibration_study):
    shown = cells(summary_of(calibration_study), 0.95)
    assert "exhaustive" not in set(shown["estimator"])
    assert (shown["intervals"] > 0).all()
    assert not ((shown["interval"] == "student-t") & (shown["replicates"] == 1)).any()


def test_the_answer_starts_with_the_default(calibration_study):
    first = answer(Study(calibration_study))[0]
    shown = cells(summary_of(calibration_study), 0.95)
    own = shown[(shown["interval"] == "auto") & (shown["replicates"] >= 4) & (shown["cautions"] == "")]
    mean = (own["coverage"] * own["intervals"]).sum() / own["intervals"].sum()
    assert first.startswith("auto, with 4 replicates or more and no caution: none of ")
    assert f"none of {len(own)} cells is short" in first
    assert f"It covers {percent(mean)} % on average" in first
    assert f"{percent(own['coverage'].min())} % [" in first


def test_a_failing_default_is_reported_first(calibration_study):
    tree = spoiled(calibration_study)
    first = answer(Study(tree))[0]
    assert ": 1 of " in first
    assert "60.0 % [" in first
    assert len(short_table(Study(calibration_study), "auto")) == 0
    row = short_table(Study(tree), "auto").iloc[0]
    assert (row["estimator"], row["replicates"]) == ("uniform-count", "4")
    assert "is short without a caution" in render_html(document_of(tree))


def test_the_answer_says_if_all_cells_have_a_caution(calibration_study):
    tree = calibration_study.copy(deep=True)
    tree["summary"]["cautions"].loc[{"caution": "few-hard-tokens"}] = True
    sentences = answer(Study(tree))
    assert sentences[0].startswith("auto, with a caution: ")
    assert sentences[1].startswith("student-t, with a caution everywhere: it covers ")
    assert ids.diagnose(tree).verdict == "caution"
    assert ids.diagnose(calibration_study).verdict == "fine"
    assert ids.diagnose(spoiled(calibration_study)).verdict == "caution"


def test_tables_list_every_kind_and_estimator(calibration_study):
    plain = kind_table(Study(calibration_study), cautioned=False)
    shown = cells(summary_of(calibration_study), 0.95)
    shown = shown[shown["cautions"] == ""]
    for _, row in plain.iterrows():
        part = shown[(shown["interval"] == row["interval"]) & (shown["replicates"] == int(row["replicates"]))]
        assert row["cells"] == str(len(part))
        assert float(row["least (%)"]) == round(100 * part["coverage"].min(), 1)
    table = estimator_table(Study(calibration_study), "auto").set_index("estimator")
    assert (table.loc["exhaustive"] == percent(np.nan)).all()


def test_pages_are_escaped_and_files_complete(calibration_study, calibration_document, tmp_path):
    page = render_html(calibration_document)
    assert "Small &lt;b&gt;calibration&lt;/b&gt;" in page
    assert "A <b>chain" not in page
    assert "# Small &lt;b>calibration&lt;/b>" in render_markdown(calibration_document)
    ids.write_report(calibration_study, tmp_path)
    again = pd.read_csv(tmp_path / "tables" / "summary.csv")
    summary = summary_of(calibration_study)
    assert len(again) == int((summary["intervals"] > 0).sum())
    row = again.sample(1, random_state=0).iloc[0]
    cell = {name: row[name] for name in ("group", "estimator", "passes", "interval", "replicates", "level")}
    assert row["coverage"] == pytest.approx(float(summary["coverage"].sel(cell)), abs=1e-6)
    assert ids.read_store(tmp_path).attrs["kind"] == "calibration"
