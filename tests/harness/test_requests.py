"""Requests become questions: grouped by document, encoded as the harness does, with shared streams."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tokenizers
from numpy.typing import NDArray

from estimators import InputError
from infodis_stats.harness.requests import choice_documents, encoded_pair, numbered, rolling_documents
from infodis_stats.models import TextModel, conditioned

Asked = Callable[..., list[Any]]

PAIRS = [
    ("It is a truth", " universally acknowledged"),
    ("It is a truth ", "universally acknowledged"),  # the space moves
    ("It is a tru", "th universally"),  # a token straddles
    ("It is a truth\n", "universally"),
    ("It is a truth  \n ", " universally"),
    (" It", " is"),
    ("It is", "\nso"),
]


class _Subwords:
    # A tokenizer with many merges, some of which straddle words' parts.
    longest = 64

    def __init__(self) -> None:
        text = "it is a truth universally acknowledged that a single man in possession of a good fortune " * 3
        self.tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        self.tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=400, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        )
        self.tokenizer.train_from_iterator([text, text.title()], trainer)

    def encode(self, text: str) -> NDArray[np.int64]:
        return np.array(self.tokenizer.encode(text).ids, dtype=np.int64)


@pytest.fixture(scope="module")
def merging() -> Any:
    return _Subwords()


def _harness_pair(model: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    # By the harness' own code, for causal models.
    template = pytest.importorskip("lm_eval.api.model").TemplateLM
    stand_in = SimpleNamespace(backend="causal", tok_encode=lambda text: model.encode(text).tolist())
    tokens: tuple[list[int], list[int]] = template._encode_pair(stand_in, context, continuation)
    return tokens


@pytest.mark.parametrize(("context", "continuation"), PAIRS)
def test_pairs_are_encoded_as_by_the_harness(
    merging: Any, subwords: TextModel, austen: TextModel, context: str, continuation: str
) -> None:
    for model in (merging, subwords, austen):
        given, scored = encoded_pair(model, context, continuation)
        assert (given.tolist(), scored.tolist()) == _harness_pair(model, context, continuation)


def test_the_harness_cuts_elsewhere_than_our_own_records(merging: Any) -> None:
    given, scored = encoded_pair(merging, *PAIRS[2])
    tokens, context = conditioned(merging, "record", *PAIRS[2])
    assert [*given, *scored] != tokens.tolist() or len(given) != context.sum()


def test_an_empty_context_gives_nothing(austen: TextModel) -> None:
    given, scored = encoded_pair(austen, "", "It is")
    assert not len(given)
    assert scored.tolist() == austen.encode("It is").tolist()


def test_requests_are_grouped_by_document_and_ordered_by_number(austen: TextModel, asked: Asked) -> None:
    first = asked([("It", " is"), ("It", " was")], doc_id=5)
    second = asked([("He", " is"), ("He", " was")], doc_id=3)
    mixed = [first[1], second[0], first[0], second[1], second[1]]  # the harness repeats some for other processes
    documents = choice_documents(mixed, austen)
    assert [(each.task, each.doc_id, each.numbers) for each in documents] == [("task", 5, (0, 1)), ("task", 3, (0, 1))]
    assert [austen.decode(target.tokens) for target in documents[0].questions[0].targets] == ["It is", "It was"]


def test_equal_choices_share_a_target(austen: TextModel, asked: Asked) -> None:
    (document,) = choice_documents(asked([("It", " is"), ("It", " was"), ("It", " is"), ("At", " is")]), austen)
    (question,) = document.questions
    assert len(question.targets) == 3
    assert document.parts.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_scores_divide_by_characters_and_bytes_without_the_shared_space(subwords: TextModel, asked: Asked) -> None:
    (document,) = choice_documents(asked([("It is", "  so"), ("It is", "  more")]), subwords)
    scores = document.questions[0].scores
    assert {name: rows.diagonal().tolist() for name, rows in scores.items()} == {
        "acc": [1, 1],
        "acc_norm": [1 / 2, 1 / 4],
        "acc_bytes": [1 / 2, 1 / 4],
    }
    nll = np.array([3.0, 4.0])
    assert (scores["acc"] @ nll).argmin() == 0
    assert (scores["acc_norm"] @ nll).argmin() == 1


def test_mutual_information_subtracts_the_unconditional_likelihood(austen: TextModel, asked: Asked) -> None:
    pairs = [("It", " is"), ("It", " was"), ("", " is"), ("", " was")]
    (document,) = choice_documents(asked(pairs), austen)
    assert document.choices == 2
    assert document.questions[0].scores["acc_mutual_info"].tolist() == [[1, 0, -1, 0], [0, 1, 0, -1]]


def test_a_part_of_the_choices_decides_nothing(austen: TextModel, asked: Asked) -> None:
    (document,) = choice_documents(asked([("It", " is"), ("It", " was"), ("It", " so")])[1:], austen)
    assert not document.questions[0].scores
    assert document.needs_values


def test_a_long_context_loses_its_first_tokens(austen: TextModel, asked: Asked) -> None:
    (document,) = choice_documents(asked([("ab" * 70, " is"), ("ab", " was")]), austen)
    long, short = document.questions[0].targets
    assert document.dropped.tolist() == [15, 0]
    assert austen.decode(long.tokens) == ("ab" * 70)[15:] + " is"
    assert (long.length, short.length) == (3, 4)


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ("", "task 'task', document 7: the continuation of choice 1 ('') has no tokens of its own"),
        (
            "x" * 130,
            "choice 1 ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...') has 130 tokens, but the model takes at most 128",
        ),
        (" \N{SNOWMAN}", "context and continuation of choice 1 (' \N{SNOWMAN}') cannot be encoded: "),
    ],
)
def test_what_cannot_be_asked_is_named(austen: TextModel, asked: Asked, choice: str, reason: str) -> None:
    documents = choice_documents(
        [*asked([("It", " is"), ("It", choice)], doc_id=7), *asked([("It", " is"), ("It", " was")], doc_id=8)], austen
    )
    assert reason in documents[0].problem
    assert not documents[0].questions
    assert not documents[1].problem


def test_an_empty_choice_has_no_score_per_character(austen: TextModel, asked: Asked) -> None:
    (document,) = choice_documents(asked([("It", " "), ("It", " is")]), austen)
    assert document.problem.endswith(
        "choice 0 is an empty text, by whose length acc_norm divides; give it a text, or leave that metric out"
    )


def test_streams_depend_on_the_content_and_not_on_the_place(austen: TextModel, asked: Asked) -> None:
    pairs = [("It", " is"), ("It", " was")]
    alone = choice_documents(asked(pairs), austen)
    among = choice_documents([*asked([("He", " is")], doc_id=0), *asked(pairs[::-1], doc_id=9)], austen)
    key = numbered(alone, [0])[0].questions[0].targets[0].key
    assert {target.key for target in numbered(among, [0, 0])[1].questions[0].targets} == {key}
    assert numbered(among, [0, 0])[0].questions[0].targets[0].key != key
    assert numbered(alone, [1])[0].questions[0].targets[0].key != key  # an equal question has masks of its own


def test_windows_score_every_token_once(austen: TextModel, asked: Asked) -> None:
    text = "It is a truth universally acknowledged, that a single man must be in want of a wife. " * 4
    (document,) = rolling_documents(asked([(text,)]), austen, overlap=32)
    targets = [question.targets[0] for question in document.questions]
    scored = np.concatenate([target.tokens[target.scored] for target in targets])
    assert scored.tolist() == austen.encode(text).tolist()
    assert [len(target.tokens) - target.length for target in targets] == [0, *[32] * (len(targets) - 1)]
    assert len({target.key for target in targets}) == len(targets)


def test_windows_under_guidance_are_refused(asked: Asked, austen: TextModel) -> None:
    guided = SimpleNamespace(encode=austen.encode, longest=128, needs_context=True)
    model: Any = guided
    long, short = rolling_documents([*asked([("so " * 60,)]), *asked([("so",)], doc_id=1)], model, overlap=32)
    assert "load the model without guidance" in long.problem
    assert not short.problem


def test_an_empty_text_is_refused(austen: TextModel, asked: Asked) -> None:
    (document,) = rolling_documents(asked([("",)]), austen, overlap=32)
    assert document.problem == "task 'task', document 0: the text is empty, so there is nothing to score"


def test_a_context_that_a_model_does_not_see_is_named(asked: Asked) -> None:
    class Blind(_Subwords):
        block_size = 0

    model: Any = Blind()
    (document,) = choice_documents(asked([("it", " is"), ("it", " a")]), model)
    assert "block" in document.problem


def test_texts_that_no_tokenizer_takes_raise_only_our_errors(austen: TextModel) -> None:
    with pytest.raises(InputError):
        encoded_pair(austen, "\N{SNOWMAN}", " is")
