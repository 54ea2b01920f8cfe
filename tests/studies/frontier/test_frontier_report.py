"""The frontier report: its text and its figure agree with its numbers."""

import re

import numpy as np
import pandas as pd
import pytest

import infodis_stats as ids
from infodis_stats.plots.frontier import plot_gains
from infodis_stats.plots.numbers import significant
from infodis_stats.plots.palette import shade_of
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.report.svg import svg_of
from infodis_stats.studies import document_of
from infodis_stats.studies.frontier.report.answer import answer
from infodis_stats.studies.frontier.report.tables import gain_table, mean_table, numeric_tables, regret_table
from infodis_stats.studies.view import Study

NAME = "A <b>chain</b>"


def picture(tree):
    return svg_of("picture", plot_gains, tree["summary"].to_dataset(), "time-free")


def with_auto(tree):
    """Add `auto`, which chose uniform-count+stratified everywhere."""
    changed = tree.copy(deep=True)
    changed["summary"]["role"].loc[{"estimator": "uniform-count+stratified"}] = "auto"
    return changed


def test_the_answer_counts_the_wins(frontier_study):
    winners = frontier_study["summary"]["winner"].values
    first = answer(Study(frontier_study))[0]
    assert f"Of {(winners != '').sum()} cells" in first
    for name in set(winners.ravel()) - {""}:
        assert f"{name} in {(winners == name).sum()}" in first


def test_the_answer_gives_the_average_gain_of_each_subject(frontier_study):
    (sentence,) = [one for one in answer(Study(frontier_study)) if one.startswith(f"{NAME}: ")]
    averages = frontier_study["subjects"].to_dataset().sel(subject=NAME, passes=8)
    found = re.search(
        r"at 8 passes the best has ([\d.]+) \[([\d.]+), ([\d.]+)\] times less variance than time-free", sentence
    )
    mean, ends = (
        averages["mean_regret"].sel(estimator="time-free"),
        averages["mean_regret_ci"].sel(estimator="time-free"),
    )
    assert [float(one) for one in found.groups()] == pytest.approx([float(mean), *ends.values.tolist()], rel=0.01)
    assert "exact)" not in sentence  # its one group of 16 to 64 positions is not exact


def test_the_answer_gives_the_regret_of_auto(frontier_study):
    tree = with_auto(frontier_study)
    (sentence,) = [one for one in answer(Study(tree)) if one.startswith("uniform-count+stratified: its variance")]
    regret = tree["summary"].to_dataset()["regret"].sel(estimator="uniform-count+stratified").values
    finite = regret[np.isfinite(regret)]
    assert f"over {len(finite)} cells" in sentence
    mean, most = (float(one) for one in re.findall(r"(?:average|most) ([\d.]+)", sentence))
    assert mean == pytest.approx(np.exp(np.log(finite).mean()), rel=0.01)
    assert most == pytest.approx(finite.max(), rel=0.01)
    assert f"another estimator is exact and it is not in {np.isposinf(regret).sum()} cell" in sentence
    table = regret_table(Study(tree), "uniform-count+stratified").set_index("subject")
    assert table.loc[NAME, "8"].endswith("; ∞")
    assert "Regret of uniform-count+stratified" in render_html(document_of(tree))


def test_estimators_that_miss_the_exact_value_are_named(frontier_study):
    assert any(one.startswith("No estimator is significantly biased") for one in answer(Study(frontier_study)))
    tree = frontier_study.copy(deep=True)
    tree["summary"]["bias_p"].loc[{"estimator": "time-free", "passes": 8, "group": f"{NAME}/long"}] = 0.001
    assert any("time-free in 1;" in one for one in answer(Study(tree)))


