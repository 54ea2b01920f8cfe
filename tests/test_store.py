"""Stored studies: round trips, all or nothing, and files that are not ours."""

import pytest
import xarray as xr

import infodis_stats as ids


def test_a_study_round_trips(study, tmp_path):
    ids.write_store(study, tmp_path / "study.nc")
    for path in (tmp_path, tmp_path / "study.nc"):
        again = ids.read_store(path)
        xr.testing.assert_identical(again, study)
    assert [path.name for path in tmp_path.iterdir()] == ["study.nc"]


def test_an_old_file_is_replaced_whole_or_stays(study, tmp_path, monkeypatch):
    path = tmp_path / "study.nc"
    path.write_text("old")

    def fail(self, target, **_):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.DataTree, "to_netcdf", fail)
    with pytest.raises(ids.StoreError, match="cannot be written: No space left"):
        ids.write_store(study, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["study.nc"]


def test_files_that_are_not_ours_are_refused(study, tmp_path):
    path = tmp_path / "study.nc"
    with pytest.raises(ids.StoreError, match="there is no study"):
        ids.read_store(tmp_path)
    ids.write_store(study, path)
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(ids.StoreError, match="damaged, truncated or another kind"):
            ids.read_store(path)
    path.write_text("not a study")
    with pytest.raises(ids.StoreError, match="another kind"):
        ids.read_store(path)
    xr.Dataset({"x": ("y", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(ids.StoreError, match="not a study of this version"):
        ids.read_store(tmp_path / "other.nc")


def test_a_folder_that_cannot_be_written_is_refused(study, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ids.StoreError, match="cannot be written"):
        ids.write_report(study, blocked / "out")
