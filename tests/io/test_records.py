"""Records of files: the content decides the format, and what cannot be read is refused in one sentence."""

import io
import json
import subprocess
import sys

import pytest

import infodis_stats as ids
from infodis_stats.io.records import (
    Question,
    Record,
    TextPair,
    parse_pairs,
    parse_questions,
    parse_records,
    read_pairs,
    read_questions,
    read_records,
)

LINES = "It is a truth\n\n universally \n"
JSON_LINES = '{"prompt": "a", "response": "b", "id": 7}\n\n{"response": "c\\nd"}\n'
ARRAY = '[{"prompt": "a", "response": "b", "id": 7},\n {"response": "c\\nd", "prompt": null}]'
LETTERS = {"text": ["c", "d"], "label": ["A", "B"]}
FASTA = ">one\nAC\nGT\n\n>two\nA\n"


@pytest.mark.parametrize(
    ("text", "suffixes", "records"),
    [
        (LINES, ["", ".txt", ".md"], [Record("line 1", "", "It is a truth"), Record("line 3", "", " universally ")]),
        (
            JSON_LINES,
            ["", ".txt", ".jsonl", ".JSONL", ".json", ".ndjson"],
            [Record("7", "a", "b"), Record("line 3", "", "c\nd")],
        ),
        (
            ARRAY,
            ["", ".txt", ".json", ".JSON", ".jsonl"],
            [Record("7", "a", "b"), Record("element 2", "", "c\nd")],
        ),
        (
            f'{{"version": 2, "data": {ARRAY}}}',
            ["", ".json"],
            [Record("7", "a", "b"), Record("element 2", "", "c\nd")],
        ),
        (json.dumps({"response": "a", "suffix": "b"}, indent=1), ["", ".json"], [Record("line 1", "", "a", "b")]),
        (
            FASTA,
            ["", ".txt", ".fa", ".fasta", ".faa", ".fna", ".fas", ".ffn", ".FA", ".Fasta"],
            [Record("one", "", "ACGT"), Record("two", "", "A")],
        ),
    ],
)
def test_the_content_decides_the_format(tmp_path, monkeypatch, text, suffixes, records):
    for suffix in suffixes:
        for mark in (b"", b"\xef\xbb\xbf"):
            (tmp_path / f"file{suffix}").write_bytes(mark + text.encode())
            assert read_records(tmp_path / f"file{suffix}") == records
    for mark in (b"", b"\xef\xbb\xbf"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(mark + text.encode()), encoding="latin-1"))
        assert read_records("-") == records


def test_standard_input_is_utf_8_whatever_the_locale():
    code = "from infodis_stats.io.records import read_records; print(ascii(read_records('-')[0].response))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="\ufeffé".encode(),
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "latin-1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.decode().strip() == ascii("é")


@pytest.mark.parametrize(
    "text",
    [
        "{sic} is not JSON\nnor is this",
        "[Enter Hamlet]\nTo be, or not to be",
        "[1] a footnote\n[2] another one",
        "[1]",
        "Hello\n> quoted mail, two lines\n> of it\nBye now",
        "a line\n{\nand another\n}\n{}",
        "; a comment in Lisp\n(define x 1)",
        '"quoted"\n42\nnull\ntrue',
        "@user wrote\nthis text\n+ that\nand so on",
        "- a\n* b",
    ],
)
def test_prose_that_looks_odd_is_plain_lines(text):
    expected = [line for line in text.split("\n") if line.strip()]
    assert [record.response for record in parse_records(text, "x.txt")] == expected
    assert [record.response for record in parse_records(text, "x", file_format="lines")] == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("> Hello there\nI quote you", "x begins as FASTA does, but line 2 is not a sequence of symbols"),
        ("> quoted\n> mail", "x begins as FASTA does, but has headers only"),
        ("> Hi\nthanks", "x begins as FASTA does, but line 2 is not a sequence of symbols"),
        (">quote\nYes\nNo", "x begins as FASTA does, but line 2 is not a sequence of symbols"),
        ("ACGT\n>a\nGT", "x, line 2 is like a header of FASTA, but there is none before line 1"),
        ("{'response': 'a'}", "x, line 1: not valid JSON"),
        ('{"response": "a"\n{"response": "b"}', "x, line 1: not valid JSON"),
        ('response: a\n{"response": "b"}', "x, line 2 is a JSON object, but line 1 is not"),
        ('{"response": "a"}\nprose', "x, line 2: not valid JSON"),
        ("@read\nACGT\n+\nIIII", "x is FASTQ, which is not read"),
    ],
)
def test_content_of_two_formats_is_refused_until_the_format_is_stated(text, place):
    with pytest.raises(ids.InputError, match=f"^{place}.*file_format='lines'"):
        parse_records(text, "x")
    assert [record.response for record in parse_records(text, "x", file_format="lines")] == text.split("\n")


