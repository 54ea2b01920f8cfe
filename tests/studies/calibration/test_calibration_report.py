"""The calibration report: its text and tables agree with its numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import infodis_stats as ids
from infodis_stats.plots.calibration_cells import cells, clean_cells, main_level
from infodis_stats.plots.numbers import percent
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.calibration.report.answer import answer
from infodis_stats.studies.calibration.report.cells import main_interval
from infodis_stats.studies.calibration.report.tables import caution_table, estimator_table, kind_table, short_table
from infodis_stats.studies.view import Study


def summary_of(tree):
    return tree["summary"].to_dataset()


def spoiled(tree):
    """Make the default fail significantly in one cell that has no caution."""
    changed = tree.copy(deep=True)
    place = {"group": 0, "estimator": 0, "passes": 1, "interval": 0, "replicates": 1, "level": 1}
    changed["summary"]["short_p"][place] = 1e-6
    changed["summary"]["quiet_coverage"][place] = 0.6
    return changed


def quiet(number, missed):
    """Replace all cells by clean ones of so many intervals without a flag, of which so many miss."""

    def of(tree):
        changed = tree.copy(deep=True)
        summary = changed["summary"]
        counted = summary["short_p"].notnull()
        summary["cautions"][...] = False
        summary["short_p"][...] = summary["short_p"].where(~counted, 1.0)
        summary["quiet_intervals"][...] = number * counted
        summary["quiet_missed_low"][...] = missed * counted
        summary["quiet_missed_high"][...] = 0 * counted
        return changed

    return of


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
    first, second, third = answer(Study(calibration_study))[:3]
    shown = cells(summary_of(calibration_study), 0.95)
    own = shown[(shown["interval"] == "auto") & (shown["replicates"] >= 4) & (shown["cautions"] == "")]
    mean = (own["quiet_coverage"] * own["quiet_intervals"]).sum() / own["quiet_intervals"].sum()
    assert first.startswith("auto, with 4 replicates or more and no caution: none of ")
    assert f"none of {len(own)} cells is short" in first
    assert second.startswith(f"It covers {percent(mean)} % on average")
    assert f"{percent(own['quiet_coverage'].min())} % [" in second
    assert third.startswith("Its median width is ")


def test_a_failing_default_is_reported_first(calibration_study):
    tree = spoiled(calibration_study)
    first, second = answer(Study(tree))[:2]
    assert ": 1 of " in first
    assert "60.0 % [" in second
    assert "is short without a caution" not in render_html(document_of(calibration_study)), "no empty sections"
    assert len(short_table(Study(calibration_study), "auto")) == 0
    row = short_table(Study(tree), "auto").iloc[0]
    assert (row["estimator"], row["replicates"]) == ("uniform-count", "4")
    assert "is short without a caution" in render_html(document_of(tree))


def test_the_answer_says_if_all_cells_have_a_caution(calibration_study):
    tree = calibration_study.copy(deep=True)
    tree["summary"]["cautions"].loc[{"caution": "few-hard-tokens"}] = True
    sentences = answer(Study(tree))
    assert sentences[0].startswith("auto: 0.0 % of all ")
    assert "; 100.0 % are in cells with a caution, and 0.0 % have one of their own" in sentences[0]
    assert sentences[1].startswith("auto, in the 12 cells with a caution: it covers ")
    assert sentences[2].startswith("student-t, with a caution everywhere: it covers ")
    (verdict,) = ids.diagnose(tree).verdicts
    assert (verdict.verdict, verdict.reason.split(":")[0]) == ("caution", "every cell has a caution")


def test_the_answer_says_how_many_intervals_have_no_caution(calibration_study):
    study = Study(calibration_study)
    (sentence,) = [text for text in answer(study) if "of all" in text]
    every, clean = (
        part[part["interval"] == "auto"] for part in (cells(study.summary, 0.95), clean_cells(study.summary, 0.95))
    )
    number, without = int(every["intervals"].sum()), int(clean["intervals"].sum())
    assert 0 < without < number
    missed = int(every[["missed_low", "missed_high"]].to_numpy().sum())
    missed_without = int(clean[["missed_low", "missed_high"]].to_numpy().sum())
    others = 1 - (missed - missed_without) / (number - without)
    of_cells = int(every["intervals"][every["cautions"] != ""].sum())
    own = number - without - of_cells
    assert own > 0
    assert sentence == (
        f"auto: {percent(without / number)} % of all {number:,} intervals have no caution and cover "
        f"{percent(1 - missed_without / without)} %; {percent(of_cells / number)} % are in cells with a caution, and "
        f"{percent(own / number)} % have one of their own in other cells: together these cover {percent(others)} %."
    )


def test_clean_cells_have_the_counts_of_the_intervals_without_a_flag(calibration_study):
    tree = calibration_study.copy(deep=True)
    place = {"group": 0, "estimator": 0, "passes": 1, "interval": 0, "replicates": 1, "level": 1}
    numbers = {"intervals": 30, "missed_low": 9, "quiet_intervals": 20, "quiet_missed_low": 1, "quiet_coverage": 0.9}
    for name, number in numbers.items():
        tree["summary"][name][place] = number
    (row,) = (
        clean_cells(summary_of(tree), 0.95)
        .query(
            "group == 'A <b>chain</b>/8' and estimator == 'uniform-count' and interval == 'auto' and replicates == 4 "
            f"and passes == {int(tree['summary']['passes'][1])}"
        )
        .to_dict("records")
    )
    assert (row["intervals"], row["missed_low"], row["coverage"], row["cautions"]) == (20, 1, 0.9, "")


def test_the_table_of_cautions_has_the_share_of_each_flag(calibration_study):
    table = caution_table(Study(calibration_study), "auto").set_index("estimator")
    assert "exhaustive" not in table.index  # its intervals are points
    every = cells(summary_of(calibration_study), 0.95)
    every = every[(every["interval"] == "auto") & (every["estimator"] == "uniform-count")]
    skewed = (every["skewed_share"] * every["intervals"]).sum() / every["intervals"].sum()
    assert table.loc["uniform-count", "skewed (%)"] == percent(skewed)
    assert table.loc["uniform-count", "intervals"] == f"{int(every['intervals'].sum()):,}"


@pytest.mark.parametrize(
    ("change", "word", "reason"),
    [
        (quiet(2000, 100), "fine", "where no caution holds, the coverage of auto is nowhere significantly"),
        (quiet(2000, 600), "caution", "the coverage of auto without a caution is significantly below nominal over all"),
        (quiet(10, 0), "caution", "too few to judge: with "),
        (spoiled, "caution", "the coverage of auto is significantly below nominal in 1 cell without a caution"),
    ],
)
def test_the_verdict_is_on_intervals_without_a_caution(calibration_study, change, word, reason):
    (verdict,) = ids.diagnose(change(calibration_study)).verdicts
    assert verdict.verdict == word
    assert verdict.reason.startswith(reason)


def test_the_verdict_names_the_shortfall_that_could_have_been_seen(calibration_study):
    """The pools of a level are a family, and the test of each is one-sided."""
    tree = quiet(2000, 100)(calibration_study)
    summary = summary_of(tree).sel(interval="auto", level=0.8)
    pools = summary["quiet_intervals"].sum(["group", "passes"])
    pools = pools.values[pools.values > 0]
    covered = np.arange(pools.min() + 1)
    p_values = len(pools) * stats.binom.cdf(covered, pools.min(), 0.79)
    least = covered[p_values < 0.05].max() / pools.min()
    (verdict,) = ids.diagnose(tree).verdicts
    assert f"a shortfall of {100 * (0.8 - least):.2g} points" in verdict.reason


def test_tables_list_every_kind_and_estimator(calibration_study):
    plain = kind_table(Study(calibration_study), cautioned=False)
    shown = cells(summary_of(calibration_study), 0.95)
    shown = shown[shown["cautions"] == ""]
    for _, row in plain.iterrows():
        part = shown[(shown["interval"] == row["interval"]) & (shown["replicates"] == int(row["replicates"]))]
        assert row["cells"] == str(len(part))
        assert row["least (%)"] == percent(part["quiet_coverage"].min())
        assert row["intervals"] == f"{int(part['quiet_intervals'].sum()):,}"
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
