"""The page of an evaluation in the harness."""

import re

import pandas as pd
import pytest

from infodis_stats.harness.accuracies import accuracies
from infodis_stats.harness.comparison import compare_models
from infodis_stats.harness.extra_keys import with_mask_noise
from infodis_stats.harness.report.document import harness_document, write_harness_report
from infodis_stats.harness.report.open_questions import open_questions
from infodis_stats.plots.numbers import significant
from infodis_stats.report.markdown import render_markdown
from tests.harness.test_extra_keys import small_task
from tests.support.harness_data import harness_results, perplexity_dataset, with_failure


@pytest.fixture(scope="module")
def tasks():
    return {"arc": small_task("arc", 30, 0), "piqa": small_task("piqa", 50, 1), "rolling": perplexity_dataset(9, 0)}


def test_the_files_of_the_page(tasks, tmp_path):
    results = with_mask_noise(harness_results(tasks, {"both": ["arc", "piqa"]}), tasks)
    page = write_harness_report(tasks, tmp_path / "report", results)
    assert page.name == "report.html"
    assert page.read_text(encoding="utf-8").count("<svg") == 3
    table = pd.read_csv(page.parent / "tables" / "accuracies.csv")
    summary = accuracies(tasks["piqa"])
    row = table[(table["task"] == "piqa") & (table["score"] == "acc")].iloc[0]
    assert row["mask_stderr"] == float(summary["mask_stderr"].sel(score="acc"))
    assert row["ci_upper"] == float(summary["ci"].sel(score="acc", ci_bound="upper"))
    text = (page.parent / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| both +\| acc ", text)
    assert "- both: acc " in text
    assert "races that end when the winners are settled at an error of 0.01, at most 128 passes per choice" in text


def test_the_answer_has_the_numbers(tasks):
    answer = harness_document(tasks).answer
    summary = accuracies(tasks["arc"]).sel(score="acc")
    lower, upper = 100 * summary["ci"].values
    assert answer[0].startswith(
        f"arc: acc {100 * float(summary['value']):.1f} %; the model's own acc lies in [{lower:.1f}, {upper:.1f}] %"
    )
    undecided = sum(int((~tasks[name]["settled"]).any("score").sum()) for name in ("arc", "piqa"))
    assert answer[4].startswith(f"{undecided} of 80 questions are undecided")
    passes = sum(int(tasks[name]["forward_passes"].sum()) for name in ("arc", "piqa"))
    assert answer[6] == f"{passes:,} passes were run, of 30,720 for 128 per choice: {30720 / passes:.3g} times fewer."
    assert answer[7].startswith("rolling: word perplexity ")


def test_a_noise_that_is_not_known_is_not_given_as_none(tasks):
    unknown = tasks["arc"].copy(deep=True)
    unknown["win"][:] = float("nan")
    text = render_markdown(harness_document({"arc": unknown, "piqa": tasks["piqa"]}))
    assert "The noise of the masks is not known for arc, acc; arc, acc_norm" in text


def test_undecided_questions_are_listed_with_their_margins(tasks):
    data, table = tasks["piqa"], open_questions(tasks["piqa"])
    assert len(table) == int((~data["settled"]).sum())
    assert table["chance"].is_monotonic_increasing
    for row in table.head(5).itertuples():
        nll = data["nll"].values[row.question] / data["sizes"].sel(score=row.score).values[row.question]
        assert row.leader == nll.argmin()
        assert row.margin == pytest.approx(nll[row.runner_up] - nll[row.leader])
        assert row.right == data["gold"].values[row.question, row.leader]
    # Independent errors in the synthetic data; a third choice that is near makes no difference to the pair's margin.
    clear = table[(table["score"] == "acc") & (table["chance"] > 0.9)].iloc[0]
    errors = data["nll_se"].values[clear["question"], [clear["leader"], clear["runner_up"]]]
    assert clear["margin_se"] == pytest.approx((errors**2).sum() ** 0.5, rel=0.1)


def test_a_score_that_is_no_likelihood_over_a_size_has_no_margin(tasks):
    data = tasks["arc"].copy(deep=True)
    data["nll"] = -data["nll"]
    assert open_questions(data)["margin"].isna().all()


def test_what_failed_and_what_is_cautioned_is_named(tasks):
    piqa = with_failure(tasks["piqa"], [7], "question 7: a continuation of 900 tokens, and the model takes 512")
    piqa["cautions"].loc[{"caution": "skewed", "question": [1, 2], "choice": 0}] = True
    text = render_markdown(harness_document(tasks | {"piqa": piqa}))
    assert "The model failed on 1 question or document" in text
    assert re.search(r"\| piqa +\| 7 +\| question 7: a continuation of 900 tokens", text)
    assert re.search(r"\| skewed \| caution \| few losses carry the spread.* \| 2 in piqa \|", text)
    assert "| skewed |" not in render_markdown(harness_document(tasks)), "control"
    assert text.startswith("# Evaluation on arc, piqa, rolling\n")
    assert text.splitlines()[4].startswith("**caution**")


def test_two_models_have_a_section(tasks):
    other = tasks["arc"].assign_attrs(model="another model")
    text = render_markdown(harness_document(tasks, comparisons=[compare_models(tasks["arc"], other)]))
    assert "## Two models" in text
    assert text.index("arc, acc: neither model") < text.index("arc: acc "), "the comparison was asked for"
    assert "First: a synthetic model. Second: another model." in text
    assert "arc, acc: neither model is significantly more accurate on questions like these; only" in text


def test_perplexities_alone_many_tasks_settled_tasks_and_tasks_without_answers():
    rolling = harness_document({"rolling": perplexity_dataset(3, 0)})
    assert "†" in render_markdown(rolling)
    assert not rolling.figures
    many = {f"task {number}": small_task("", 12, number) for number in range(7)}
    document = harness_document(many)
    assert document.title == "Evaluation on 7 tasks"
    assert "The table below has all 14 accuracies." in document.answer
    assert "The 6 tasks with most undecided questions." in render_markdown(document)
    settled = many["task 0"].copy(deep=True)
    settled["settled"][:], settled["p_value"][:], settled["answer_p_value"][:] = True, 0.0, 0.0
    assert "All 12 questions are settled" in harness_document({"arc": settled}).answer[2]
    assert "Every leader is the model's own answer" in render_markdown(harness_document({"arc": settled}))
    nothing = harness_document({"arc": with_failure(settled, range(12))})
    assert nothing.answer == [
        "arc: no question could be scored, so neither it nor a group with it has a row.",
        "The model failed on 12 questions or documents; all numbers here leave out what failed.",
    ]


def test_names_from_the_data_are_escaped(tasks):
    page = render_markdown(harness_document({"<b>arc": with_failure(tasks["arc"], [0], "<script>")}))
    assert "<b>" not in page
    assert "<script>" not in page


def test_without_an_error_the_page_says_that_the_noise_of_the_masks_is_not_known(tasks):
    data = tasks["arc"].copy(deep=True)
    data["settled"][:], data["answer_p_value"][:] = False, float("nan")
    data["p_value"][:], data["win"][:] = float("nan"), float("nan")
    both = {"arc": data, "piqa": tasks["piqa"]}
    results = with_mask_noise(harness_results(both, {"both": ["arc", "piqa"]}), both)
    assert results["groups"]["both"]["acc_mask_stderr,none"] == "N/A"
    assert "The noise of the masks is not known" in " ".join(harness_document({"arc": data}).answer)
    text = render_markdown(harness_document(both, results))
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    noise = {tuple(row[:2]): row[5] for row in rows if row[0] in ("arc", "piqa") and len(row) == 10}
    assert noise["arc", "acc"] == significant(float("nan"))
    assert noise["piqa", "acc"] != significant(float("nan")), "control"
    (group,) = [row for row in rows if row[:2] == ["both", "acc"]]
    assert group[4] == significant(float("nan"))