@pytest.mark.parametrize(
    ("text", "where", "sentence"),
    [
        ("", "x.txt", "x.txt contains nothing to score"),
        ("\n\n", "x.jsonl", "contains nothing"),
        ("[]", "x", "contains nothing"),
        ("{", "x.jsonl", "x.jsonl, line 1: not valid JSON"),
        ('prose\n{"response": "a"}', "x.jsonl", "x.jsonl, line 1: not valid JSON"),
        ('{"response": "a"}\n\n{"response": "b",}', "x.JSONL", "x.JSONL, line 3: not valid JSON"),
        ('{\n"response": "a",\n}', "x.json", "x.json, line [23]: not valid JSON"),  # Python 3.13 names the comma
        ('[{"response": "a"}, {"response": }]', "x.json", "x.json, element 2: not valid JSON"),
        ('[{"response": "a"} {"response": "b"}]', "x", "x, element 1: not valid JSON \\(no ',' or ']'"),
        ('[{"response": "a"}] b', "x", "x, after element 1: not valid JSON"),
        ('[{"response": "a"', "x", "x, element 1: not valid JSON"),
        ("[" * 10**5, "x", "x, element 1: the JSON is nested too deeply"),
        ('{"response": "a"}\n[1]', "x.jsonl", 'line 2: needs a JSON object with "response" .or "text".*, got a list'),
        ('[{"response": "a"}, null]', "x", "x, element 2: needs a JSON object .*, got null"),
        ('{"prompt": "a"}', "x", 'x, line 1: needs "response" .or "text"., got \'prompt\''),
        ('{"response": "a", "prompt": 3}', "x", '"prompt" must be a string, got 3'),
        ('{"response": "a", "id": 1.5}', "x", '"id" must be a string or an integer, got 1.5'),
        ('{"response": "", "id": "q"}', "x", "x, line 1, 'q': the response is empty"),
        ('\n{"response": " \\n", "id": "q"}', "x", "x, line 2, 'q': the response is blank"),
        (
            '{"response": "a", "id": "q"}\n{"response": "b", "id": "q"}',
            "x",
            "x: the name 'q' appears more than once .line 1 and line 2.",
        ),
        ('{"response": "a", "response": "b"}', "x", "x, line 1: the key 'response' appears more than once"),
        ('{"response": "a", "promt": "b"}', "x", "x, line 1: unknown key 'promt'; did you mean 'prompt'?"),
        ('{"prompt": "a", "completion": "b"}', "x", "unknown key 'completion'; did you mean 'response'?"),
        ('{"response": "a", "year": 1}', "x", "unknown key 'year'; the keys are 'id', 'prompt', 'response', 'suffix'"),
        ('{"text": "a", "prompt": "b"}', "x", "key 'prompt' does not go with \"text\""),
        ("AC\n>a\nGT", "x.fasta", "x.fasta, line 1: sequence data before the first header line"),
        ('{"response": "a"}', "x.fa", "x.fa, line 1: sequence data before the first header line"),
        (">a\n>b\nGT", "x", "x, line 1, 'a': the sequence is empty"),
        (">a\nGT\n>a\nGT", "x", "x: the name 'a' appears more than once .line 1 and line 3."),
        (">a\nIt is a truth", "x.fasta", "x.fasta, line 2: a sequence has no words"),
        ("a,b", "x.csv", "x.csv is a table, which is not read; convert it to JSON lines"),
    ],
)
def test_bad_records_are_one_sentence(text, where, sentence):
    with pytest.raises(ids.InputError, match=sentence) as refused:
        parse_records(text, where)
    assert len(str(refused.value).splitlines()) == 1


def test_missing_files_and_formats_are_one_sentence(tmp_path):
    with pytest.raises(ids.InputError, match="cannot be read: No such file"):
        read_records(tmp_path / "absent.jsonl")
    with pytest.raises(ids.InputError, match="a file must be named by a string or a Path, got list"):
        read_records(["a"])
    with pytest.raises(ids.InputError, match="file_format must be lines, fasta or json, got 'jsonl'"):
        parse_records("a", "x", file_format="jsonl")


