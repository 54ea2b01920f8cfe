"""Data sets of tasks: right choices as the harness reads them, padding, passes counted once, and sums over windows."""

from types import SimpleNamespace

import numpy as np
import pytest

from infodis_stats.estimates.questions import Budget
from infodis_stats.estimates.races import race
from infodis_stats.harness.requests import choice_documents, numbered, rolling_documents
from infodis_stats.harness.scored import Scored
from infodis_stats.harness.task_data import task_data

ATTRIBUTES = {"model": "austen", "error": 0.01}


def choice_task(target, metrics=("acc", "acc_norm"), choices=("truth", "tree", "so"), **more):
    return SimpleNamespace(
        OUTPUT_TYPE="multiple_choice",
        _metric_fn_list=dict.fromkeys(metrics),
        config=SimpleNamespace(process_results=None),
        multiple_input=0,
        doc_to_choice=lambda doc: list(choices),
        doc_to_target=lambda doc: target,
        **more,
    )


def scored(model, documents):
    documents = numbered(documents, range(len(documents)))
    questions = [question for document in documents for question in document.questions]
    budget = Budget() if questions[0].scores else Budget(error=None, passes=9)
    finishes = iter(list(race(model, questions, budget=budget, seed=0)))
    return [Scored(document, tuple(next(finishes) for _ in document.questions)) for document in documents]


@pytest.mark.parametrize(
    ("target", "gold"),
    [
        (1, [False, True, False]),
        ("so", [False, False, True]),
        ([0, 2], [True, False, True]),
        (["tree", "absent"], [False, True, False]),
        (-100, [False, False, False]),
        (5, [False, False, False]),
    ],
)
def test_right_choices_are_read_as_the_harness_reads_them(target, gold, asked, austen):
    task = choice_task(target)
    documents = choice_documents(
        asked([("It is a", f" {text}") for text in ("truth", "tree", "so")]), austen, {"task": task}
    )
    data = task_data("task", task, scored(austen, documents), {}, ATTRIBUTES)
    assert data["gold"].values.tolist() == [gold]
    leaders = data["leader"].values[0]
    assert data["right"].values[0].tolist() == [gold[leader] for leader in leaders]


def test_choices_are_padded_and_failed_questions_keep_their_place(asked, austen):
    task = choice_task(0, ("acc",), ("truth", "tree"))
    few = asked([("It is a", " truth"), ("It is a", " tree")], doc_id=2)
    documents = choice_documents(few, austen, {"task": task})
    data = task_data("task", task, scored(austen, documents), {0: "no token", 1: "NaN"}, ATTRIBUTES)
    assert data["question"].values.tolist() == [0, 1, 2]
    assert data["failed"].values.tolist() == ["no token", "NaN", ""]
    assert np.isnan(data["nll"].values[:2]).all()
    assert data["choices"].values.tolist() == [0, 0, 2]
    assert data.attrs["kind"] == "choices"
    assert data["win"].values[2, 0].sum() == pytest.approx(1.0)


def test_passes_of_equal_choices_count_once_and_those_without_context_for_their_choice(asked, austen):
    task = choice_task(0, ("acc", "acc_mutual_info"), ("so", "so"))
    pairs = [("It is", " so"), ("It is", " so"), ("", " so"), ("", " so")]
    documents = choice_documents(asked(pairs), austen, {"task": task})
    (whole,) = scored(austen, documents)
    data = task_data("task", task, [whole], {}, ATTRIBUTES)
    assert data["nll"].shape == (1, 2)
    assert int(data["forward_passes"].sum()) == whole.finishes[0].forward_passes.sum()
    assert data["forward_passes"].values[0, 1] == 0
    assert data["nll"].values[0, 0] == data["nll"].values[0, 1]


def test_texts_add_their_windows(asked, austen):
    text = "It is a truth universally acknowledged. " * 6
    task = SimpleNamespace(
        OUTPUT_TYPE="loglikelihood_rolling",
        doc_to_target=lambda doc: text,
        count_words=lambda text: len(text.split()),
        count_bytes=lambda text: len(text.encode()),
    )
    (whole,) = scored(austen, rolling_documents(asked([(text,)]), austen, overlap=32))
    data = task_data("task", task, [whole], {}, ATTRIBUTES)
    assert data.attrs["kind"] == "perplexity"
    assert data["windows"].item() == len(whole.finishes) > 1
    assert data["length"].item() == len(text) == data["bytes"].item()
    assert data["nll"].item() == pytest.approx(sum(finish.nll[0] for finish in whole.finishes))
    assert data["nll_se"].item() == pytest.approx(np.sqrt(sum(finish.nll_se[0] ** 2 for finish in whole.finishes)))
    assert -data["nll"].item() == pytest.approx(whole.log_likelihoods[0])
