"""The information report: its text, tables and figures agree with its numbers."""

import re

import numpy as np
import pytest

from infodis_stats.cli import main
from infodis_stats.plots.families import families, family_of, looks
from infodis_stats.plots.numbers import band, significant
from infodis_stats.report.document import BEST, TIED
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import diagnose
from infodis_stats.studies.information.report.answer import answer, inside
from infodis_stats.studies.information.report.tables import cost_table, lead_table, numeric_tables, total_table
from infodis_stats.studies.view import Study
from tests.support.small_studies import SMALL_INFORMATION

SHORT = "A <b>chain</b>: short"


def with_lead(tree, lead, lower, upper):
    """Replace the last comparison of the first group with this one."""
    changed = tree.copy(deep=True)
    changed["summary"]["lead"][{"group": 0, "passes": -1}] = lead
    changed["summary"]["lead_ci"][{"group": 0, "passes": -1}] = [lower, upper]
    return changed


@pytest.mark.parametrize(
    ("lead", "words"),
    [
        ((4.0, 2.0, 8.0), r"marginal\S+ has 4.00 \[2.00, 8.00\] times less variance than triangular"),
        ((0.25, 0.2, 0.5), r"triangular has 4.00 \[2.00, 5.00\] times less variance than marginal"),
        ((1.2, 0.8, 1.8), r"are not significantly different \(1.20 \[0.800, 1.80\]"),
        ((0.0, 0.0, 0.0), r"at 8 passes triangular is exact\."),
        ((np.inf, np.inf, np.inf), r"at 8 passes marginal\S+ is exact\."),
        ((np.nan, np.nan, np.nan), r"at 8 passes triangular and marginal\S+ are exact\."),
    ],
)
def test_the_answer_names_the_winning_family(information_study, lead, words):
    assert re.search(words, " ".join(answer(Study(with_lead(information_study, *lead)))))


def test_a_single_family_is_not_compared(information_study):
    tree = with_lead(information_study, *[np.nan] * 3)
    tree["summary"]["best_noised"][{"group": 0, "passes": -1}] = ""
    assert any("no two families" in one for one in answer(Study(tree)))
    assert lead_table(Study(tree))["8"][0] == significant(np.nan)


def test_the_first_sentence_counts_the_groups(information_study):
    tree = information_study.copy(deep=True)
    tree["summary"]["lead"][{"passes": -1}] = [4.0, 0.5, 1.1]
    tree["summary"]["lead_ci"][{"passes": -1}] = [[2.0, 8.0], [0.4, 0.6], [0.9, 1.4]]
    assert (
        "in 1 of 3 groups, score entropies in 1: the best score entropy has 0.250 to 2.00 times the variance"
        in answer(Study(tree))[0]
    )
    tree["summary"]["lead"][{"passes": -1}] = np.nan
    assert "the best score entropy" not in answer(Study(tree))[0]


def test_totals_and_curves_are_reported_and_tested(information_study):
    found = answer(Study(information_study))
    agreement = "The information without noise agrees with the entropy of the law, whatever"
    assert any(sentence.startswith(agreement) for sentence in found)
    held = inside(information_study["curves"].to_dataset())
    assert any(one.startswith(f"{int(held.sum())} of {int(held.notnull().sum())} nominal 95 % bands") for one in found)
    assert diagnose(information_study).verdict != "do not use"
    off = information_study.copy(deep=True)
    off["curves"]["entropy_p"][{"group": 1, "noise": 1}] = 1e-4
    assert any(
        "differs significantly from the entropy of the law: A <b>chain</b>: long under uniform" in one
        for one in answer(Study(off))
    )
    assert any(one.check == "entropy" and one.verdict == "caution" for one in diagnose(off).verdicts)


def test_a_band_that_misses_the_exact_curve_is_detected(information_study):
    curves = information_study["curves"].to_dataset().copy(deep=True)
    assert inside(curves).sel(group="Hidden").isnull().all()
    curves["exact"][{"group": 0, "noise": 0, "noise_level": 5}] = 99.0
    assert inside(curves).values[0, 0] == 0


