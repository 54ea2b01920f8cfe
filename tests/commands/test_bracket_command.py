"""The command `bracket`."""

import json

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.cli import main


def run(capsys, *arguments):
    status = main(["bracket", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.jsonl"
    rows = [{"id": "one", "prompt": "It is a ", "response": "truth"}, {"id": "two", "response": "In want of"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_contract_prints_both_values_and_the_averages(capsys, texts):
    status, out, _ = run(capsys, "austen", texts)
    assert status == 0
    assert "any-order nll" in out
    assert "order-marginal, upper bound" in out
    assert " all " in out


def test_contract_json_and_files_have_what_python_has(capsys, texts, tmp_path):
    out = tmp_path / "result.nc"
    status, printed, _ = run(capsys, "austen", texts, "--orders", 16, "--json", "--out", out)
    assert status == 0
    found = json.loads(printed)
    model = ids.load_model("austen")
    tokens = [model.encode("It is a truth"), model.encode("In want of")]
    given = [np.arange(13) < 8, np.zeros(10, dtype=bool)]
    expected = ids.bracket_nll(model, tokens, orders=16, context=given, names=["one", "two"])
    assert [row["bracket from"] for row in found["sequences"]] == pytest.approx(expected["bracket"].values[:, 0])
    assert found["attributes"]["estimand"] == "order-marginal"
    with xr.open_dataset(out, engine="h5netcdf") as stored:
        np.testing.assert_allclose(stored["bracket"], expected["bracket"])


def test_contract_a_wrong_number_of_orders_names_the_option(capsys, texts):
    status, _, error = run(capsys, "austen", texts, "--orders", 2)
    assert status == 2
    assert "--orders" in error
