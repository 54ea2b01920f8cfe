"""The command that tests if a model is consistent with one law."""

import json

import pytest

from infodis_stats.cli import main


def run(capsys, *arguments):
    status = main(["consistency", *(str(argument) for argument in arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text('{"id": "a day", "prompt": "a ", "response": "fine day"}\n')
    return path


def test_a_law_is_consistent(capsys, study_file):
    sequences = study_file.parent / "sequences.txt"
    sequences.write_text("ACGTAC\nGGA\n")
    for asked in (["--orders", 4], ["--swaps", 4]):
        status, out, _ = run(capsys, study_file, sequences, "--context", 1, *asked)
        assert status == 0
        assert "no problems found in 2 sequences" in out


def test_a_network_is_inconsistent(capsys, text):
    status, out, err = run(capsys, "austen", text, "--orders", 4)
    assert (status, err) == (0, "")
    assert "the conditionals of 1 of 1 sequences do not come from one joint distribution" in out
    found = json.loads(run(capsys, "austen", text, "--orders", 4, "--json")[1])
    assert found["attributes"]["mean_order_gap_ci"][1] is None  # 4 orders are too few for an upper limit
    (row,) = found["sequences"]
    assert 0 < row["gap lower"] < row["gap"]
    assert row["one law"] == "disproved"
    (row,) = json.loads(run(capsys, "austen", text, "--swaps", 4, "--tolerance", 0.99, "--json")[1])["sequences"]
    assert row["one law"] == "not disproved"


def test_bad_input_is_one_sentence(capsys, text):
    for asked, words in (
        (["--context", 2], "--context is for laws"),
        (["--orders", 2], "orders must be an integer of at least 3"),
    ):
        status, _, err = run(capsys, "austen", text, *asked)
        assert status == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
