"""The model that the harness calls: likelihoods, what it refuses, and what it keeps."""

import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError
from infodis_stats.estimates.questions import Finish
from infodis_stats.models import TextModel
from tests.support.chat_checkpoints import TEMPLATES, write_chat_checkpoint

pytest.importorskip("lm_eval", reason="the harness needs lm-eval")

from infodis_stats.harness.language_model import DiffusionLM, Greedy
from infodis_stats.harness.scored import FailedQuestionsError

Asked = Callable[..., list[Any]]

SHORT = [("It is a tr", "uth"), ("It is a tr", "ees"), ("It is a tr", "y")]


@torch.no_grad()
def exact(model: Any, context: str, continuation: str) -> float:
    """Mean over all orders of the chain rule's log-likelihood, one call per step."""
    given, tokens = len(model.encode(context)), model.encode(context + continuation)
    orders = list(itertools.permutations(range(given, len(tokens))))
    total = 0.0
    for order in orders:
        masked = torch.arange(len(tokens))[None] >= given
        for position in order:
            losses = model.token_nll(torch.tensor(tokens)[None], masked)
            total -= float(losses[0, position])
            masked[0, position] = False
    return total / len(orders)


class Book:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.lines: dict[str, Finish] = {}

    def get(self, key: str) -> Finish | None:
        return self.lines.get(key)

    def put(self, key: str, finish: Finish) -> None:
        self.lines[key] = finish


