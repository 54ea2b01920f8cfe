"""The table of the harness with two more columns."""

import pytest

from infodis_stats.harness.extra_keys import with_mask_noise
from infodis_stats.harness.table import results_table
from tests.harness.test_extra_keys import small_task
from tests.support.harness_data import harness_results, perplexity_dataset, with_failure


@pytest.fixture(scope="module")
def tasks():
    return {"arc": small_task("arc", 30, 0), "piqa": small_task("piqa", 50, 1), "rolling": perplexity_dataset(9, 0)}


def rows(text):
    """Return the cells of all tables."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_columns_of_the_harness_and_two_more(tasks):
    results = with_mask_noise(harness_results(tasks, {"both": ["arc", "piqa"]}), tasks)
    header, _, *body = rows(results_table(results))
    assert header[:9] == ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"]
    assert header[9:] == ["Mask stderr", "95 % interval"]
    arc = results["results"]["arc"]
    lower, upper = arc["acc_mask_ci,none"]
    expected = ["- arc", "1", "none", "0", "acc", "↑", f"{arc['acc,none']:.4f}", "±", f"{arc['acc_stderr,none']:.4f}"]
    assert body[2] == [*expected, f"{arc['acc_mask_stderr,none']:.4f}", f"[{lower:.4f}, {upper:.4f}]"]
    assert [row[0] for row in body if row[0].strip(":-")] == ["both", "- arc", "- piqa", "rolling", "Groups", "both"]
    tokens = next(row for row in body if row[4] == "token_perplexity")
    assert tokens[5:9] == ["↓", f"{results['results']['rolling']['token_perplexity_mask,none']:.4f}", "", ""]
    assert all(len(row) == len(header) for row in body)


def test_what_the_columns_rest_on(tasks):
    tasks = tasks | {"piqa": with_failure(tasks["piqa"], [0])}
    results = with_mask_noise(harness_results(tasks, {"both": ["arc", "piqa"]}), tasks)
    _, _, meaning, counts = results_table(results).split("\n\n")
    undecided = {name: results["results"][name]["mask_undecided,none"] for name in ("piqa", "arc")}
    passes = sum(int(tasks[name]["forward_passes"].sum()) for name in ("arc", "piqa"))
    assert "an undecided question may count either way" in meaning
    assert (
        f"Undecided: {sum(undecided.values())} ({undecided['piqa']} in piqa, {undecided['arc']} in arc) of 79" in counts
    )
    assert f"Passes: {passes:,}, {100 * passes / 128 / 240:.0f} % of 128 for each choice." in counts
    assert "Failed, and left out: 1 in piqa." in counts


def test_results_without_further_keys_are_shown_as_the_harness_shows_them(tasks):
    text = results_table(harness_results(tasks))
    assert {tuple(row[9:]) for row in rows(text)[2:]} == {("", "")}
    assert "Mask stderr:" not in text


def test_names_cannot_break_the_table(tasks):
    results = harness_results({"arc": tasks["arc"]})
    results["results"]["arc"]["alias"] = "a|b\n\x1b[31m"
    assert rows(results_table(results))[2][0] == r"a&#124;b\n\x1b[31m"


def test_cautions_that_forbid_a_use_and_missed_precisions_stand_below_the_table():
    entry = {"alias": "arc", "acc,none": 0.5, "sample_len": 4, "mask_level,none": 0.95, "mask_failed,none": 0}
    noise = {"mask_undecided,none": 4, "mask_passes,none": 9, "mask_passes_of_128,none": 0.1, "mask_imprecise,none": 3}
    marked = noise | {"mask_cautions,none": ["biased", "few-passes"]}
    printed = results_table({"results": {"arc": entry | marked}})
    assert "Caution (biased), in arc: biased by construction" in printed
    assert "few-passes" not in printed  # of an estimate, which the page has
    assert "Estimates that miss the precision: 3." in printed
    assert "Caution" not in results_table({"results": {"arc": entry | noise | {"mask_cautions,none": []}}})
