"""Hostile records, pairs and questions are read correctly or rejected in one sentence with the place."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import infodis_stats as ids
from infodis_stats.io.files import read_text
from infodis_stats.io.records import (
    Record,
    as_answers,
    as_pairs,
    as_questions,
    as_record,
    as_records,
    parse_pairs,
    parse_questions,
    parse_records,
    read_pairs,
    read_questions,
    read_records,
)
from tests.support.hostility import FUZZ, right_or_typed

READERS = [read_records, read_pairs, read_questions]
SUFFIXES = [".jsonl", ".fasta", ".fa", ".txt", ""]
KEYS = ["response", "prompt", "id", "first", "second", "answers", "correct", "other"]
VALUES = st.recursive(
    st.one_of(
        st.text(max_size=4),
        st.integers(-2, 3),
        st.floats(),
        st.booleans(),
        st.none(),
        st.sampled_from(["a", "\ud800", 10**30]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)),
    max_leaves=6,
)
ENTRIES = st.one_of(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), VALUES)
PIECES = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        [">", ">a", "\n", "\r\n", "\r", "\x0c", "\x1c", "\u2028", "\ufeff", "\0", "ACGT", "{", "[", '"', "1e999"]
    ),
)


def checked(records):
    """Check that each record has a unique name on one line and valid text to score."""
    if records is None:
        return
    names = [one.name for one in records]
    assert len(set(names)) == len(names) > 0
    for one in records:
        assert len(one.name.split("\n")) == 1
        texts = [text for text in vars(one).values() if isinstance(text, str)]
        "".join(texts).encode()


@FUZZ
@given(st.lists(ENTRIES, max_size=3))
def test_objects(entries):
    text = "\n".join(json.dumps(one) for one in entries)
    for parse in (
        lambda: parse_records(text, "x.jsonl"),
        lambda: parse_pairs(text, "x"),
        lambda: parse_questions(text, "x"),
    ):
        checked(right_or_typed(parse))


@FUZZ
@given(st.lists(PIECES, max_size=12), st.sampled_from(SUFFIXES))
def test_text(pieces, suffix):
    records = right_or_typed(lambda: parse_records("".join(pieces), f"x{suffix}"))
    checked(records)
    if records is not None and suffix in (".txt", ""):
        # Nothing is lost but blank lines and the ends of lines.
        kept = "".join("".join(pieces).replace("\r", "\n").split())
        assert "".join("".join(one.response for one in records).split()) == kept


@FUZZ
@given(st.binary(max_size=60), st.sampled_from(SUFFIXES))
def test_bytes(tmp_path_factory, data, suffix):
    path = tmp_path_factory.getbasetemp() / f"hostile{suffix}"
    path.write_bytes(data)
    for read in READERS:
        checked(right_or_typed(lambda read=read: read(path)))


UNREADABLE = {
    "deep": ("[" * 100_000, "x.jsonl, element 1: the JSON is nested too deeply"),
    "deep objects": ('{"a":' * 100_000, "x.jsonl, line 1: the JSON is nested too deeply"),
    "long number": (f'{{"response": "a", "id": {"9" * 5000}}}', "has a number that is too long"),
    "half a letter": ('{"response": "\\ud800"}', "half a surrogate pair"),
    "name on two lines": ('{"response": "a", "id": "a\\nb"}', "the name 'a.*b' contains control characters"),
    "true for a name": ('{"response": "a", "id": true}', '"id" must be a string or an integer, got True'),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_invalid_json_is_reported(name):
    text, sentence = UNREADABLE[name]
    with pytest.raises(ids.InputError, match=sentence):
        parse_records(text, "x.jsonl")


def test_line_ends_are_those_of_editors():
    separators = "a\x0cb\x1cc\u2028d\x85e"
    assert [one.response for one in parse_records(f"{separators}\r\nf", "x.txt")] == [separators, "f"]
    assert [one.response for one in parse_records(">a\u2028b\nAC\rGT", "x.fasta")] == ["ACGT"]


def test_a_byte_order_mark_is_not_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfabc")
    assert [one.response for one in read_records(tmp_path / "a.txt")] == ["abc"]


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a" * 5000, "."])
def test_invalid_file_names_are_one_sentence(name):
    with pytest.raises(ids.InputError, match="cannot be read"):
        read_records(name)


def test_an_endless_file_is_rejected(monkeypatch):
    monkeypatch.setattr("infodis_stats.io.files.MOST_CHARACTERS", 2**20)
    with pytest.raises(ids.InputError, match="/dev/zero cannot be read: it has more than 1048576 characters"):
        read_text("/dev/zero")


def test_a_line_of_millions_of_letters_is_a_record():
    (record,) = parse_records(">a\n" + "ACGT\n" * 10**6, "x.fasta")
    assert len(record.response) == 4 * 10**6


SHAPES = [
    ["response", "prompt", "suffix"],
    ["text", "meta"],
    ["prompt", "first", "second"],
    ["sentence_good", "sentence_bad", "UID"],
    ["prompt", "chosen", "rejected"],
    ["prompt", "answers", "correct"],
    ["ctx", "endings", "label"],
    ["goal", "sol1", "sol2", "label"],
    ["question", "choices", "answer"],
    ["query", "choices", "gold"],
]
LABELS = st.sampled_from([0, 1, "0", "A", "B", None, [1], 5, -1, 1.0, "Z", "", True, [0, 1], {}])
OPTIONS = st.one_of(
    st.just(["c", "d"]),
    st.lists(st.text(max_size=2), max_size=3),
    st.just({"text": ["a", "b"], "label": ["A", "B"]}),
    st.just({"text": ["a", "b"], "label": ["1"]}),
)
USUAL = dict.fromkeys(("answers", "endings", "choices"), OPTIONS) | dict.fromkeys(
    ("correct", "label", "answer", "gold"), LABELS
)


@st.composite
def shaped_entries(draw):
    """Draw objects of one shape, a few of them with a key too many, a key too few or a value of another type."""
    entries = []
    for _ in range(draw(st.integers(1, 2))):
        keys = list(draw(st.shared(st.sampled_from(SHAPES), key="shape")))
        fault = draw(st.integers(0, 9))
        if fault == 7:
            keys.append(draw(st.sampled_from([*KEYS, "lable", "promt", "meta"])))
        if fault == 8:
            keys.remove(draw(st.sampled_from(keys)))
        entries.append({key: draw(USUAL.get(key, st.text("abc \n{>é", min_size=1, max_size=4))) for key in keys})
        if fault == 9 and keys:
            entries[-1][draw(st.sampled_from(keys))] = draw(VALUES)
    return entries


@FUZZ
@given(shaped_entries(), st.sampled_from(["lines", "array", "object", "indented"]))
def test_shapes_are_the_same_in_every_form(entries, form):
    written = {
        "lines": "\n".join(json.dumps(entry) for entry in entries),
        "array": json.dumps(entries),
        "object": json.dumps({"version": 1, "data": entries}),
        "indented": json.dumps(entries, indent=1),
    }[form]
    for parse, convert in ((parse_records, as_records), (parse_pairs, as_pairs), (parse_questions, as_questions)):
        found = right_or_typed(lambda parse=parse: parse(written, "x"))
        checked(found)
        same = right_or_typed(lambda convert=convert: convert(entries))
        assert (found is None) == (same is None)
        if found is not None and form != "lines":
            assert found == same
        elif found is not None:
            assert [replace(item, name="") for item in found] == [replace(item, name="") for item in same]


@FUZZ
@given(st.one_of(VALUES, st.lists(st.tuples(VALUES, VALUES)), st.binary(), st.sets(st.text()), st.complex_numbers()))
def test_python_objects(given):
    for convert in (as_records, as_pairs, as_questions, as_record, as_answers):
        found = right_or_typed(lambda convert=convert: convert(given))
        checked(found if isinstance(found, list) and found and isinstance(found[0], Record) else None)


@FUZZ
@given(st.lists(PIECES, max_size=12))
def test_a_suffix_changes_no_record(pieces):
    text = "".join(pieces)
    plain = right_or_typed(lambda: parse_records(text, "x"))
    for suffix in (".txt", ".md", ".fasta", ".FA", ".jsonl", ".JSON"):
        found = right_or_typed(lambda suffix=suffix: parse_records(text, f"x{suffix}"))
        assert found is None or plain is None or found == plain
