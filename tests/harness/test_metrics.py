"""Metrics of tasks with the noise of the masks: against simulated models whose own answers are known."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import infodis_stats as ids
from infodis_stats.harness.accuracies import accuracies
from infodis_stats.harness.comparison import compare_models
from infodis_stats.harness.perplexities import perplexities
from infodis_stats.harness.report.open_questions import open_questions
from tests.support.harness_data import (
    SCORES,
    Task,
    choices_dataset,
    perplexity_dataset,
    run,
    with_failure,
)
from tests.support.stat_asserts import assert_mean

TASKS, QUESTIONS = (80, pytest.param(800, marks=pytest.mark.slow)), 60
BUDGETS = {"race": {"error": 0.01}, "fixed": {"error": None, "passes": 16}}


def summarised(settings, tasks, **control):
    """Score tasks with two seeds each; per task and score: summaries, numbers of right answers, the model's own."""
    stated, flips, squares, wrong, inside = [], [], [], [], []
    for number in range(tasks):
        task = Task.draw(QUESTIONS, 4, seed=number, noise=2.0)
        runs = [run(task, 2 * number + seed, **settings, **control) for seed in (0, 1)]
        summary = accuracies(choices_dataset(task, runs[0], error=settings["error"]))
        values = [each["right"].mean(axis=1) for each in runs]
        stated.append(summary["mask_stderr"].values ** 2)
        squares.append((values[0] - values[1]) ** 2 / 2)  # unbiased for the variance over seeds
        flips.append(summary["flips"].values)
        wrong.append((runs[0]["right"] != task.own_right).sum(axis=1))
        own = task.own_right.mean(axis=1)
        inside.append(((summary["ci"].values[:, 0] <= own) & (own <= summary["ci"].values[:, 1])).all())
    return *(np.array(part) for part in (stated, squares, flips, wrong)), np.array(inside)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("tasks", TASKS)
def test_the_mask_error_is_the_spread_over_seeds_and_flips_are_as_many_as_expected(budget, tasks):
    stated, squares, flips, wrong, inside = summarised(BUDGETS[budget], tasks)
    assert_mean((stated - squares).ravel(), 0.0)
    assert_mean((flips - wrong).ravel(), 0.0)
    assert stats.binomtest(int(inside.sum()), tasks, 0.95).proportion_ci(0.999).high >= 0.95


@pytest.mark.parametrize("control", [{"se_factor": 0.25}, {"bias": 2.0}])
def test_control_standard_errors_that_are_too_small_and_biased_estimates_are_noticed(control):
    stated, squares, flips, wrong, inside = summarised(BUDGETS["fixed"], TASKS[0], **control)
    with pytest.raises(AssertionError):
        assert_mean((flips - wrong).ravel(), 0.0)
    if "se_factor" in control:
        with pytest.raises(AssertionError):
            assert_mean((stated - squares).ravel(), 0.0)
    else:  # every seed is wrong in the same direction
        assert inside.mean() < 0.9


def one_task(seed=0, **settings):
    task = Task.draw(40, 4, seed=5)
    return choices_dataset(task, run(task, seed, **settings), **{k: v for k, v in settings.items() if k == "error"})


def test_the_summary_has_the_numbers_of_the_harness():
    data = one_task()
    summary = accuracies(data)
    for score in SCORES:
        right = data["right"].sel(score=score).values
        part = summary.sel(score=score)
        assert float(part["value"]) == right.mean()
        assert float(part["stderr"]) == pytest.approx(stats.sem(right))
        assert part["ci"][0] <= part["value"] <= part["ci"][1]
        assert part["population_ci"][0] <= part["ci"][0]
        assert int(part["undecided"]) == int((~data["settled"].sel(score=score)).sum())
    assert int(summary["passes"]) == int(data["forward_passes"].sum())
    assert float(summary["passes_of_128"]) == pytest.approx(int(summary["passes"]) / (128 * 160))
    assert int(summary["undecided_by_any"]) == int((~data["settled"]).any("score").sum())
    assert all(variable.attrs["long_name"] for variable in summary.data_vars.values())


def test_exact_answers_have_no_noise():
    data = one_task().copy(deep=True)
    data["win"][:] = np.nan
    data["win"].loc[{"choice": 0}] = 1.0
    data["answer_p_value"][:], data["settled"][:] = 0.0, True
    summary = accuracies(data)
    assert not summary["mask_stderr"].any()
    assert (summary["ci"].values == summary["value"].values[:, None]).all()


