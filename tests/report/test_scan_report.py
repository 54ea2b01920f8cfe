"""The scan report: its text, figure and files agree with its numbers."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.diagnostics.scan import diagnose_scans
from infodis_stats.report.heatmap import heatmap_figure
from infodis_stats.report.markdown import render_markdown
from infodis_stats.report.scan import ranking_tables, scan_answer, scan_document, write_scans
from tests.support.outline import Outline

LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)


@pytest.fixture(scope="module")
def scan():
    return ids.scan_substitutions(
        LAW, LAW.sample(1, length=16, seed=1)[0], "uniform-count+stratified", passes=16, replicates=8
    )


@pytest.fixture(scope="module")
def exact():
    return ids.scan_substitutions(LAW, LAW.sample(1, length=5, seed=2)[0], "exhaustive", passes=31, replicates=2)


def test_the_answer_counts_verdicts_and_names_the_best_substitution(scan):
    frame = ids.rank_substitutions(scan)
    first, second, third = scan_answer(scan)
    better, worse = ((frame["verdict"] == verdict).sum() for verdict in ("better", "worse"))
    assert better
    assert first.startswith(f"{better} of 48 substitutions are more likely than the original and {worse} less likely")
    assert "5 % family-wise" in first
    assert f"is {frame['substitution'][0]}: {frame['log_ratio'][0]:.3f} [" in second
    covered = ((frame["lower"] <= frame["exact"]) & (frame["exact"] <= frame["upper"])).sum()
    assert 0 < covered < 48
    assert f"{covered} of 48 pointwise 95 % intervals contain theirs" in third


def test_tables_show_both_ends_of_the_ranking(scan, exact):
    frame = ids.rank_substitutions(scan)
    tables = ranking_tables(scan, 5)
    assert list(tables) == ["The most likely", "The least likely"]
    top, bottom = tables.values()
    assert top["substitution"].tolist() == frame["substitution"][:5].tolist()
    assert bottom["substitution"].tolist() == frame["substitution"][-5:].tolist()
    assert bottom["rank"].tolist() == ["44", "45", "46", "47", "48"]
    printed = [float(one.split(" ")[0]) for one in top.filter(like="log ratio").iloc[:, 0]]
    assert printed == pytest.approx(frame["log_ratio"][:5].tolist(), rel=0.01)
    (whole,) = ranking_tables(exact).values()
    assert len(whole) == 15


def groups(figure):
    """Return the significant, the framed and the small cells, and the dots."""
    found = dict(re.findall(r'<g id="heatmap-PathCollection_(\d+)">(.*?)\n   </g>', figure, flags=re.DOTALL))
    return [found.get(number, "") for number in "1234"]


def fills(figure):
    return {colour for group in groups(figure)[:3] for colour in re.findall(r"<use [^>]*fill: (#\w{6})", group)}


def test_the_figure_marks_significant_and_better_cells_and_the_original(scan, exact):
    lower, upper = scan["log_ratio_ci"].transpose("ci_bound", ...).values
    better = int((ids.rank_substitutions(scan)["verdict"] == "better").sum())
    sure = int(((lower > 0) | (upper < 0)).sum())
    drawn = groups(heatmap_figure(scan))
    counts = [group.count("<use ") or group.count("<path ") for group in drawn]  # few cells are drawn one by one
    assert counts == [sure - better, better, 48 - sure, 16]
    assert min(counts) > 0
    assert ["stroke: #000000" in group for group in drawn] == [False, True, False, False]
    assert [group.count("<use ") for group in groups(heatmap_figure(exact))][2:] == [
        0,
        5,
    ]  # exact: every cell is significant


def test_colours_are_centred_at_zero_with_a_symmetric_range(exact):
    flat = exact.copy(deep=True)
    flat["log_ratio"] = xr.zeros_like(flat["log_ratio"])
    assert fills(heatmap_figure(flat)) == {"#f7f7f7"}
    assert -exact["log_ratio"].min() > exact["log_ratio"].max() > 0
    assert "#67001f" in fills(heatmap_figure(exact))  # the value farthest from zero is a loss
    assert "#053061" not in fills(heatmap_figure(exact))


def test_long_sequences_wrap(scan):
    long = xr.concat([scan] * 5, "position", data_vars="minimal").assign_coords(
        position=np.arange(80), site=("position", np.arange(1, 81)), original=("position", np.tile(scan["original"], 5))
    )
    assert heatmap_figure(long).count('id="heatmap-axes_') == 2 + 1  # two rows and the colour bar
    assert heatmap_figure(scan).count('id="heatmap-axes_') == 1 + 1


def test_the_folder_is_complete_and_the_page_is_self_contained(scan, exact, tmp_path):
    scans = {"<b>one</b>": scan, "two/2": exact}
    page = ids.write_scans(scans, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert page == tmp_path / "out" / "scan.html"
    assert names == {f"scan.{kind}" for kind in ("html", "md", "csv", "nc")} | {
        "figures/scan-1.svg",
        "figures/scan-2.svg",
    }
    text = page.read_text()
    outline = Outline(text)
    assert outline.tags.count("svg") == 2
    assert "b" not in outline.tags
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.links) <= {f"#{one}" for one in outline.ids}  # no external resources
    shown = "".join(outline.text)
    for words in ("<b>one</b>", "two/2", scan_answer(scan)[0], scan_answer(exact)[1], "seed 0", "Markov chain"):
        assert words in shown
    assert write_scans(scans, tmp_path / "again").read_text() == text

    table = pd.read_csv(tmp_path / "out" / "scan.csv", keep_default_na=False)
    assert table["sequence"].tolist() == ["<b>one</b>"] * 48 + ["two/2"] * 15
    np.testing.assert_array_equal(table["log_ratio"][:48], ids.rank_substitutions(scan)["log_ratio"])
    with xr.open_datatree(tmp_path / "out" / "scan.nc", engine="h5netcdf") as tree:
        stored = tree["scan-1"].to_dataset().load()
        assert tree["scan-2"].attrs["name"] == "two/2"
    xr.testing.assert_identical(stored.drop_attrs(), scan.drop_attrs())
    assert stored.attrs["sequence"] == scan.attrs["sequence"]


def test_markdown_has_the_same_answer_and_tables(scan, tmp_path):
    write_scans({"one": scan}, tmp_path)
    text = (tmp_path / "scan.md").read_text()
    assert text.startswith("# Substitution scan: one\n")
    assert f"- {scan_answer(scan)[0]}" in text
    assert "![Heat map of the log ratios](figures/scan-1.svg)" in text
    assert (tmp_path / "figures" / "scan-1.svg").read_text() == heatmap_figure(scan, "scan-1")


@pytest.fixture(scope="module")
def cautioned(scan):
    """The scan with a caution for the best substitution, whose verdict is withheld, and another for the worst."""
    changed, frame = scan.copy(deep=True), ids.rank_substitutions(scan)
    for row, key in ((frame.iloc[0], "skewed"), (frame.iloc[-1], "few-passes")):
        changed["cautions"].loc[{"position": row["site"] - 1, "symbol": row["symbol"], "caution": key}] = True
    return changed


def test_cautions_of_substitutions_are_shown_and_withhold_verdicts(scan, cautioned, tmp_path):
    before, after = (scan_answer(one) for one in (scan, cautioned))
    better = int(before[0].split(" of ")[0])
    assert after[0].startswith(f"{better - 1} of 48")
    (sentence,) = (one for one in after if "caution" in one.lower())
    assert sentence.startswith("A caution holds for 2 of 48 substitutions")
    assert "without a verdict because the interval may miss unseen: 1" in sentence
    best, worst = ranking_tables(cautioned, 5).values()
    assert best["cautions"].tolist() == ["skewed", "", "", "", ""]
    assert best["verdict"][0] == ""
    assert worst["cautions"].tolist()[-1] == "few-passes"
    assert worst["verdict"].tolist()[-1] == "worse"
    write_scans({"one": cautioned}, tmp_path)
    text = (tmp_path / "scan.md").read_text()
    assert all(f"**{key}**" in text or key in text for key in ("skewed", "few-passes"))
    assert pd.read_csv(tmp_path / "scan.csv", keep_default_na=False)["cautions"][0] == "skewed"
    framed = [group.count("<path ") for group in (groups(heatmap_figure(one))[1] for one in (scan, cautioned))]
    assert framed == [better, better - 1]


def test_control_without_cautions_there_is_no_column(scan):
    assert not any("caution" in one.lower() for one in scan_answer(scan))
    assert not any("cautions" in table for table in ranking_tables(scan).values())


def test_white_space_is_visible():
    model = ids.Denoiser(ids.DenoiserConfig("a \n", length=8, layers=1, width=8, heads=2))
    scan = ids.scan_substitutions(model, model.encode("a a"), passes=4, replicates=4)
    assert {"a1␣", "␣2↵"} <= set(ranking_tables(scan)["The ranking"]["substitution"])
    assert "␣" in heatmap_figure(scan)


def test_the_page_opens_with_the_verdict_of_its_scans(scan, cautioned):
    page = render_markdown(scan_document({"one": scan})).splitlines()
    assert page[4] == "**fine**: No problems found."
    diagnosis = diagnose_scans({"one": scan, "two": cautioned})
    checks = {verdict.check: verdict for verdict in diagnosis.verdicts}
    assert diagnosis.verdict == "caution"
    assert checks["skewed"].measured.startswith("1 of 96 substitutions: two ")
    assert checks["skewed"].measured.endswith("none of these gets a verdict")
    assert len(checks["few-passes"].items) == 1
    assert checks["exact value"].verdict == "fine"


def test_control_estimates_off_the_exact_values_are_not_to_be_used(scan):
    off = scan.copy(deep=True)
    best = ids.rank_substitutions(scan).iloc[0]
    off["exact"].loc[{"position": best["site"] - 1, "symbol": best["symbol"]}] += 20 * best["log_ratio_se"]
    (verdict, *_) = diagnose_scans({"one": off}).verdicts
    assert (verdict.check, verdict.verdict, verdict.items) == ("exact value", "do not use", (best["substitution"],))
