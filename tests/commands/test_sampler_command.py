"""The command that computes likelihoods of decoders."""

import json

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.cli import main


def run(capsys, *arguments):
    status = main(["sampler", *(str(argument) for argument in arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.jsonl"
    path.write_text('{"id": "a day", "prompt": "a ", "response": "fine day"}\n{"id": "b", "response": "walk"}\n')
    return path


def test_the_table_and_json_have_the_numbers_of_the_function(capsys, text, tmp_path):
    asked = ("--rule", "entropy", "--tokens-per-step", 2, "--block", 4)
    status, out, err = run(capsys, "austen", text, *asked, "--out", tmp_path / "result.nc")
    assert (status, err) == (0, "")
    assert "exact likelihoods of sampler(entropy, tokens_per_step=2, block=4)" in out
    found = json.loads(run(capsys, "austen", text, *asked, "--json")[1])
    model = ids.load_model("austen")
    given = [np.arange(10) < 2, np.zeros(4, dtype=bool)]
    rows = [model.encode("a fine day"), model.encode("walk")]
    expected = ids.sampler_nll(model, rows, "entropy", tokens_per_step=2, block=4, context=given)
    assert [row["NLL"] for row in found["sequences"]] == pytest.approx(expected["nll"].values.tolist(), abs=1e-5)
    assert [row["passes run"] for row in found["sequences"]] == [4, 2]
    assert found["attributes"]["estimand"] == "sampler(entropy, tokens_per_step=2, block=4)"
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as stored:
        np.testing.assert_allclose(stored["nll"], expected["nll"], atol=1e-5)
    assert run(capsys, "austen", text, "--out", tmp_path / "result.csv")[0] == 0
    assert (tmp_path / "result.csv").read_text().startswith('"sequence","tokens","NLL","bits per token"')


def test_a_law_from_left_to_right(capsys, study_file):
    sequences = study_file.parent / "sequences.txt"
    sequences.write_text("ACGTAC\nGGA\n")
    for rule in ("left-to-right", "confidence"):
        status, out, _ = run(capsys, study_file, sequences, "--rule", rule, "--context", 1)
        assert status == 0
        assert "over 7 tokens" in out


def test_bad_input_is_one_sentence(capsys, text):
    for model, asked, words in (
        ("austen", ["--context", 2], "--context is for laws"),
        ("austen", ["--tokens-per-step", 0], "--tokens-per-step must be a positive integer, got 0"),
        ("austen-block4", ["--block", 3], "--block must be that of the model, 4, or be left out, got 3"),
        ("austen-uniform", [], "this command needs a model that prices masked tokens"),
        ("austen", ["--out", "result.txt"], "--out must be a .csv or .nc file"),
    ):
        status, _, err = run(capsys, model, text, *asked)
        assert status == 2
        assert words in err
        assert len(err.strip().splitlines()) == 1
