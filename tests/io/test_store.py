"""Stored studies: round trips, atomic writes, and files from elsewhere."""

import shutil

import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.io import store
from infodis_stats.io.files import intact
from infodis_stats.studies import rewrite_report
from tests.support.hostility import peak_of


@pytest.fixture(scope="session")
def study(frontier_study):
    """The small study whose report is fastest."""
    return frontier_study


@pytest.fixture(scope="module")
def large(study):
    """The small study with an additional array of 32 MB."""
    tree = study.copy()
    tree["extra"] = xr.DataTree(xr.Dataset({"x": (("row", "column"), np.random.default_rng(0).random((4, 2**20)))}))
    return tree


def test_a_study_round_trips(study, tmp_path):
    ids.write_store(study, tmp_path / "study.nc")
    for path in (tmp_path, tmp_path / "study.nc"):
        again = ids.read_store(path)
        xr.testing.assert_identical(again, study)
    assert [path.name for path in tmp_path.iterdir()] == ["study.nc"]


def test_an_old_file_is_replaced_atomically(study, tmp_path, monkeypatch):
    path = tmp_path / "study.nc"
    path.write_text("old")

    def fail(where, data):
        where.write_bytes(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "write_with_checksum", fail)
    with pytest.raises(ids.StoreError, match="cannot be written: No space left"):
        ids.write_store(study, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["study.nc"]


def test_other_files_are_rejected(study, tmp_path):
    path = tmp_path / "study.nc"
    with pytest.raises(ids.StoreError, match="there is no study"):
        ids.read_store(tmp_path)
    ids.write_store(study, path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ids.StoreError, match="damaged, truncated or of another format"):
            ids.read_store(path)
    path.write_text("not a study")
    with pytest.raises(ids.StoreError, match="of another format"):
        ids.read_store(path)
    xr.Dataset({"x": ("y", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ids.StoreError, match="not a study of this version"):
        ids.read_store(tmp_path / "other.nc")


def test_a_folder_that_cannot_be_written_is_reported(study, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ids.StoreError, match="cannot be written"):
        ids.write_report(study, blocked / "out")


def test_large_arrays_stay_on_disk(large, tmp_path, monkeypatch):
    ids.write_store(large, tmp_path / "study.nc")
    monkeypatch.setattr(store, "CHUNK_BYTES", 2**20)
    with peak_of(2**23):
        tree = ids.read_store(tmp_path)
        part = tree["extra"]["x"][2, 5:9].values
    np.testing.assert_array_equal(part, large["extra"]["x"][2, 5:9])
    with pytest.raises(pytest.fail.Exception, match="were allocated"), peak_of(2**23):
        tree.load()
    xr.testing.assert_identical(tree, large)


def test_an_open_study_survives_the_replacement_of_its_file(large, study, tmp_path):
    ids.write_store(large, tmp_path / "study.nc")
    with ids.read_store(tmp_path) as tree:
        ids.write_store(study, tmp_path / "study.nc")
        np.testing.assert_array_equal(tree["extra"]["x"], large["extra"]["x"])
    assert "extra" not in ids.read_store(tmp_path).children


def test_a_report_can_overwrite_the_study_that_it_reads(large, tmp_path):
    ids.write_store(large, tmp_path / "study.nc")
    with ids.read_store(tmp_path) as tree:
        ids.write_report(tree, tmp_path)
    xr.testing.assert_identical(ids.read_store(tmp_path), large)


@pytest.mark.slow
def test_rewriting_a_report_leaves_the_study_unchanged(study, tmp_path):
    first, other = tmp_path / "first", tmp_path / "other"
    ids.write_report(study, first)
    stored, page = ((first / name).read_bytes() for name in ("study.nc", "report.html"))
    for folder in (first, other):
        assert rewrite_report(first, folder) == folder / "report.html"
        assert (folder / "study.nc").read_bytes() == stored
        assert (folder / "report.html").read_bytes() == page
    (first / "study.nc").write_bytes(stored[:-1])
    with pytest.raises(ids.StoreError, match="damaged, truncated"):
        rewrite_report(first, other)
    assert (other / "study.nc").read_bytes() == stored


def test_a_copy_is_identical_and_atomic(study, tmp_path, monkeypatch):
    store.write_store(study, tmp_path / "study.nc")
    copy = tmp_path / "copy.nc"
    store.copy_store(tmp_path, copy)
    assert intact(copy)
    xr.testing.assert_identical(ids.read_store(copy), study)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", fail)
    with pytest.raises(ids.StoreError, match=r"copy\.nc cannot be written: No space left"):
        store.copy_store(tmp_path, copy)
    assert intact(copy)
    with pytest.raises(ids.StoreError, match="there is no study at"):
        store.copy_store(tmp_path / "absent", copy)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["copy.nc", "study.nc"]
