"""Two models on one task: coverage, false positives and controls, by simulation."""

import numpy as np
import pytest
from scipy import stats

import infodis_stats as ids
from infodis_stats.analysis.paired_accuracy import accuracy_difference
from infodis_stats.harness.comparison import compare_models
from infodis_stats.harness.report.comparison_table import comparison_sentences, comparison_table
from tests.support.harness_data import Task, choices_dataset, perplexity_dataset, run, with_failure

REPEATS, QUESTIONS = 150, 100


def covers(covered, level=0.95):
    """Return whether coverage may be at least nominal."""
    return stats.binomtest(int(np.sum(covered)), len(covered), level).proportion_ci(0.999).high >= level


def answers(rng, chances, noise):
    """Return the models' own right answers, their leaders' and p-values; both models find the same questions hard."""
    hard = rng.normal(size=QUESTIONS)
    own, right, p_values = [], [], []
    for chance in chances:
        score = stats.norm.ppf(chance) * np.sqrt(2) + hard + rng.normal(size=QUESTIONS)
        seen = score + noise * rng.normal(size=QUESTIONS)
        own.append(score > 0)
        right.append(seen > 0)
        p_values.append(2 * stats.norm.sf(np.abs(seen) / noise) if noise else np.zeros(QUESTIONS))
    return own, tuple(right), tuple(p_values)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("chances", [(0.6, 0.6), (0.8, 0.65)])
def test_differences_are_covered(noise, chances):
    rng = np.random.default_rng(0)
    population, these, separate = [], [], []
    for _ in range(REPEATS):
        own, right, p_values = answers(rng, chances, noise)
        result = accuracy_difference(right, p_values)
        truth = own[0].mean() - own[1].mean()
        these.append(result.these.lower - 1e-9 <= truth <= result.these.upper + 1e-9)
        population.append(result.population.lower <= chances[0] - chances[1] <= result.population.upper)
        separate.append(np.ptp([result.population.lower, result.population.upper]))
    assert covers(these)
    assert covers(population)
    if not noise:
        assert np.mean(separate) < 2 * 1.96 * np.sqrt(2 * 0.24 / QUESTIONS), "pairing makes the interval shorter"


def test_a_fixed_interval_of_noisy_leaders_is_noticed():
    # Control: one model is noisier, so that its leaders are nearer to chance than its own answers.
    rng, covered = np.random.default_rng(1), []
    for _ in range(REPEATS):
        _, right, p_values = answers(rng, (0.9, 0.9), 0.0)
        _, noisy, _ = answers(rng, (0.9, 0.9), 3.0)
        result = accuracy_difference((right[0], noisy[1]), p_values)
        covered.append(result.population.lower <= 0 <= result.population.upper)
    assert not covers(covered)


def test_equal_models_are_rarely_called_different_and_unequal_ones_are():
    rng, false, true = np.random.default_rng(2), 0, 0
    for _ in range(REPEATS):
        _, right, p_values = answers(rng, (0.6, 0.6), 0.3)
        false += accuracy_difference(right, p_values).p_value < 0.05
        _, right, p_values = answers(rng, (0.8, 0.6), 0.3)
        true += accuracy_difference(right, p_values).p_value < 0.05
    assert stats.binomtest(false, REPEATS, 0.05).proportion_ci(0.999).low <= 0.05
    assert true > 0.8 * REPEATS


def test_mcnemar_by_hand():
    right = ([True] * 6 + [False] * 2 + [True] * 2, [False] * 6 + [True] * 2 + [True] * 2)
    p_values = ([0.001] * 10, [0.001] * 5 + [0.4] + [0.001] * 4)
    result = accuracy_difference(right, p_values)
    assert (result.first_only, result.second_only) == (6, 2)
    assert (result.first_only_settled, result.second_only_settled) == (5, 2)
    assert result.p_value == pytest.approx(2 * stats.binom.cdf(2, 8, 0.5))
    assert result.population.lower < result.these.lower <= result.estimate <= result.these.upper
    same = accuracy_difference((right[0], right[0]), ([0.0] * 10, [0.0] * 10))
    assert (same.p_value, same.estimate, float(same.these.lower)) == (1.0, 0.0, 0.0)
    with pytest.raises(ids.InputError, match="the same questions"):
        accuracy_difference(([True], [True, False]), ([0.1], [0.1, 0.1]))


def with_passes(data, nll, draws):
    """Return a data set with estimates from passes (question, choice, pass)."""
    dims, passes = ("question", "choice"), draws.shape[-1]
    error = draws.std(axis=-1, ddof=1) / np.sqrt(passes)
    residual = (*dims, "pass"), draws - draws.mean(axis=-1, keepdims=True)
    return data.assign(nll=(dims, nll + draws.mean(axis=-1)), nll_se=(dims, error), residual=residual)