def test_estimates_without_an_error_have_an_unknown_noise_and_not_none():
    data = one_task().copy(deep=True)
    data["win"][7], data["p_value"][7], data["settled"][7] = np.nan, np.nan, False
    summary = accuracies(data)
    assert np.isnan(summary["mask_stderr"]).all()
    assert np.isnan(summary["flips"]).all()
    assert (summary["value"] == accuracies(one_task())["value"]).all()
    compared = compare_models(data, one_task())
    assert np.isnan(compared["difference_mask_stderr"]).all()


def padded(data):
    """Return the data set with two more choices that no question has."""
    wide = data.pad(choice=(0, 2))
    fill = {"gold": False, "cautions": False, "forward_passes": -1, "length": -1}
    filled = {name: xr.where(wide[name].isnull(), value, wide[name]) for name, value in fill.items()}
    return wide.assign({name: values.astype(data[name].dtype) for name, values in filled.items()})


def test_padded_choices_count_for_nothing():
    data = one_task()
    wide = padded(data)
    assert wide["nll"].isnull().any()
    assert accuracies(wide).equals(accuracies(data))
    assert open_questions(wide).equals(open_questions(data))


def test_failed_questions_are_left_out_and_counted():
    data = one_task()
    summary = accuracies(with_failure(data, [0, 3]))
    assert (int(summary["questions"]), int(summary["failed_questions"])) == (38, 2)
    rest = accuracies(data.isel(question=[row for row in range(40) if row not in (0, 3)]))
    for name in ("value", "mask_stderr", "ci", "population_ci", "undecided"):
        assert (summary[name] == rest[name]).all()
    with pytest.raises(ids.InputError, match="synthetic: no question was scored: the model gave NaN"):
        accuracies(with_failure(data, range(40)))


def test_perplexities_are_those_of_the_harness_and_of_average():
    data = perplexity_dataset(30, seed=0)
    summary = perplexities(data)
    nll = float(data["nll"].sum())
    assert float(summary["value"].sel(metric="word_perplexity")) == pytest.approx(np.exp(nll / data["words"].sum()))
    assert float(summary["value"].sel(metric="bits_per_byte")) == pytest.approx(
        nll / float(data["bytes"].sum()) / np.log(2)
    )
    for metric in summary["metric"].values:
        part = summary.sel(metric=metric)
        assert part["population_ci"][0] < part["ci"][0] < part["value"] < part["ci"][1] < part["population_ci"][1]
    tokens = summary.sel(metric="token_perplexity")
    error = np.sqrt((data["nll_se"].values ** 2).sum()) / float(data["length"].sum())
    assert float(tokens["mask_stderr"]) == pytest.approx(float(tokens["value"]) * error)


def test_perplexities_of_these_documents_are_covered_and_too_small_errors_are_noticed():
    own = perplexities(perplexity_dataset(20, seed=3).pipe(lambda data: data.assign(nll=data["own_nll"])))["value"]
    covered = np.zeros((2, 60), dtype=bool)
    for seed in range(60):
        data = perplexity_dataset(20, seed=3, mask_seed=seed)
        for row, factor in enumerate((1.0, 0.5)):
            ends = perplexities(data.assign(nll_se=data["nll_se"] * factor))["ci"].sel(metric="token_perplexity").values
            covered[row, seed] = ends[0] <= own.sel(metric="token_perplexity") <= ends[1]
    assert stats.binomtest(int(covered[0].sum()), 60, 0.95).pvalue > 1e-4
    assert stats.binomtest(int(covered[1].sum()), 60, 0.95).pvalue < 1e-4, "control"


def test_unknown_errors_one_document_and_few_documents_are_not_hidden():
    data = perplexity_dataset(12, seed=1)
    unknown = perplexities(data.assign(nll_se=data["nll_se"] * np.nan))
    assert unknown["mask_stderr"].isnull().all()
    assert unknown["ci"].isnull().all()
    assert unknown["population_ci"].notnull().all()
    single = perplexities(data.isel(document=[0]))
    assert single["population_ci"].isnull().all()
    assert single["ci"].notnull().all()
    few = perplexities(data.isel(document=slice(3)))
    assert few["dominated"].all()
    assert few["cautions"].sel(caution="few-documents-dominate")
    assert not perplexities(perplexity_dataset(40, seed=1))["cautions"].any(), "control"


def test_without_an_error_the_noise_of_the_masks_is_not_known():
    data = one_task().isel(question=slice(3)).copy(deep=True)
    data["win"][1], data["p_value"][1], data["answer_p_value"][1] = np.nan, np.nan, np.nan
    data["settled"][1] = False
    summary = accuracies(data)
    assert np.isnan(summary["mask_stderr"]).all()
    assert np.isnan(summary["flips"]).all()
    table = open_questions(data)
    unknown = table[table["question"] == 1]
    assert unknown[["margin", "chance"]].isna().to_numpy().all()
    assert (unknown["runner_up"] == -1).all()