def test_a_study_without_entropies_does_not_mention_them(information_study):
    tree = information_study.copy(deep=True)
    for name in ("entropy", "entropy_z", "entropy_p", "exact"):
        tree["curves"][name][:] = np.nan
    assert not any("without noise" in one or "bands" in one for one in answer(Study(tree)))
    assert set(total_table(Study(tree))["entropy (nats)"]) == {significant(np.nan)}
    assert any("no entropy is known" in one.reason for one in diagnose(tree).verdicts)


def test_the_cost_table_agrees_with_the_summary(information_study):
    table = cost_table(Study(information_study), SHORT)
    assert table["estimator"][0] == "time-integral †"
    table = table.set_index(table["estimator"].str.removesuffix(" †"))
    summary = information_study["summary"].to_dataset().sel(group=SHORT, passes=8)
    draws = information_study["draws"].to_dataset()
    mean = draws["estimate"].sel(passes=8).isel(item=draws["group"] == SHORT).mean(["item", "replicate"])
    for name in table.index:
        assert float(table.loc[name, "mean (z)"].split()[0]) == pytest.approx(float(mean.sel(estimator=name)), rel=1e-3)
        one = summary.sel(estimator=name)
        assert table.loc[name, "gain"].rstrip(BEST + TIED) == band(
            float(one["efficiency"]), *one["efficiency_ci"].values.tolist()
        )
    tree = information_study.copy(deep=True)
    tree["summary"]["bias_p"].loc[{"group": SHORT, "estimator": "triangular", "passes": 8}] = 1e-3
    assert cost_table(Study(tree), SHORT).set_index("estimator").loc["triangular", "mean (z)"].endswith("*")


def test_each_family_has_its_own_hue(information_study):
    names = information_study["summary"]["estimator"].values.tolist()
    assert list(families(names)) == [
        "masks",
        "score entropy, uniform noise",
        "score entropy, absorbing noise",
        "marginal score entropy, uniform noise",
    ]
    shown = looks(names)
    assert len({look["color"] for look in shown.values()}) == len(names)
    for name, look in shown.items():
        red, green = int(look["color"][1:3], 16), int(look["color"][3:5], 16)
        assert (green > red) == (family_of(name) == "masks")


def test_pages_are_complete_and_escaped(information_document):
    html, markdown = render_html(information_document), render_markdown(information_document)
    assert "A &lt;b&gt;chain" in html
    assert "<b>chain" not in html.split("<pre>")[0]
    assert html.count("<svg") == 3
    assert "nan" not in re.sub(r"<(svg|script).*?</\1>", "", html, flags=re.DOTALL).lower().replace("nanc", "")
    for part in ("Cost of a likelihood", "Score entropies against masks", "Information against noise"):
        assert part in html
        assert f"## {part}" in markdown
    assert set(information_document.tables) >= {"summary", "leads", "curves", "totals"}


def test_tables_have_one_row_per_cell(information_study):
    tables = numeric_tables(Study(information_study))
    assert len(tables["leads"]) == 3 * 2
    assert len(tables["curves"]) == 3 * 2 * 33
    assert {"entropy", "entropy_p"} <= set(tables["totals"])
    assert {"information_lower", "exact"} <= set(tables["curves"])


def test_the_command_line_runs_the_study_and_writes_its_report(tmp_path, capsys):
    path, out = tmp_path / "few.toml", tmp_path / "out"
    head, first, _ = SMALL_INFORMATION.split("[[subjects]]")
    few = head.replace('    "triangular",\n    "score-entropy(uniform)",\n', "").replace(
        "replicates = 16", "replicates = 8"
    )
    path.write_text(f"{few}[[subjects]]{first}")
    assert main(["study", str(path), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "A <b>chain</b>: short, 8 passes" in printed
    assert "The information without noise agrees with" in printed
    assert main(["report", str(out / "study.nc"), "--out", str(tmp_path / "again")]) == 0
    assert (tmp_path / "again" / "report.md").read_text() == (out / "report.md").read_text()