def test_the_figure_colours_and_labels_every_cell(frontier_study):
    summary = frontier_study["summary"].to_dataset()
    figure = picture(frontier_study)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", figure)
    cells = summary["winner"].values != ""
    exact = (summary["exact"] & (summary["estimator"] == summary["winner"])).any("estimator").values
    assert texts.count("exact") == (cells & exact).sum()
    gain = summary["regret"].sel(estimator="time-free", group=f"{NAME}/long", passes=8)
    assert significant(float(gain), 2) in texts
    for name in set(summary["winner"].values.ravel()) - {""}:
        assert shade_of(name) in figure
        assert name in texts


def test_a_corner_marks_estimators_that_do_not_differ_significantly(frontier_study):
    tree = frontier_study.copy(deep=True)
    tree["summary"]["tied"][:] = False
    plain = picture(tree)
    cell = {"group": f"{NAME}/long", "passes": 4, "estimator": "time-free"}
    tree["summary"]["tied"].loc[cell] = True
    marked = picture(tree)
    assert shade_of("time-free") not in plain
    assert marked.count(shade_of("time-free")) == 1


def test_tables_print_the_numbers_of_the_study(frontier_study):
    summary, averages = frontier_study["summary"].to_dataset(), frontier_study["subjects"].to_dataset()
    table = gain_table(Study(frontier_study), f"{NAME}/short").set_index("estimator")
    assert table.loc["chain", "8"].startswith("exact ")
    assert "◆" in table.loc[str(summary["winner"].sel(group=f"{NAME}/short", passes=8).item()), "8"]
    assert table["8"].str.contains("◆").sum() == 1
    assert table.loc["time-free", "8"] == "1.0"
    gain = summary["gain"].sel(group=f"{NAME}/short", passes=8, estimator="time-integral", rival="time-free")
    assert float(table.loc["time-integral", "8"].split()[0]) == pytest.approx(float(gain), rel=0.06)
    means = mean_table(Study(frontier_study), "time-free").set_index("subject")
    best = averages["mean_regret"].sel(subject=NAME, estimator="time-free", passes=8)
    assert float(means.loc[NAME, "8"].split()[0]) == pytest.approx(float(best), rel=0.06)
    assert means.loc["Two letters", "4"] == "\N{EN DASH}"  # no group of 16 to 64 positions


def test_csv_files_are_complete(frontier_study, tmp_path):
    ids.write_report(frontier_study, tmp_path)
    sizes = frontier_study["summary"].sizes
    tables = {path.stem: pd.read_csv(path) for path in (tmp_path / "tables").iterdir()}
    assert set(tables) == set(numeric_tables(Study(frontier_study)))
    cells = sizes["group"] * sizes["estimator"] * sizes["passes"]
    assert [len(tables[name]) for name in ("summary", "gains", "winners")] == [
        cells,
        cells * sizes["rival"],
        sizes["group"] * sizes["passes"],
    ]
    assert {"subject", "length", "regret_lower", "tied", "bias_z"} <= set(tables["summary"].columns)
    row = tables["gains"].set_index(["group", "estimator", "passes", "rival"])
    place = (f"{NAME}/long", "block-chain", 8, "time-free")
    assert row.loc[place, "gain"] == float(
        frontier_study["summary"]["gain"].sel(dict(zip(row.index.names, place, strict=True)))
    )
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {"frontier-1.svg", "frontier-2.svg"}


def test_names_from_a_file_cannot_become_markup(frontier_document):
    page = render_html(frontier_document)
    assert "<b>" not in page
    assert "A &lt;b&gt;chain&lt;/b&gt;" in page
    assert page.count("<svg") == 2
    assert page.count("<script") == 1  # that for sorting


def test_the_page_explains_how_the_best_was_chosen(frontier_study, frontier_document):
    for page in (render_html(frontier_document), render_markdown(frontier_document)):
        text = " ".join(page.split())
        assert "chosen on one half of the replicates and its gain is measured on the other" in text
        assert "time-integral" in text
        assert "infinite variance by construction" in text
    assert render_html(document_of(frontier_study)) == render_html(frontier_document)
    assert next(iter(frontier_document.headlines)) == "Times less variance than time-free, on average"