def test_log_ratios_are_covered_with_shared_masks_and_wider_without_the_pairing():
    rng, task = np.random.default_rng(3), Task.draw(20, 2, seed=0)
    data = choices_dataset(task, run(task, 0, error=None, passes=16), error=None)
    inside, widths, tight = [], [], []
    for _ in range(REPEATS // 2):
        shared, *own = task.noise * rng.normal(size=(3, *task.nll.shape, 16))
        draws = [np.sqrt(0.9) * shared + np.sqrt(0.1) * part for part in own]
        pair = [with_passes(data, task.nll + shift, part) for shift, part in zip((0.0, 0.2), draws, strict=True)]
        paired = compare_models(*pair).sel(per="question")
        apart = compare_models(*(data.drop_vars("residual") for data in pair)).sel(per="question")
        lower, upper = paired["log_ratio_ci"].values
        inside.append(lower <= 0.2 <= upper)
        widths.append((upper - lower, np.ptp(apart["log_ratio_ci"].values)))
        middle = float(paired["log_ratio"])
        tight.append(abs(0.2 - middle) < (upper - middle) / 2)
    assert stats.binomtest(int(np.sum(inside)), len(inside), 0.95).pvalue > 1e-4
    assert stats.binomtest(int(np.sum(tight)), len(tight), 0.95).pvalue < 1e-4, "control: half of the standard error"
    ratio = np.mean(widths, axis=0)
    assert ratio[0] / ratio[1] == pytest.approx(np.sqrt(0.1), rel=0.1)


def two_models(**settings):
    task = Task.draw(60, 4, seed=0, noise=2.0)
    other = Task(task.nll + np.random.default_rng(1).normal(size=task.nll.shape), task.gold, 2.0, task.characters)
    first, second = (choices_dataset(each, run(each, seed)) for seed, each in enumerate((task, other)))
    return first.assign_attrs(model="small"), second.assign_attrs(model="large")


def test_the_data_set_of_a_comparison():
    first, second = two_models()
    compared = compare_models(first, with_failure(second, [3]))
    kept = [row for row in range(60) if row != 3]
    rights = [data["right"].sel(score="acc").values[kept] for data in (first, second)]
    acc = compared.sel(score="acc")
    assert float(acc["difference"]) == pytest.approx(rights[0].mean() - rights[1].mean())
    assert float(acc["difference_stderr"]) == pytest.approx(stats.sem(rights[0].astype(float) - rights[1]))
    assert (compared.attrs["count"], compared.attrs["left_out"]) == (59, 1)
    assert (compared.attrs["model"], compared.attrs["second_model"]) == ("small", "large")
    gold = first["gold"].values.argmax(axis=1)[kept]
    nll = [data["nll"].values[kept, gold] for data in (first, second)]
    assert float(compared["log_ratio"].sel(per="question")) == pytest.approx((nll[1] - nll[0]).mean())
    sizes = first["sizes"].sel(score="acc_norm").values[kept, gold]
    assert float(compared["log_ratio"].sel(per="character")) == pytest.approx((nll[1] - nll[0]).sum() / sizes.sum())
    assert float(compared["paired"]) == 0.0
    assert all(variable.attrs["long_name"] for variable in compared.data_vars.values())
    table, sentences = comparison_table(compared), comparison_sentences(compared)
    assert table["difference of"].tolist()[:2] == ["acc, points", "acc_norm, points"]
    assert "of 59 questions (exact p " in sentences[0]


def test_a_model_against_itself_is_not_different():
    first, _ = two_models()
    compared = compare_models(first, first)
    assert not compared["difference"].any()
    assert (compared["p_value"] == 1).all()
    assert "neither model is significantly more accurate" in comparison_sentences(compared)[0]


def test_unlike_tasks_are_refused():
    first, second = two_models()
    with pytest.raises(ids.InputError, match="on the same task, got 'synthetic' and 'arc'"):
        compare_models(first, second.assign_attrs(task="arc"))
    with pytest.raises(ids.InputError, match="synthetic: no question was scored for both models"):
        compare_models(first.isel(question=slice(30)), second.isel(question=slice(30, None)))
    with pytest.raises(ids.InputError, match="the right choices differ"):
        compare_models(first, second.assign(gold=second["gold"].roll(choice=1)))
    with pytest.raises(ids.InputError, match="share no score"):
        compare_models(first.sel(score=["acc"]), second.sel(score=["acc_norm"]))
    rolling = perplexity_dataset(5, 0)
    with pytest.raises(ids.InputError, match="on the same task"):
        compare_models(first, rolling.assign_attrs(task="synthetic"))
    with pytest.raises(ids.InputError, match="rolling: the documents differ"):
        compare_models(rolling, rolling.assign(bytes=rolling["bytes"] + 1))


def test_two_models_on_a_perplexity_task():
    first, second = perplexity_dataset(20, 0), perplexity_dataset(20, 0, mask_seed=1)
    second = second.assign(nll=second["nll"] + 0.1 * second["length"])
    compared = compare_models(first, second)
    total = float((second["nll"] - first["nll"]).sum())
    assert float(compared["log_ratio"].sel(per="byte")) == pytest.approx(total / float(first["bytes"].sum()))
    error = np.sqrt(float((first["nll_se"] ** 2 + second["nll_se"] ** 2).sum()))
    assert float(compared["log_ratio_mask_stderr"].sel(per="document")) == pytest.approx(error / 20)
    assert comparison_table(compared)["difference of"].tolist()[0] == "log-likelihood, nats per document"
    (sentence,) = comparison_sentences(compared)
    assert sentence.startswith("rolling: the first model is better at predicting these texts;")


def test_two_models_on_single_continuations():
    both = [perplexity_dataset(5, 0, mask_seed=seed).drop_vars(["bytes", "words"]) for seed in (0, 1)]
    compared = compare_models(*both)
    assert compared["per"].values.tolist() == ["document"]
    assert compared["log_ratio"].values[0] == pytest.approx(float((both[1]["nll"] - both[0]["nll"]).mean()))