def test_fasta_has_comments_blocks_soft_masks_and_stops():
    text = ";old comment\n>a b\nacGT-n\n;within\nAC*\n>\nA C G T\n>c\nACGTACGTAC ACGTACGTAC ACG\n"
    responses = {"a b": "acGT-nAC*", "sequence 1": "ACGT", "c": "ACGTACGTACACGTACGTACACG"}
    assert {record.name: record.response for record in parse_records(text, "x")} == responses
    upper = parse_records(text, "x", upper=True, strip_stop=True)
    assert upper[0].response == "ACGT-NAC"
    oldest = parse_records(";HUMAN protein\n; a comment\nMDSK\nGSSQ*\n;second\nM*", "x", strip_stop=True)
    assert [(record.name, record.response) for record in oldest] == [("HUMAN protein", "MDSKGSSQ"), ("second", "M")]
    for option, message in (("upper", "upper=True is for FASTA"), ("strip_stop", "strip_stop=True is for FASTA")):
        with pytest.raises(ids.InputError, match=f"{message}, but x is plain lines"):
            parse_records("acgt", "x", **{option: True})
    with pytest.raises(ids.InputError, match="'a': the sequence is empty"):
        parse_records(">a\n*", "x", strip_stop=True)


def test_objects_with_text_are_records():
    text = '{"text": "a", "meta": {"url": "u"}, "timestamp": 3, "id": "q"}\n{"text": "b"}'
    assert parse_records(text, "x") == [Record("q", "", "a"), Record("line 2", "", "b")]


