"""Further keys of the harness' results: the harness' own keys stay as they are."""

import copy
import json
import math

import pytest

from infodis_stats.harness.extra_keys import with_mask_noise
from infodis_stats.harness.groups import task_weights
from infodis_stats.harness.perplexities import perplexities
from tests.support.harness_data import (
    SCORES,
    Task,
    choices_dataset,
    harness_results,
    perplexity_dataset,
    run,
    with_failure,
)


def small_task(name, questions, seed):
    task = Task.draw(questions, 3, seed=seed, noise=2.0)
    return choices_dataset(task, run(task, seed), name)


@pytest.fixture
def tasks():
    return {"arc": small_task("arc", 30, 0), "piqa": small_task("piqa", 50, 1), "rolling": perplexity_dataset(9, 0)}


def own_keys(results):
    """Return the results without the further keys."""
    return results | {
        section: {
            name: {key: value for key, value in entry.items() if "mask" not in key}
            for name, entry in results[section].items()
        }
        for section in ("results", "groups")
        if section in results
    }


@pytest.mark.parametrize("by_size", [True, False])
def test_the_own_keys_of_the_harness_are_identical_and_the_others_are_values_of_json(tasks, by_size):
    results = harness_results(tasks, {"both": ["arc", "piqa"]}, by_size=by_size)
    before = copy.deepcopy(results)
    extended = with_mask_noise(results, tasks)
    assert results == before, "the argument is not changed"
    assert json.dumps(own_keys(extended)) == json.dumps(before)
    assert list(extended) == list(before)
    assert json.loads(json.dumps(extended, allow_nan=False)) == extended
    for name in tasks:
        assert len(extended["results"][name]) > len(before["results"][name])


def test_the_keys_of_a_task(tasks):
    entry = with_mask_noise(harness_results(tasks), tasks, level=0.9)["results"]["arc"]
    data = tasks["arc"]
    for score in SCORES:
        lower, upper = entry[f"{score}_mask_ci,none"]
        wide_lower, wide_upper = entry[f"{score}_population_mask_ci,none"]
        assert 0 <= wide_lower <= lower <= entry[f"{score},none"] <= upper <= wide_upper <= 1
        assert 0 < entry[f"{score}_mask_stderr,none"] < entry[f"{score}_stderr,none"]
        assert entry[f"{score}_mask_undecided,none"] == int((~data["settled"].sel(score=score)).sum())
    assert entry["mask_passes,none"] == int(data["forward_passes"].sum())
    assert entry["mask_passes_of_128,none"] == entry["mask_passes,none"] / (128 * 90)
    assert (entry["mask_failed,none"], entry["mask_level,none"]) == (0, 0.9)


def test_the_keys_of_a_perplexity_task(tasks):
    entry = with_mask_noise(harness_results(tasks), tasks)["results"]["rolling"]
    summary = perplexities(tasks["rolling"])
    for metric in ("word_perplexity", "byte_perplexity", "bits_per_byte"):
        assert entry[f"{metric}_mask_ci,none"] == summary["ci"].sel(metric=metric).values.tolist()
    assert entry["token_perplexity_mask,none"] == float(summary["value"].sel(metric="token_perplexity"))
    assert len(entry["token_perplexity_population_mask_ci,none"]) == 2


def test_what_is_not_known_is_written_as_the_harness_writes_it(tasks):
    data = tasks["rolling"]
    tasks["rolling"] = data.assign(nll_se=data["nll_se"] * math.nan).isel(document=[0])
    entry = with_mask_noise(harness_results(tasks), tasks)["results"]["rolling"]
    assert entry["word_perplexity_mask_stderr,none"] == "N/A"
    assert entry["word_perplexity_mask_ci,none"] == ["N/A", "N/A"]
    arc = tasks["arc"].copy(deep=True)
    arc["win"][0] = math.nan
    entry = with_mask_noise(harness_results({"arc": arc}), {"arc": arc})["results"]["arc"]
    assert entry["acc_mask_stderr,none"] == entry["acc_mask_flips,none"] == "N/A"


