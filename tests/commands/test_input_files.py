"""Each format gives the same numbers from a file, through a pipe and in Python, under a law and under a network."""

import io
import json
import sys

import numpy as np
import pytest

import infodis_stats as ids
from tests.support.command_line import run

HOW = ["--passes", 4, "--replicates", 4, "--json"]
PRINTED = 1e-8  # JSON prints 10 decimals
PYTHON = {"passes": 4, "replicates": 4}
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)  # that of the study file

SEQUENCES = {
    "lines": "ACGTACGTAC\n\nGGTACC\n",
    "fasta": ">one\nACGTAC\nGTAC\n>two\nGGTACC\n",
    "json lines": '{"response": "ACGTACGTAC"}\n{"response": "GGTACC", "id": "two"}\n',
    "json array": '[{"response": "ACGTACGTAC"}, {"response": "GGTACC", "prompt": null}]',
    "text": '{"data": [{"text": "ACGTACGTAC", "n": 1}, {"text": "GGTACC", "n": 2}]}',
}
SUFFIXES = {"lines": ["txt"], "fasta": ["fasta", "FA", "faa", "fna", "fas", "ffn", "txt"]}


def rows_of(capsys, monkeypatch, command, model, path, *options, pipe):
    if pipe:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + path.read_bytes())))
    status, out, err = run(capsys, command, model, "-" if pipe else path, *options, *HOW)
    assert (status, err) == (0, "")
    found = json.loads(out)
    return found["pairs"] if "pairs" in found else found["sequences"]


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_law_scores_every_format(capsys, monkeypatch, study_file, name):
    expected = ids.estimate_nll(LAW, [LAW.encode([text])[0] for text in ("ACGTACGTAC", "GGTACC")], **PYTHON)
    for suffix in SUFFIXES.get(name, ["json", "JSONL", "txt"]):
        for pipe in (False, True):
            path = study_file.parent / f"file.{suffix}"
            path.write_text(SEQUENCES[name])
            rows = rows_of(capsys, monkeypatch, "nll", study_file, path, pipe=pipe)
            np.testing.assert_allclose([row["nll"] for row in rows], expected["nll"], rtol=PRINTED)
            np.testing.assert_allclose([row["exact"] for row in rows], expected["exact"])
    names = {"lines": ["line 1", "line 3"], "fasta": ["one", "two"], "json lines": ["line 1", "two"]}
    assert [row["sequence"] for row in rows] == names.get(name, ["element 1", "element 2"])


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_network_scores_every_format(capsys, monkeypatch, tmp_path, name):
    text = SEQUENCES[name].replace("ACGTAC\nGTAC", "ACGTACGTAC")
    expected = ids.estimate_texts(ids.load_model("austen"), ["ACGTACGTAC", "GGTACC"], **PYTHON)
    (tmp_path / "file").write_text(text)
    for pipe in (False, True):
        rows = rows_of(capsys, monkeypatch, "nll", "austen", tmp_path / "file", pipe=pipe)
        np.testing.assert_allclose([row["nll"] for row in rows], expected["nll"], rtol=PRINTED)


def test_prompts_are_context_under_a_law(capsys, monkeypatch, study_file):
    path = study_file.parent / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "AC ", "response": "GT", "suffix": "CC"}\n{"id": "b", "response": "GG"}\n')
    (a, b) = rows_of(capsys, monkeypatch, "nll", study_file, path, "--estimator", "exhaustive", pipe=False)
    given = np.array([True, True, False, False, True, True])
    assert (a["sequence"], b["sequence"]) == ("a", "b")
    assert a["nll"] == pytest.approx(LAW.nll(LAW.encode(["ACGTCC"]), context=given)[0])
    assert a["nll"] != pytest.approx(LAW.nll(LAW.encode(["ACGTCC"]), context=2)[0])  # the suffix matters
    assert b["nll"] == pytest.approx(LAW.nll(LAW.encode(["GG"]))[0])
    status, out, _ = run(capsys, "consistency", study_file, path, "--orders", 4, "--json")
    assert status == 0
    assert [row["sequence"] for row in json.loads(out)["sequences"]] == ["a", "b"]


