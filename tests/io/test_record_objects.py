"""Records from Python objects, in the forms that people have."""

import json

import numpy as np
import pandas as pd
import pytest

import infodis_stats as ids
from infodis_stats.io.records import (
    Question,
    Record,
    TextPair,
    as_answers,
    as_pairs,
    as_questions,
    as_record,
    as_records,
    parse_pairs,
    parse_questions,
    parse_records,
)

TEXTS = ["a", "b"]


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        (text for text in TEXTS),
        np.array(TEXTS),
        pd.Series(TEXTS),
        [("", "a"), (None, "b")],
        [["", "a"], {"response": "b"}],
        pd.DataFrame({"prompt": ["", None], "response": TEXTS}),
        pd.DataFrame({"text": TEXTS, "year": [1, 2]}),
        pd.Series([("", "a"), {"response": "b"}]),
        [{"response": "a", "prompt": np.nan}, Record("element 2", "", "b")],
        map(str, TEXTS),
    ],
)
def test_texts_in_many_forms_are_the_same_records(texts):
    assert as_records(texts) == [Record("element 1", "", "a"), Record("element 2", "", "b")]


def test_single_records_and_labels():
    assert as_records(Record("q", "", "a")) == [Record("q", "", "a")]
    assert as_records({"response": "a", "id": 3}) == [Record("3", "", "a")]
    assert [record.name for record in as_records(pd.Series(TEXTS, index=["x", "y"]))] == ["x", "y"]
    assert [record.name for record in as_records(pd.DataFrame({"response": TEXTS}).iloc[::-1])] == ["1", "0"]
    assert as_record("a") == Record("text", "", "a")
    assert as_record(("p", "a")) == Record("text", "p", "a")
    assert as_record({"response": "a", "suffix": "s"}) == Record("text", "", "a", "s")


def test_pairs_and_questions():
    pair = TextPair("element 1", "p", "a", "b")
    frame = pd.DataFrame({"prompt": ["p"], "first": ["a"], "second": ["b"]})
    for pairs in ([("p", "a", "b")], [{"prompt": "p", "first": "a", "second": "b"}], frame, [pair], pair):
        assert as_pairs(pairs) == [pair]
    question = Question("element 1", "p", ("a", "b"), 1)
    frame = pd.DataFrame({"prompt": ["p", "q"], "answers": [np.array(["a", "b"]), ["c", "d"]], "correct": [1, None]})
    assert as_questions(frame) == [question, Question("element 2", "q", ("c", "d"))]
    assert as_questions([("p", ("a", "b"), np.int64(1))]) == [question]
    for answers in (["a", "b"], pd.Series(["a", "b"]), np.array(["a", "b"]), ("a", "b")):
        assert as_answers(answers) == ("a", "b")


@pytest.mark.parametrize(
    ("convert", "given", "sentence"),
    [
        (
            as_records,
            "abc",
            "texts must be a list of strings, tuples .*, got a string; read_records",
        ),
        (as_records, b"abc", "got bytes"),
        (as_records, None, "texts must be a list of .*, got None"),
        (as_records, 3, "got an int"),
        (as_records, ("p", "r"), "got a tuple; put the tuple into a list"),
        (as_records, {"a", "b"}, "got a set; a set has no order"),
        (as_records, [], "texts contains nothing to score"),
        (as_records, ["a", None], "element 2: needs strings, .*, got None"),
        (as_records, [3], "element 1: needs strings, .*, got an int"),
        (as_records, np.zeros((2, 3), dtype=int), "element 1: needs strings"),
        (as_records, [("a", "b", "c")], "got a tuple of 3"),
        (as_records, [("a", 3)], 'element 1: "response" must be a string, got 3'),
        (as_records, ["a", " "], "element 2: the response is blank"),
        (as_records, ["a\ud800"], "element 1: the response has half a surrogate pair"),
        (as_records, [{"response": "a", "promt": "b"}], "element 1: unknown key 'promt'; did you mean 'prompt'?"),
        (as_records, pd.DataFrame({"response": ["a"], "year": [3]}), "unknown key 'year'"),
        (as_records, pd.DataFrame({0: ["a"]}), "element 1: keys must be strings"),
        (as_records, [Record("q", None, "a")], "'q': the prompt must be a string, got NoneType"),
        (as_records, [Record(3, "", "a")], "a name must be a string, got int"),
        (as_records, [Record("q", "", "a")] * 2, "texts: the name 'q' appears more than once"),
        (as_records, pd.Series(["a", "b"], index=["x", "x"]), "the name 'x' appears more than once"),
        (as_records, [{"response": "a", "id": 10**5000}], "element 1: a number is too long"),
        (as_record, 3, "a record must be a string, a tuple .*, got an int"),
        (as_record, "", "the response is empty"),
        (as_pairs, [("a", "b")], "element 1: needs tuples .prompt, first, second., .*, got a tuple of 2"),
        (as_pairs, [Record("q", "", "a")], "element 1: needs .*, got a Record"),
        (as_questions, [("p", ["a"])], '"answers" must be a list of at least 2 strings'),
        (as_answers, "ab", "answers must be a list of strings, got a string"),
        (as_answers, [1, 2], "answers must be strings, but answer 0 is an int"),
        (as_answers, None, "got None"),
    ],
)
def test_other_objects_are_one_sentence(convert, given, sentence):
    with pytest.raises(ids.InputError, match=sentence) as refused:
        convert(given)
    assert len(str(refused.value).splitlines()) == 1


def test_json_arrays_and_python_lists_are_the_same():
    for parse, convert, entries in (
        (parse_records, as_records, [{"prompt": "p", "response": "a"}, {"response": "b", "id": 3}]),
        (parse_pairs, as_pairs, [{"prompt": None, "first": "a", "second": "b"}]),
        (parse_questions, as_questions, [{"ctx": "p", "endings": ["a", "b"], "label": "1"}]),
    ):
        assert parse(json.dumps(entries), "x") == convert(entries)
