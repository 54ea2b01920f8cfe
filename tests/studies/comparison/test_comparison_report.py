"""Comparison reports: their text agrees with their numbers, and text from a file cannot become markup."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.plots import items
from infodis_stats.plots.items import subsample
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.comparison.report.answer import answer
from infodis_stats.studies.comparison.report.figures import errors_figure
from infodis_stats.studies.comparison.report.tables import (
    bias_table,
    coverage_table,
    main_table,
    numeric_tables,
    tail_table,
)
from infodis_stats.studies.view import Study
from tests.support.outline import Outline


def test_the_first_sentence_is_the_answer(study):
    summary = study["summary"].to_dataset().sel(group="short", passes=31)
    sentence = answer(Study(study))[0]
    ratio = float(summary["efficiency"].sel(estimator="uniform-count+stratified"))
    assert "short: At 31 passes, uniform-count+stratified has" in sentence
    assert float(re.search(r"has ([\d.]+) \[", sentence)[1]) == pytest.approx(ratio, rel=0.01)
    assert sentence.endswith("exhaustive is exact.")


def test_a_single_number_of_passes_has_no_slope(study_file):
    study_file.write_text(re.sub("passes = .*", "passes = [8]", study_file.read_text(), count=1))
    tree = ids.run_study(study_file)
    document = document_of(tree)
    pages = [
        re.sub("provenance", "", render(document), flags=re.IGNORECASE) for render in (render_html, render_markdown)
    ]
    assert not any(word in page for page in pages for word in ("Variance against passes", "Slope of", "nan", "Converg"))


def test_points_are_not_intervals(study):
    assert main_table(Study(study), "short").set_index("estimator").iloc[:, 3]["exhaustive"] == "exact"
    table = coverage_table(Study(study), "short", "student-t").set_index("estimator").loc["exhaustive"]
    assert table.tolist()[2:] == ["exact", "exact"]  # with fewer passes it was not run


def test_the_answer_never_recommends_an_untrusted_estimator(study):
    tree = study.copy(deep=True)
    tree["summary"]["efficiency"].loc[{"estimator": "time-integral"}] = 1e6
    assert not any("time-integral has" in sentence for sentence in answer(Study(tree)))
    tree["summary"]["efficiency"].loc[{"estimator": "uniform-count+stratified"}] = 1e7
    assert "uniform-count+stratified has 1.00e+07" in answer(Study(tree))[0]


def test_the_answer_names_biased_estimators(study, ratio_study):
    assert any(
        "Significantly biased" in one and one.endswith("time-integral(eps=0.2).") for one in answer(Study(study))
    )
    assert any("No significant bias" in one for one in answer(Study(ratio_study)))


def test_tables_print_the_numbers_of_the_summary(study):
    table = main_table(Study(study), "short").set_index("estimator")
    variance = study["summary"].to_dataset()["variance"].sel(group="short", passes=31)
    printed = float(table.loc["time-free", "sd (nats)"])
    assert printed == pytest.approx(float(variance.sel(estimator="time-free")) ** 0.5, rel=0.01)
    assert table.loc["time-free", "times less variance than time-free"] == "1.00"
    assert table.loc["exhaustive", "times less variance than time-free"] == "∞"
    assert table.loc["time-integral", "caution"].startswith("infinite-variance")


def test_the_page_is_self_contained_and_well_formed(study, document):
    page = render_html(document)
    outline = Outline(page)
    assert outline.tags.count("svg") == 3
    assert len(outline.ids) == len(set(outline.ids))
    inside = {link for link in outline.links if link.startswith("#")}
    assert {link[1:] for link in inside} <= set(outline.ids)
    assert inside == set(outline.links)  # no external resources
    assert outline.tags.count("script") == 1  # that for sorting
    text = "".join(outline.text)
    for words in (answer(Study(study))[0], "exhaustive needs 31 passes", "infinite variance by construction", "Seed 3"):
        assert words in text


def test_text_from_a_study_is_escaped_on_the_page(ratio_study):
    tree = ratio_study.copy(deep=True)
    tree.attrs["title"] = "<script>alert(1)</script>"
    outline = Outline(render_html(document_of(tree)))
    assert outline.tags.count("script") == 1  # that for sorting
    assert "b" not in outline.tags
    assert "<script>alert(1)</script>" in "".join(outline.text)
    assert "one <b>substitution</b>" in "".join(outline.text)


def test_the_same_study_gives_the_same_page(study, document):
    assert render_html(document_of(study)) == render_html(document)


def test_a_report_folder_is_complete(study, tmp_path):
    page = ids.write_report(study, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert page == tmp_path / "out" / "report.html"
    assert names == {"study.nc", "report.html", "report.md"} | {
        f"tables/{name}.csv" for name in ("summary", "coverage", "slopes", "truth")
    } | {f"figures/{name}.svg" for name in ("estimates", "variance", "efficiency")}
    summary = study["summary"].to_dataset()
    table = pd.read_csv(tmp_path / "out" / "tables" / "summary.csv").set_index(["group", "estimator", "passes"])
    assert table.loc[("short", "time-free", 8), "variance"] == float(
        summary["variance"].sel(group="short", estimator="time-free", passes=8)
    )
    assert len(table) == summary["variance"].size
    assert {"efficiency_lower", "efficiency_upper"} <= set(table.columns)
    slopes = pd.read_csv(tmp_path / "out" / "tables" / "slopes.csv")
    assert np.isfinite(slopes.set_index(["group", "estimator"]).loc[("short", "time-free"), "slope"])


def test_markdown_has_the_same_answer_and_tables(study, document):
    text = render_markdown(document)
    assert f"- {answer(Study(study))[0]}" in text
    assert "| time-integral † " in text
    assert text.count("```toml") == 1


def test_the_answer_quotes_the_interval_of_the_winner(study):
    cell = study["summary"].to_dataset().sel(group="short", passes=31, estimator="uniform-count+stratified")
    found = re.search(r"\[([\d.]+), ([\d.]+)\]", answer(Study(study))[0])
    assert [float(one) for one in found.groups()] == pytest.approx(cell["efficiency_ci"].values.tolist(), rel=0.01)


def test_the_answer_counts_the_intervals_of_estimators_without_a_caution(study):
    student = study["summary"].to_dataset().sel(interval="student-t")
    clean = ["time-free", "uniform-count+stratified"]
    rows = [
        student.sel(group=group, estimator=name)
        for group in ("short", "shorter")
        for name in clean
        if not student["cautions"].sel(group=group, estimator=name).any()
    ]
    count = sum(int(row["intervals_pooled"]) for row in rows)
    covered = sum(float(row["coverage_pooled"] * row["intervals_pooled"]) for row in rows)
    (sentence,) = [one for one in answer(Study(study)) if one.startswith("Nominal")]
    assert f"cover {100 * covered / count:.1f} %" in sentence
    assert f"({count:,} intervals" in sentence
    assert "no cell is significantly different" in sentence


def test_departures_from_nominal_coverage_are_named_and_starred(study):
    tree = study.copy(deep=True)
    place = {"group": "short", "estimator": "time-free", "passes": 8, "interval": "student-t"}
    tree["summary"]["coverage_p"].loc[place] = 0.001
    (sentence,) = [one for one in answer(Study(tree)) if one.startswith("Nominal")]
    assert "significantly different are time-free at 8 passes, short" in sentence
    table = coverage_table(Study(tree), "short", "student-t").set_index("estimator")
    assert table.loc["time-free", "8"].endswith("]*")
    assert not table.loc["time-free", "4"].endswith("*")


def test_tables_mark_cautions_bias_and_missing_cells(study):
    bias = bias_table(Study(study), "short").set_index("estimator")
    assert bias.loc["time-integral(eps=0.2) †", "31"].endswith("*")
    assert not bias.loc["time-free", "31"].endswith("*")
    assert bias.loc["exhaustive", "4"] == "\N{EN DASH}"
    tails = tail_table(Study(study), "short").set_index("estimator")
    summary = study["summary"].to_dataset().sel(group="short", estimator="time-free", passes=8)
    ratio = float(tails.loc["time-free", "8"].split("; ")[1])
    assert ratio == pytest.approx(float(summary["variance"] / summary["exact_variance"]), rel=0.01)


def test_csv_bounds_are_in_order(study):
    for name, columns in {"summary": "efficiency", "slopes": "slope", "coverage": "coverage"}.items():
        frame = numeric_tables(Study(study))[name].dropna()
        assert len(frame)
        assert (frame[f"{columns}_lower"] <= frame[columns] + 1e-12).all()
        assert (frame[columns] <= frame[f"{columns}_upper"] + 1e-12).all()
        assert (frame[f"{columns}_lower"] < frame[f"{columns}_upper"]).any()


def test_the_errors_figure_shows_misses_in_red(study):
    tree = study.copy(deep=True)
    tree["truth"]["truth"].loc[{"item": "short/0"}] += 30.0  # each panel has as many misses or one more
    red, before = errors_figure(Study(tree)).count("#c81e3a"), errors_figure(Study(study)).count("#c81e3a")
    assert red > before


def test_the_page_reports_the_passes_spent(study, document):
    assert f"{study['provenance'].attrs['forward_passes']:,} forward passes" in render_html(document)


def test_a_figure_of_many_items_plots_a_subsample_and_counts_all(study, monkeypatch):
    some = errors_figure(Study(study))
    assert "drawn at random" not in some
    many = study.copy()
    for name in ("draws", "truth"):
        part = study[name].to_dataset()
        many[name] = xr.DataTree(xr.concat([part] * 100, "item", data_vars="minimal"))
    page = errors_figure(Study(many))
    assert "500 of 700 drawn at random" in page
    counts = re.findall(r"(\d+) of (\d+) cover", some)
    assert [total for _, total in counts] == ["7", "7", "7", "7", "3"]  # eight passes are all masks of the shorter
    assert re.findall(r"(\d+) of (\d+) cover", page) == [(f"{100 * int(a)}", f"{100 * int(b)}") for a, b in counts]
    assert page == errors_figure(Study(many))
    monkeypatch.setattr(items, "MOST_ITEMS", 700)
    whole = errors_figure(Study(many))
    assert "drawn at random" not in whole
    dots = [text.count("<use ") for text in (page, whole)]  # points outside their panel are not drawn
    assert dots[0] == pytest.approx(dots[1] * 5 / 7, rel=0.05)


def test_every_item_can_be_in_the_subsample():
    chosen = subsample(10_000)
    assert len(set(chosen.tolist())) == 500
    assert (np.diff(chosen) > 0).all()
    # The mean of 500 of the numbers below 10,000 without replacement, within four standard errors.
    assert abs(chosen.mean() - 4999.5) < 4 * 10_000 / np.sqrt(12 * 500)