def test_pairs_under_a_law_come_from_one_file_or_two(capsys, monkeypatch, study_file):
    folder = study_file.parent
    (folder / "audit.json").write_text('[{"x": "A", "y": "CG", "z": "CT", "r": 0.5, "id": 7}]')
    (folder / "first.fasta").write_text(">m\nACG\n")
    (folder / "second.txt").write_text("ACT\n")
    (pair,) = rows_of(
        capsys,
        monkeypatch,
        "ratio",
        study_file,
        folder / "audit.json",
        "--fields",
        "prompt=x,first=y,second=z",
        pipe=False,
    )
    assert pair["pair"] == "7"
    first, second = LAW.encode(["ACG"]), LAW.encode(["ACT"])
    assert pair["exact"] == pytest.approx((LAW.nll(second, context=1) - LAW.nll(first, context=1))[0])
    expected = ids.estimate_log_ratio(LAW, first, second, context=1, **PYTHON)
    assert pair["log_ratio"] == pytest.approx(expected["log_ratio"].item(), rel=PRINTED)
    status, out, _ = run(capsys, "ratio", study_file, folder / "first.fasta", folder / "second.txt", *HOW)
    assert status == 0
    (pair,) = json.loads(out)["pairs"]
    assert (pair["pair"], pair["exact"]) == ("m", pytest.approx((LAW.nll(second) - LAW.nll(first))[0]))


def test_fields_and_benchmarks_on_the_command_line(capsys, monkeypatch, tmp_path):
    audit, plain = tmp_path / "audit.json", tmp_path / "pairs.jsonl"
    audit.write_text('[{"x": "It is a ", "y": "truth", "z": "trvth", "r": 1}]')
    plain.write_text('{"prompt": "It is a ", "first": "truth", "second": "trvth"}')
    fields = ["--fields", "prompt=x, first=y, second=z"]
    model, pairs = ids.load_model("austen"), [("It is a ", "truth", "trvth")]
    expected = ids.estimate_text_ratios(model, pairs, **PYTHON)["log_ratio"].values.tolist()
    for path, options in ((audit, fields), (plain, [])):
        for pipe in (False, True):
            rows = rows_of(capsys, monkeypatch, "ratio", "austen", path, *options, pipe=pipe)
            np.testing.assert_allclose([row["log_ratio"] for row in rows], expected, rtol=PRINTED)
    swag = tmp_path / "hellaswag.jsonl"
    swag.write_text('{"ind": 1, "ctx": "It is a", "endings": ["trvth", "truth"], "label": "1", "split": "val"}')
    for asked in ([swag], [audit, "--fields", "prompt=x,answers=a,correct=r"]):
        audit.write_text('[{"x": "It is a", "a": [" trvth", " truth"], "r": 1}]')
        status, out, _ = run(capsys, "rank", "austen", *asked, "--passes", 8, "--json")
        assert status == 0
        (row,) = json.loads(out)["rows"]
        assert (row["answer"], row["right"]) == (" truth", True)