@pytest.mark.parametrize("by_size", [True, False])
def test_a_group_is_weighted_as_the_harness_weights_it(tasks, by_size):
    results = harness_results(tasks, {"all": ["both"], "both": ["arc", "piqa"]}, by_size=by_size)
    extended = with_mask_noise(results, tasks)
    weights = [30 / 80, 50 / 80] if by_size else [0.5, 0.5]
    entries = [extended["results"][name] for name in ("arc", "piqa")]
    error = math.hypot(*(w * entry["acc_mask_stderr,none"] for w, entry in zip(weights, entries, strict=True)))
    for section in ("results", "groups"):
        group = extended[section]["all"]
        assert group["acc_mask_stderr,none"] == pytest.approx(error)
        assert group["acc_mask_ci,none"][0] <= group["acc,none"] <= group["acc_mask_ci,none"][1]
        assert group["mask_passes,none"] == sum(entry["mask_passes,none"] for entry in entries)
        assert group["acc_mask_flips,none"] == pytest.approx(sum(entry["acc_mask_flips,none"] for entry in entries))


def test_weights_are_known_from_the_standard_error_where_values_are_equal():
    entries = {
        name: {"acc,none": 0.5, "acc_stderr,none": error, "sample_len": size}
        for name, size, error in (("a", 10, 0.16), ("b", 90, 0.05))
    }
    for weights, error in (([0.1, 0.9], 0.0487), ([0.5, 0.5], math.hypot(0.16, 0.05) / 2)):
        groups = {"all": {"acc,none": 0.5, "acc_stderr,none": error}}
        assert task_weights({"results": entries, "groups": groups}, "all", "acc,none", ["a", "b"]) == weights


def test_a_metric_of_the_same_name_that_is_something_else_gets_no_keys(tasks):
    results = harness_results(tasks, {"both": ["arc", "piqa"]})
    results["results"]["arc"]["acc,none"] += 0.1
    results["groups"]["both"]["acc,none"] = 0.123
    results["results"]["rolling"]["word_perplexity,none"] *= 2
    extended = with_mask_noise(results, tasks)
    for section, name, metric in (
        ("results", "arc", "acc"),
        ("groups", "both", "acc"),
        ("results", "rolling", "word_perplexity"),
    ):
        assert f"{metric}_mask_stderr,none" not in extended[section][name]
    assert "acc_norm_mask_stderr,none" in extended["results"]["arc"], "control: the others do"
    assert "acc_mask_stderr,none" in extended["results"]["piqa"]


def test_failed_questions_are_counted_and_a_task_without_answers_has_no_keys(tasks):
    results = harness_results(tasks, {"both": ["arc", "piqa"]})
    tasks["arc"], tasks["piqa"] = with_failure(tasks["arc"], [1, 2]), with_failure(tasks["piqa"], range(50))
    extended = with_mask_noise(results, tasks)
    assert extended["results"]["arc"]["mask_failed,none"] == 2
    assert extended["results"]["piqa"] == results["results"]["piqa"]
    assert extended["groups"]["both"] == results["groups"]["both"]


def test_the_harness_prints_and_aggregates_as_these_results_do(tasks):
    metrics = pytest.importorskip("lm_eval.api.metrics", reason="the extra harness is not installed")
    make_table = pytest.importorskip("lm_eval.utils").make_table
    results = harness_results(tasks, {"both": ["arc", "piqa"]})
    arc, data = results["results"]["arc"], tasks["rolling"]
    assert arc["acc_stderr,none"] == pytest.approx(
        metrics.mean_stderr(tasks["arc"]["right"].sel(score="acc").values.tolist())
    )
    errors = [results["results"][name]["acc_stderr,none"] for name in ("arc", "piqa")]
    assert results["groups"]["both"]["acc_stderr,none"] == pytest.approx(metrics.pooled_sample_stderr(errors, [30, 50]))
    items = list(zip((-data["nll"].values).tolist(), data["words"].values.tolist(), strict=True))
    assert results["results"]["rolling"]["word_perplexity,none"] == pytest.approx(metrics.weighted_perplexity(items))
    assert "acc_norm_mask_ci" in make_table(with_mask_noise(results, tasks))
