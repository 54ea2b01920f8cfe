"""The harness itself, on our tasks: its numbers are those of our winners, and it can write them."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from estimators import InputError
from infodis_stats.harness.tasks import metrics_beyond_likelihoods, needs_greedy, scoring_of
from infodis_stats.models import TextModel
from tests.harness.conftest import TASKS

pytest.importorskip("lm_eval", reason="the harness needs lm-eval")

from infodis_stats.harness.language_model import DiffusionLM
from infodis_stats.harness.scored import FailedQuestionsError


def evaluate(model: Any, manager: Any, task: Any, **options: Any) -> dict[str, Any]:
    """Run the harness; describing the machine takes it seconds, and is left out."""
    lm_eval = pytest.importorskip("lm_eval")
    settings = {"task_manager": manager, "bootstrap_iters": 0} | options
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
        results: dict[str, Any] = lm_eval.simple_evaluate(model=model, tasks=[task], **settings)
    return results


def loaded(manager: Any, name: str) -> Any:
    """Load a task without the metrics that no likelihood gives."""
    task = manager.load([name])["tasks"][name]
    for metric in metrics_beyond_likelihoods(task):
        del task._metric_fn_list[metric]
    return task


def test_accuracies_of_a_group_are_those_of_our_winners(subwords: TextModel, manager: Any) -> None:
    tasks = manager.load(["austen_choices"])["tasks"]
    model = DiffusionLM(subwords, passes=32, tasks=tasks)
    results = evaluate(model, manager, "austen_choices", limit=5)
    scored = model.gathered()
    assert [each.document.task for each in scored] == ["austen_endings"] * 5 + ["austen_pairs"] * 5
    for name, metrics in (("austen_endings", ("acc", "acc_norm")), ("austen_pairs", ("acc",))):
        own = [each for each in scored if each.document.task == name]
        assert all(tuple(each.finishes[0].leaders) == metrics for each in own)  # no other accuracy is raced
        golds = [each.document.doc.get("answer", 0) for each in own]
        for metric in metrics:
            right = [each.finishes[0].leaders[metric] == gold for each, gold in zip(own, golds, strict=True)]
            assert results["results"][name][f"{metric},none"] == np.mean(right)
    wrong = [each.finishes[0].leaders["acc"] != 0 for each in scored if each.document.task == "austen_pairs"]
    assert results["results"]["austen_pairs"]["acc,none"] != np.mean(wrong)  # of 5 with the labels exchanged
    assert results["groups"]["austen_choices"]["sample_len"] == 10
    assert results["config"]["mask_settings"]["passes"] == 32


def test_the_command_of_python_users_writes_its_samples(manager: Any) -> None:
    results = evaluate("infodis", manager, "austen_letters", model_args="pretrained=austen-bpe,passes=16", limit=3)
    written = json.loads(
        json.dumps(results["samples"], default=pytest.importorskip("lm_eval.utils").handle_non_serializable)
    )
    (sample, *_) = written["austen_letters"]
    assert [len(response) for response in sample["resps"]] == [1, 1, 1, 1]
    assert all(isinstance(value, float) and greedy == "None" for ((value, greedy),) in sample["resps"])
    assert results["results"]["austen_letters"]["acc,none"] in (0, 1 / 3, 2 / 3, 1)


def test_last_words_have_a_perplexity_without_their_accuracy(subwords: TextModel, manager: Any) -> None:
    model = DiffusionLM(subwords, passes=16)
    with pytest.raises(InputError, match="greedy decoding would give the answer"):
        evaluate(model, manager, "austen_last_words", limit=2)
    task = loaded(manager, "austen_last_words")
    results = evaluate(model, manager, task, limit=2)["results"]["austen_last_words"]
    values = [each.log_likelihoods[0] for each in model.gathered()]
    assert results["perplexity,none"] == pytest.approx(math.exp(-np.mean(values)))
    assert "acc,none" not in results


def test_passages_have_perplexities(subwords: TextModel, manager: Any) -> None:
    model = DiffusionLM(subwords, passes=16)
    results = evaluate(model, manager, "austen_passages", limit=2)["results"]["austen_passages"]
    scored = model.gathered()
    assert max(len(each.finishes) for each in scored) > 1
    texts = [each.document.doc["text"] for each in scored]
    nll = -sum(float(each.log_likelihoods[0]) for each in scored)
    assert results["byte_perplexity,none"] == pytest.approx(math.exp(nll / sum(len(text.encode()) for text in texts)))
    assert results["word_perplexity,none"] == pytest.approx(math.exp(nll / sum(len(text.split()) for text in texts)))


def test_documents_that_fail_can_be_left_out(tmp_path: Path, austen: TextModel, manager: Any) -> None:
    documents = [
        {"context": "It is a", "choices": ["truth", last], "answer": 0} for last in ("tree", "\N{SNOWMAN}", "try")
    ]
    (tmp_path / "documents.py").write_text((TASKS / "documents.py").read_text())
    (tmp_path / "some.jsonl").write_text("\n".join(map(json.dumps, documents)))
    yaml = (TASKS / "austen_endings.yaml").read_text()
    (tmp_path / "some.yaml").write_text(yaml.replace("austen_endings", "some").replace("endings.jsonl", "some.jsonl"))
    own = type(manager)(include_path=str(tmp_path), include_defaults=False)
    model = DiffusionLM(austen, passes=32)
    with pytest.raises(FailedQuestionsError, match=r"task 'some', document 1: .* of choice 1") as error:
        evaluate(model, own, "some")
    left = [doc_id for doc_id in range(3) if ("some", doc_id) not in error.value.problems]
    results = evaluate(model, own, "some", samples={"some": left})
    assert [sample["doc_id"] for sample in results["samples"]["some"]] == [0, 2]
    assert len(model.gathered()) == 2


def test_metrics_decide_what_is_raced(manager: Any) -> None:
    def task(kind: str, *metrics: str, **config: Any) -> Any:
        return SimpleNamespace(
            OUTPUT_TYPE=kind,
            _metric_fn_list=dict.fromkeys(metrics),
            config=SimpleNamespace(**{"process_results": None, **config}),
            doc_to_choice=lambda doc: ["a", "bc"],
        )

    def requests(count: int) -> list[Any]:
        return [SimpleNamespace(idx=idx, doc={}, args=("x", " a")) for idx in range(count)]

    def raced(given: Any, count: int = 2) -> tuple[list[str], bool]:
        scoring = scoring_of(given, requests(count))
        return list(scoring.sizes), scoring.needs_values

    assert raced(task("multiple_choice", "acc")) == (["acc"], False)
    assert raced(task("multiple_choice", "f1", "acc_norm")) == (["acc", "acc_norm"], False)
    assert raced(task("multiple_choice", "acc", "brier_score")) == (["acc"], True)
    assert raced(task("multiple_choice", "brier_score")) == ([], True)
    assert raced(task("multiple_choice", "acc", "acc_mutual_info"), 4) == (["acc", "acc_mutual_info"], False)
    assert raced(task("multiple_choice", "acc", process_results=print)) == ([], True)
    assert raced(task("multiple_choice", "acc"), 3) == ([], True)
    assert raced(task("loglikelihood", "acc"), 1) == ([], True)
    assert scoring_of(task("multiple_choice", "acc_norm"), requests(2)).sizes["acc_norm"].tolist() == [1, 2]

    assert metrics_beyond_likelihoods(task("multiple_choice", "acc", "exact_match")) == ("exact_match",)
    assert metrics_beyond_likelihoods(task("multiple_choice", "acc")) == ()
    assert metrics_beyond_likelihoods(task("generate_until", "bleu", "acc")) == ("bleu", "acc")
    assert metrics_beyond_likelihoods(task("loglikelihood_rolling", "word_perplexity")) == ()
    assert metrics_beyond_likelihoods(task("loglikelihood", "acc", process_results=print)) == ()
    assert not needs_greedy(task("multiple_choice", "acc"), 4)
    assert needs_greedy(task("multiple_choice", "exact_match"), 4)
    assert needs_greedy(task("loglikelihood", "perplexity"), 1)


@pytest.mark.parametrize("model", ["austen", "austen-bpe"])
def test_every_text_of_our_tasks_can_be_scored(model: str, manager: Any, request: pytest.FixtureRequest) -> None:
    text_model: TextModel = request.getfixturevalue("austen" if model == "austen" else "subwords")
    for path in sorted(TASKS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            document = json.loads(line)
            context = document.get("context", "")
            endings = [f" {choice}" for choice in document["choices"]] if context and "choices" in document else []
            for text in (*endings, *(document.get(key, "") for key in ("good", "bad", "text"))):
                size = len(text_model.encode(context + text)) if text else 1
                assert size >= 1
                assert size <= text_model.longest or "text" in document


def test_the_tasks_are_what_their_page_says() -> None:
    counts = {path.stem: len(path.read_text(encoding="utf-8").splitlines()) for path in TASKS.glob("*.jsonl")}
    page = (TASKS / "README.md").read_text(encoding="utf-8")
    assert set(counts) == {"endings", "pairs", "letters", "last_words", "passages"}
    for name, count in counts.items():
        assert f"| `austen_{name}` | {count} |" in page