def test_soft_masks_and_stops_of_fasta(capsys, monkeypatch, study_file):
    path = study_file.parent / "soft.fa"
    path.write_text(">a\nacGTac*\n")
    options = ["--upper", "--strip-stop"]
    (row,) = rows_of(capsys, monkeypatch, "nll", study_file, path, *options, pipe=False)
    assert row["exact"] == pytest.approx(LAW.nll(LAW.encode(["ACGTAC"]))[0])
    status, _, err = run(capsys, "scan", study_file, path, *options, *HOW, "--out", study_file.parent / "out")
    assert (status, err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        (
            "nll",
            ">a\nacgt",
            [],
            "file, line 1, 'a': position 0: symbol 'a' is outside the alphabet ACGT; for FASTA, see --upper",
        ),
        ("nll", ">a\nACGT*", [], "symbol '*' is outside the alphabet ACGT; for FASTA, see --strip-stop"),
        ("nll", "ACGT", ["--upper"], "--upper is for FASTA, but {file} is plain lines"),
        ("nll", "> a b\nnot a sequence", [], "state --file-format fasta or --file-format lines"),
        (
            "nll",
            '{"prompt": "AX", "response": "C", "id": "q"}',
            [],
            "line 1, 'q': prompt, position 1: symbol 'X'",
        ),
        (
            "nll",
            '{"prompt": "A", "response": "C"}',
            ["--context", 1],
            "has a prompt or a suffix: --context is for",
        ),
        ("nll", '{"foo": "A"}', [], "got 'foo'; --fields names other keys"),
        ("nll", "ACGT\nA", ["--context", 1], "file, line 2: all 1 tokens are context"),
        ("ratio", "ACGT", [], "is plain lines, but pairs are JSON"),
        ("consistency", "ACGT\nAN", [], "file, line 2: position 1: symbol 'N' is outside the alphabet ACGT"),
        ("consistency", "[]", [], "contains nothing to score"),
    ],
)
def test_errors_name_the_file_the_line_and_the_record(capsys, study_file, arguments):
    command, text, options, sentence = arguments
    path = study_file.parent / "file"
    path.write_text(text)
    status, out, err = run(capsys, command, study_file, path, *options)
    assert (status, out) == (2, "")
    assert sentence.format(file=path) in err
    assert err.count("\n") == 1


def test_errors_of_a_law_name_the_record(capsys, tmp_path):
    (tmp_path / "law.toml").write_text(
        '[law]\nkind = "table"\nsequences = ["ACGT", "CCGT", "AAAA"]\nprobabilities = [0.5, 0.25, 0.25]\n'
    )
    (tmp_path / "a.fa").write_text(">one\nACGT\n>two\nCCC\n")
    (tmp_path / "b.jsonl").write_text('{"id": "q", "prompt": "CA", "response": "GT"}\n')
    for name, sentence in (
        ("a.fa", "a.fa, line 3, 'two': sequences must have length 4"),
        ("b.jsonl", "b.jsonl, line 1, 'q', position"),
    ):
        for command in (["nll"], ["consistency", "--orders", 4]):
            status, _, err = run(capsys, command[0], tmp_path / "law.toml", tmp_path / name, *command[1:])
            assert status == 2
            assert sentence in err


def test_errors_of_a_network_name_file_line_and_record(capsys, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"response": "fine"}\n{"id": "q", "response": "na\\u1234ve"}')
    (tmp_path / "b.txt").write_text("fine\n" + "a" * 200)
    for command in ("nll", "consistency"):
        assert "a.jsonl, line 2, 'q': character" in run(capsys, command, "austen", tmp_path / "a.jsonl")[2]
        assert "b.txt, line 2" in run(capsys, command, "austen", tmp_path / "b.txt")[2]
    err = run(capsys, "ratio", "austen", tmp_path / "b.txt", tmp_path / "a.jsonl")[2]
    assert "b.txt, line 2 with" in err
    assert "a.jsonl, line 2, 'q'" in err


def test_python_forms_give_the_same_numbers():
    model, how = ids.load_model("austen"), PYTHON
    records = [ids.Record("element 1", "It is a ", "truth")]
    expected = ids.estimate_texts(model, records, **how)
    for texts in ([("It is a ", "truth")], [{"prompt": "It is a ", "response": "truth"}], records[0]):
        np.testing.assert_array_equal(ids.estimate_texts(model, texts, **how)["nll"], expected["nll"])
    positions = [ids.estimate_positions(model, one, **how)["nll"] for one in (records[0], ("It is a ", "truth"))]
    np.testing.assert_array_equal(*positions)
    for wrong in ("a string", [1], None):
        with pytest.raises(ids.InputError):
            ids.estimate_texts(model, wrong)
    with pytest.raises(ids.InputError, match="a record must be"):
        ids.estimate_positions(model, 3)
    with pytest.raises(ids.InputError, match="answers must be a list of strings, got a string"):
        ids.rank_texts(model, "", "ab")