@pytest.fixture
def no_races(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on, nothing may be raced."""

    def refuse(_model: object, questions: list[Any], **_: object) -> Any:
        assert not questions, "raced again"
        return iter(())

    return lambda: monkeypatch.setattr("infodis_stats.harness.language_model.race", refuse)


def test_short_continuations_are_exact(austen: TextModel, asked: Asked) -> None:
    values = [value for value, _ in DiffusionLM(austen, passes=16).loglikelihood(asked(SHORT))]
    np.testing.assert_allclose(values, [exact(austen, *pair) for pair in SHORT], rtol=1e-5)
    assert abs(values[0] - exact(austen, "It was a tr", "uth")) > 1e-3  # another context is noticed


def test_a_short_text_is_exact(austen: TextModel, asked: Asked) -> None:
    (value,) = DiffusionLM(austen, passes=16).loglikelihood_rolling(asked([("It",)]))
    assert value == pytest.approx(exact(austen, "", "It"), rel=1e-5)


def test_a_single_token_costs_one_pass(subwords: TextModel, asked: Asked) -> None:
    model = DiffusionLM(subwords)
    model.loglikelihood(asked([("Answer:", f" {letter}") for letter in "ABCD"]))
    (scored,) = model.gathered()
    assert scored.finishes[0].forward_passes.tolist() == [1, 1, 1, 1]


def test_windows_of_a_text_add_up(austen: TextModel, asked: Asked) -> None:
    text = "It is a truth universally acknowledged, that a single man must be in want of a wife. " * 2
    model = DiffusionLM(austen, passes=16)
    (value,) = model.loglikelihood_rolling(asked([(text,)]))
    (scored,) = model.gathered()
    assert len(scored.finishes) == 2
    assert value == pytest.approx(-sum(float(finish.nll[0]) for finish in scored.finishes))
    whole = ids.estimate_texts(austen, [text], overlap=32, passes=64, replicates=1)
    error = np.hypot(float(whole["nll_se"][0]), np.sqrt(sum(float(each.nll_se[0]) ** 2 for each in scored.finishes)))
    assert abs(value + float(whole["nll"][0])) < 5 * error


def test_numbers_do_not_depend_on_order_or_batches(austen: TextModel, asked: Asked) -> None:
    requests = [
        *asked([("It is ", "so good as that"), ("It is ", "no good as what")]),
        *asked([("He is ", "so good as that"), ("He is ", "good")], doc_id=1),
        *asked([("It is ", "so good as that"), ("It is ", "no good as what")], doc_id=2),
    ]
    values = [value for value, _ in DiffusionLM(austen, passes=16).loglikelihood(requests)]
    other = DiffusionLM(austen, passes=16, batch_size=3)
    np.testing.assert_allclose([v for v, _ in other.loglikelihood(requests[::-1])], values[::-1], rtol=1e-5)
    assert abs(values[0] - values[4]) > 1e-4  # an equal question has masks of its own
    assert values[0] != DiffusionLM(austen, passes=16, seed=1).loglikelihood(requests)[0][0]


def test_it_is_registered_and_reads_text_arguments() -> None:
    registry = pytest.importorskip("lm_eval.api.registry")
    assert registry.get_model("infodis") is DiffusionLM
    model = DiffusionLM.create_from_arg_string(
        "pretrained=austen,passes=32,seed=3,estimator=uniform-count+stratified", {"batch_size": "auto", "device": "cpu"}
    )
    assert (model.budget.passes, model.budget.error, model.seed, model.execution.batch_size) == (32, None, 3, None)
    assert DiffusionLM.create_from_arg_obj({"model": "austen", "passes": "32"}, {"batch_size": 8}).budget.passes == 32
    assert DiffusionLM("austen").budget.error == 0.01
    assert DiffusionLM("austen").overlap == 32
    assert (model.rank, model.world_size, model.device, model.max_length) == (0, 1, torch.device("cpu"), 128)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "the harness needs one model, such as pretrained=hf:FOLDER or pretrained=austen: it is missing"),
        ({"model": "austen", "pretrained": "austen"}, "both model= and pretrained= are given"),
        ({"model": "austen", "passes": "many"}, "passes must be an integer, got 'many'"),
        ({"model": "austen", "passes": 2.5}, "passes must be an integer, got 2.5"),
        (
            {"model": "austen", "passes": 16, "error": 0.1},
            "error, passes and precision exclude one another, got error=",
        ),
        ({"model": "austen", "pases": 16}, "there is no option 'pases' of an infodis model; did you mean passes?"),
        ({"model": "austen", "overlap": 128}, "overlap must be at least 0 and below the model's 128 tokens, got 128"),
        ({"model": "austen", "batch_size": "big"}, "batch_size must be an integer, got 'big'"),
        ({"model": "austen", "shifted": True}, "shifted= is an option of Hugging Face models"),
        ({"model": "austin"}, "there is no model 'austin'"),
        ({"model": "austen", "estimator": "time-fre"}, "there is no estimator 'time-fre'"),
        ({"model": object()}, "needs longest, encode"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError) as error:
        DiffusionLM(**arguments)
    assert reason in str(error.value)


def test_a_loaded_model_takes_no_options_of_loading(austen: TextModel) -> None:
    with pytest.raises(InputError, match="dtype= is an option of a model that is loaded by its name"):
        DiffusionLM(austen, dtype="bfloat16")


def test_failed_questions_are_named_after_all_others_are_scored(
    austen: TextModel, asked: Asked, no_races: Callable[[], None]
) -> None:
    good = asked([("It", " is"), ("It", " was")], doc_id=1)
    bad = [request for doc_id in (0, *range(2, 6)) for request in asked([("It", " is"), ("It", "")], doc_id)]
    model = DiffusionLM(austen, passes=16)
    with pytest.raises(FailedQuestionsError, match=r"5 of 6 questions could not be scored: .*; and 2 more;") as error:
        model.loglikelihood([*bad, *good])
    assert list(error.value.problems) == [("task", 0), ("task", 2), ("task", 3), ("task", 4), ("task", 5)]
    assert pickle.loads(pickle.dumps(error.value)).problems == error.value.problems
    assert [bool(each.problem) for each in model.gathered()] == [True, False, True, True, True, True]

    no_races()
    renumbered = asked([("It", " is"), ("It", " was")], doc_id=0)  # as the harness does with samples=
    assert len(model.loglikelihood(renumbered)) == 2
    assert [(each.document.doc_id, each.problem) for each in model.gathered()] == [(0, "")]


def test_a_failure_of_the_model_is_named(austen: TextModel, asked: Asked) -> None:
    class Broken:
        longest, encode, decode = austen.longest, austen.encode, austen.decode
        describe, fingerprint = austen.describe, austen.fingerprint

        def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
            losses = 1.0 * masked
            losses[(tokens == int(austen.encode("z")[0])).any(dim=1)] = float("nan")
            return losses * masked

    model = DiffusionLM(Broken(), passes=16)
    requests = [*asked([("It", " is"), ("It", " was")]), *asked([("It", " is"), ("It", " zz")], doc_id=1)]
    with pytest.raises(FailedQuestionsError, match="1 of 2 questions could not be scored: task 'task', document 1: "):
        model.loglikelihood(requests)
    assert [bool(each.problem) for each in model.gathered()] == [False, True]


def test_finished_questions_come_from_the_ledger(austen: TextModel, asked: Asked, no_races: Callable[[], None]) -> None:
    book, requests = Book(), [*asked(SHORT), *asked([("It is ", "so good as that")], doc_id=1)]
    values = DiffusionLM(austen, passes=16, ledger=book).loglikelihood(requests)
    assert len(book.lines) == 2
    other = DiffusionLM(austen, passes=16, ledger=book, seed=1)
    other.loglikelihood(requests)
    assert len(book.lines) == 4  # with another seed nothing is the same
    no_races()
    assert DiffusionLM(austen, passes=16, ledger=book, batch_size=2).loglikelihood(requests) == values
    with pytest.raises(AssertionError, match="raced again"):
        DiffusionLM(austen, passes=32, ledger=book).loglikelihood(requests)


def test_greedy_decoding_is_not_known(austen: TextModel, asked: Asked) -> None:
    model = DiffusionLM(austen, passes=16)
    ((_, single),) = model.loglikelihood(asked([("It", " is")]))
    with pytest.raises(InputError, match="greedy decoding would give the answer"):
        int(single)
    with pytest.raises(InputError, match="greedy decoding would give the answer"):
        any([single])
    (_, choice), *_ = model.loglikelihood(asked(SHORT))
    assert int(choice) == 0
    assert pickle.loads(pickle.dumps(single)) is Greedy.UNKNOWN
    assert json.dumps([single], default=str) == '["None"]'


def test_generation_is_refused(austen: TextModel, asked: Asked) -> None:
    with pytest.raises(InputError, match="the task 'gsm' needs generated text, but this model gives likelihoods alone"):
        DiffusionLM(austen).generate_until(asked([("It", "is")], task="gsm"))


def test_budgets_of_values_and_of_windows(austen: TextModel, asked: Asked) -> None:
    text = "It is a truth universally acknowledged, that a single man must be in want of a wife. " * 2
    model = DiffusionLM(austen, most_passes=16)
    model.loglikelihood(asked([("It is a truth ", "universally")]))
    model.loglikelihood_rolling(asked([(text,)], task="novel"))
    one, two = model.gathered()
    # Without a winner to be settled, all passes are spent, of which equal ones are run once.
    assert all(12 <= int(finish.forward_passes[0]) <= 16 for each in (one, two) for finish in each.finishes)
    precise = DiffusionLM(austen, precision=1.0)
    assert precise._budget_of(one.document).precision == 1.0
    assert precise._budget_of(two.document).precision == pytest.approx(0.5**0.5)


def test_models_without_a_chat_template_say_so(austen: TextModel) -> None:
    model = DiffusionLM(austen)
    with pytest.raises(InputError, match="a chat template needs a model with a tokenizer of transformers"):
        model.apply_chat_template([{"role": "user", "content": "A"}])
    with pytest.raises(InputError, match="a chat template needs a model with a tokenizer of transformers"):
        model.chat_template(True)
    assert model.chat_template(False) is None
    assert model.tokenizer is None
    assert model.tokenizer_name


def test_conversations_are_rendered_as_the_tokenizer_does(tmp_path: Path, asked: Asked) -> None:
    write_chat_checkpoint(tmp_path, "llada", TEMPLATES["llada"])
    model = DiffusionLM(pretrained=f"hf:{tmp_path}", trust_remote_code=True, passes=16)
    messages = [{"role": "user", "content": "A"}]
    text = model.apply_chat_template(messages)
    assert text == "<|bos|><|header|>user<|/header|>\n\nA<|eot|><|header|>assistant<|/header|>\n\n"
    assert model.chat_template(True) == TEMPLATES["llada"]
    assert model.tokenizer_name == str(tmp_path).replace("/", "__")
    with pytest.raises(InputError, match="the chat template 'tool_use' cannot be chosen by its name"):
        model.chat_template("tool_use")
    (_, _), (_, _) = model.loglikelihood(asked([(text, "B"), (text, "C")]))
    (scored,) = model.gathered()
    assert [target.length for target in scored.document.questions[0].targets] == [1, 1]