@pytest.mark.parametrize(
    ("entry", "pair"),
    [
        ({"prompt": "a", "first": "b", "second": "c", "id": 7}, TextPair("7", "a", "b", "c")),
        ({"first": "b", "second": "c", "prompt": None}, TextPair("line 1", "", "b", "c")),
        ({"sentence_good": "b", "sentence_bad": "c", "UID": "x", "pairID": "0"}, TextPair("line 1", "", "b", "c")),
        ({"chosen": "b", "rejected": "c"}, TextPair("line 1", "", "b", "c")),
        ({"prompt": "a", "prompt_id": "p", "chosen": "b", "rejected": "c"}, TextPair("line 1", "a", "b", "c")),
    ],
)
def test_pairs_are_recognised_by_shape(tmp_path, entry, pair):
    (tmp_path / "pairs.json").write_text(json.dumps(entry))
    assert read_pairs(tmp_path / "pairs.json") == [pair]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x contains nothing to score"),
        ("ACGT", "x is plain lines, but pairs are JSON"),
        ('{"first": "a"}', 'x, line 1: needs "first" and "second" .or "sentence_good" and "sentence_bad", or'),
        ('{"first": "a", "second": ""}', "x, line 1: the second text is empty"),
        ('{"frist": "a", "second": "b"}', "x, line 1: unknown key 'frist'; did you mean 'first'?"),
        ('{"good": "a", "bad": "b"}', "x, line 1: unknown key 'good'; did you mean 'first'?"),
        ('{"chosen": [{"role": "user"}], "rejected": "b"}', '"chosen" must be a string'),
        ('{"chosen": "a", "rejected": "b", "promt": "c"}', "unknown key 'promt'; did you mean 'prompt'?"),
        ('{"chosen": "a", "rejected": "b", "sentence_good": "c", "sentence_bad": "d"}', "several formats"),
        (
            '{"first": "a", "second": "b", "id": 1}\n{"first": "a", "second": "b", "id": "1"}',
            "'1' appears more than once",
        ),
    ],
)
def test_bad_pairs_are_one_sentence(text, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        parse_pairs(text, "x")


@pytest.mark.parametrize(
    ("entry", "prompt", "answers", "correct"),
    [
        ({"prompt": "q ", "answers": ["a", "b"], "correct": 1}, "q ", ("a", "b"), 1),
        ({"answers": ["a", "b", "a"], "correct": "B"}, "", ("a", "b", "a"), 1),
        (
            {"ind": 4, "activity_label": "x", "ctx": "A man", "ctx_a": "", "endings": ["runs", " is"], "label": "1"},
            "A man",
            (" runs", " is"),
            1,
        ),
        ({"ctx": "A man", "endings": ["runs", "is"], "label": ""}, "A man", (" runs", " is"), None),
        ({"ctx": "A man", "endings": ["runs", ""], "label": 0}, "A man", (" runs", ""), 0),
        ({"goal": "To rest,", "sol1": "a", "sol2": "b", "label": 0}, "To rest,", (" a", " b"), 0),
        ({"goal": "To rest,\n", "sol1": "a", "sol2": "b", "label": -1}, "To rest,\n", ("a", "b"), None),
        ({"question": "q", "choices": ["3", "4"], "answer": 1, "subject": "s"}, "q", (" 3", " 4"), 1),
        ({"question": "q", "choices": ["c", "d"], "answer": "B"}, "q", (" c", " d"), 1),
        (
            {"question": "q", "choices": LETTERS, "answerKey": "B"},
            "q",
            (" c", " d"),
            1,
        ),
        (
            {"question": "q", "choices": LETTERS | {"label": ["1", "2"]}, "answerKey": "1"},
            "q",
            (" c", " d"),
            0,
        ),
        ({"query": "q", "choices": ["(A)c", "(B)d"], "gold": [1]}, "q", (" (A)c", " (B)d"), 1),
        ({"query": "q", "choices": ["c", "d"], "gold": 0}, "q", (" c", " d"), 0),
    ],
)
def test_questions_of_benchmarks_are_recognised_by_shape(tmp_path, entry, prompt, answers, correct):
    (tmp_path / "questions.json").write_text(json.dumps([entry]))
    assert read_questions(tmp_path / "questions.json") == [Question("element 1", prompt, answers, correct)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"answers": ["a", "b"], "gold": 1}', "x, line 1: unknown key 'gold'; did you mean 'correct'?"),
        ('{"answers": ["a", "b"], "correct": -1}', '"correct" must be the index of an answer, 0 to 1, got -1'),
        ('{"answers": ["a", "b"], "correct": "C"}', "\"correct\" must be the index of an answer, 0 to 1, got 'C'"),
        ('{"answers": ["a", "b"], "correct": {}}', '"correct" must be the index of an answer, or its letter, got {}'),
        ('{"ctx": "q", "endings": ["a", "b"], "lable": 1}', "unknown key 'lable'; did you mean 'label'?"),
        ('{"ctx": "q", "endings": ["a", 3], "label": 1}', '"endings" must be a list of at least 2 strings'),
        ('{"question": "q", "choices": ["1", "0"], "answer": "0"}', "both a label and the text of another answer"),
        ('{"question": "q", "choices": ["a", "b"], "answer": "b"}', '"answer" must be the index of an answer'),
        (
            '{"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C", "id": "M_1"}',
            "x, line 1, 'M_1': \"answerKey\" must be one of A, B, got 'C'",
        ),
        (
            '{"question": "q", "choices": {"text": ["a", "b"], "label": ["A"]}, "answerKey": "A"}',
            "x, line 1: 2 answers have 1 labels",
        ),
        ('{"question": "q", "choices": ["a", "b"], "answer": 0, "answerKey": "B"}', "both name the correct answer"),
        ('{"query": "q", "choices": ["a", "b"], "gold": [0, 1]}', '"gold" must be the index of an answer, 0 to 1'),
        (">a\nACGT", "x is FASTA, but questions are JSON"),
    ],
)
def test_bad_questions_are_one_sentence(text, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        parse_questions(text, "x")


def test_fields_name_the_keys_of_other_files():
    audit = json.dumps([{"x": "p", "y": "r", "z": "s", "r": 0.3}, {"x": None, "y": "t", "z": "u", "r": 0.1, "id": "q"}])
    assert parse_pairs(audit, "x", fields={"prompt": "x", "first": "y", "second": "z"}) == [
        TextPair("element 1", "p", "r", "s"),
        TextPair("q", "", "t", "u"),
    ]
    records = parse_records(audit, "x", fields={"prompt": "x", "response": "y", "suffix": "z"})
    assert records == [Record("element 1", "p", "r", "s"), Record("q", "", "t", "u")]
    question = '{"q": "p", "options": {"text": ["a", "b"], "label": ["A", "B"]}, "key": "B", "n": 3}'
    fields = {"prompt": "q", "answers": "options", "correct": "key", "id": "n"}
    assert parse_questions(question, "x", fields=fields) == [Question("3", "p", ("a", "b"), 1)]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"prompt": "q", "response": "y"}, "x, line 1: there is no key 'q'; it has 'x', 'y', 'promt'"),
        ({"first": "y"}, "fields may name id, prompt, response, suffix, got 'first'"),
        ({"prompt": "y", "response": "y"}, "fields must name different keys, got y, y"),
        ({"response": "y"}, "unknown key 'promt'; did you mean 'prompt'?"),
        ({"response": "z"}, "there is no key 'z'"),
    ],
)
def test_wrong_fields_are_one_sentence(fields, sentence):
    with pytest.raises(ids.InputError, match=sentence):
        parse_records('{"x": "a", "y": "b", "promt": "c"}', "x", fields=fields)


def test_fields_are_a_mapping_for_json():
    with pytest.raises(ids.InputError, match="fields must be a mapping of strings to strings, got 'y'"):
        parse_records('{"response": "a"}', "x", fields="y")
    with pytest.raises(ids.InputError, match="fields must be a mapping of strings to strings"):
        parse_records('{"response": "a"}', "x", fields={"response": 3})
    with pytest.raises(ids.InputError, match="fields= is for JSON, but x is plain lines"):
        parse_records("prose", "x", fields={"response": "y"})
