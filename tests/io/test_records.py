"""Records: the texts that a file contains, and the files that are rejected."""

import pytest

import infodis_stats as ids
from infodis_stats.io.records import Record, TextPair, parse_pairs, parse_records, read_pairs, read_records


def test_formats_depend_on_the_suffix(tmp_path):
    (tmp_path / "pairs.jsonl").write_text('{"prompt": "a", "response": "b", "id": 7}\n\n{"response": "c\\nd"}\n')
    assert read_records(tmp_path / "pairs.jsonl") == [Record("7", "a", "b"), Record("line 3", "", "c\nd")]
    (tmp_path / "dna.fa").write_text(">one\nAC\nGT\n\n>two\nA\n")
    assert read_records(tmp_path / "dna.fa") == [Record("one", "", "ACGT"), Record("two", "", "A")]
    (tmp_path / "lines.txt").write_text("It is a truth\n\n universally \n")
    assert read_records(tmp_path / "lines.txt") == [
        Record("line 1", "", "It is a truth"),
        Record("line 3", "", " universally "),
    ]


@pytest.mark.parametrize(
    ("text", "suffix", "sentence"),
    [
        ("", ".txt", "x contains nothing to score"),
        ("\n\n", ".jsonl", "contains nothing"),
        ("{", ".jsonl", "x, line 1: not valid JSON"),
        ('{"response": "a"}\n[1]', ".jsonl", "line 2: needs a JSON object with the string"),
        ('{"prompt": "a"}', ".jsonl", 'the string "response"'),
        ('{"response": "a", "prompt": 3}', ".jsonl", '"prompt" must be a string'),
        ('{"response": "", "id": "q"}', ".jsonl", "the response of 'q' is empty"),
        ('{"response": "a", "id": "q"}\n{"response": "b", "id": "q"}', ".jsonl", "'q' appears more than once"),
        ("AC\n>a\nGT", ".fasta", "line 1: sequence data before the first header line"),
        (">a\n>b\nGT", ".fasta", "the response of 'a' is empty"),
    ],
)
def test_bad_records_are_one_sentence(text, suffix, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        parse_records(text, suffix, "x")


def test_missing_files_are_one_sentence(tmp_path):
    with pytest.raises(ids.InputError, match="cannot be read: No such file"):
        read_records(tmp_path / "absent.jsonl")


def test_pairs_share_a_prompt(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"prompt": "a", "first": "b", "second": "c", "id": 7}\n\n{"first": "d", "second": "e"}\n')
    assert read_pairs(path) == [TextPair("7", "a", "b", "c"), TextPair("line 3", "", "d", "e")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x contains nothing to score"),
        ('{"first": "a"}', 'x, line 1: needs a JSON object with the string "first" and the string "second"'),
        ('{"first": "a", "second": ""}', "a text of 'line 1' is empty"),
        (
            '{"first": "a", "second": "b", "id": 1}\n{"first": "a", "second": "b", "id": "1"}',
            "'1' appears more than once",
        ),
    ],
)
def test_bad_pairs_are_one_sentence(text, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        parse_pairs(text, "x")
