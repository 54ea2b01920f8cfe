"""What is no study, or only a part of one, is refused in one sentence by reports and diagnoses."""

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)


@pytest.fixture(scope="module")
def result():
    return ids.estimate_nll(LAW, LAW.sample(3, length=6, seed=1), passes=4, replicates=4)


def refusal(call, *arguments):
    with pytest.raises(ids.InputError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("wrong", [5, None, "study.nc", np.zeros(3), {"a": 1}, xr.DataTree(), xr.Dataset()])
def test_what_is_no_study_is_refused(wrong, tmp_path):
    assert "what run_study returned or read_store read" in refusal(ids.write_report, wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "a diagnosis" in refusal(ids.diagnose, wrong)


def test_parts_of_a_study_are_refused(study, tmp_path):
    for part, sentence in {
        "draws": "this tree has no group 'summary'",
        "summary": "this tree has no group 'summary'",
    }.items():
        assert sentence in refusal(ids.write_report, study[part], tmp_path)
        assert sentence in refusal(ids.diagnose, study[part])
    selected = study.isel(estimator=0)
    assert "the report failed (" in refusal(ids.write_report, selected, tmp_path)
    assert "needs a whole study, as run_study returned" in refusal(ids.diagnose, selected)
    other = study.copy()
    other.attrs["kind"] = "comparson"
    assert "there is no kind of study 'comparson'; did you mean 'comparison'?" in refusal(
        ids.write_report, other, tmp_path
    )


@pytest.mark.parametrize("folder", [5, None, b"out"])
def test_a_folder_is_a_path(study, folder):
    assert refusal(ids.write_report, study, folder).startswith("folder must be the path of a folder, got ")


def test_parts_of_a_result_are_refused(result):
    assert ids.diagnose(result.isel(sequence=0)).verdicts
    assert "with at least one sequence" in refusal(ids.diagnose, result.isel(sequence=slice(0, 0)))
    assert ids.diagnose(result.isel(sequence=[0])).verdicts
