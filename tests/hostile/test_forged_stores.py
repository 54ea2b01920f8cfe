"""Hostile stores: a study is read as written or rejected, and files are only written in its folder."""

import random

import h5py
import numpy as np
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.io import store
from infodis_stats.io.files import CHECKSUM_MARK, write_with_checksum
from infodis_stats.io.store import SCHEMA
from tests.support.hostility import peak_of


@pytest.fixture(scope="session")
def study(frontier_study):
    """The small study whose report is fastest."""
    return frontier_study


@pytest.fixture
def stored(study, tmp_path):
    ids.write_store(study, tmp_path / "study.nc")
    return tmp_path / "study.nc"


def assert_refused(path, sentence="damaged, truncated or of another format"):
    with pytest.raises(ids.StoreError, match=sentence) as refused:
        ids.read_store(path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_flipped_bit_anywhere_is_detected(stored):
    whole = stored.read_bytes()
    rng = random.Random(0)
    for _ in range(1000):
        data = bytearray(whole)
        data[rng.randrange(len(data) - 53)] ^= 1 << rng.randrange(8)  # the last 53 bytes are the checksum
        stored.write_bytes(data)
        assert_refused(stored)


def test_control_without_the_checksum_a_changed_byte_is_not_detected(stored):
    whole = stored.read_bytes()[:-53]
    place = whole.index(b"time-free", whole.index(b"uniform-count"))
    stored.write_bytes(whole[:place] + b"tame-free" + whole[place + 9 :])
    ids.read_store(stored)


def test_a_changed_checksum_is_detected_or_harmless(stored, study):
    whole = stored.read_bytes()
    for place in range(1, 54):
        data = bytearray(whole)
        data[-place] ^= 4
        stored.write_bytes(data)
        if place <= 32:
            assert_refused(stored)
    xr.testing.assert_identical(ids.read_store(stored), study)  # the last change is in the first byte of the marker


def test_a_truncated_study_is_detected_or_complete(stored, study):
    whole = stored.read_bytes()
    for size in (*range(0, 600, 37), *range(600, len(whole) - 53, 997), len(whole) - 54):
        stored.write_bytes(whole[:size])
        assert_refused(stored)
    for size in (len(whole) - 1, len(whole) - 32):
        stored.write_bytes(whole[:size])
        assert_refused(stored)
    for size in (len(whole) - 53, len(whole) - 33):
        stored.write_bytes(whole[:size])
        xr.testing.assert_identical(ids.read_store(stored), study)


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 4096, b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096, b"CDF\x01"]
)
def test_other_files_are_rejected(tmp_path, data):
    (tmp_path / "study.nc").write_bytes(data)
    assert_refused(tmp_path)


def test_other_hdf5_files_are_rejected(tmp_path):
    path = tmp_path / "study.nc"
    with h5py.File(path, "w"):
        pass
    assert_refused(path, "not a study of this version")
    for number, schema in enumerate((SCHEMA, 3, np.arange(3), SCHEMA.encode(), [SCHEMA, SCHEMA])):
        path = tmp_path / f"{number}.nc"
        with h5py.File(path, "w") as file:
            file.attrs["schema"] = schema
            file["x"] = np.arange(3)
        assert_refused(path, "not a")
    path = tmp_path / "no_group.nc"
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = SCHEMA
        file.create_group("summary")
        file["provenance"] = 1.0
    assert_refused(path, "not a")


def test_a_small_file_that_claims_to_be_large_is_rejected(tmp_path):
    path = tmp_path / "study.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape=(10**9, 1000), dtype="f8", chunks=(1000, 1000))
    assert path.stat().st_size < 10**4
    with peak_of(2**24):
        assert_refused(path, "its arrays claim more than 4294967296 bytes")


def test_arrays_above_the_limit_must_be_stored_in_full(stored, study, monkeypatch):
    """Above the limit, arrays must be uncompressed, as those of our own files are."""
    monkeypatch.setattr(store, "MOST_BYTES", 2**10)
    assert sum(one.nbytes for one in study.subtree) > 2**10
    xr.testing.assert_identical(ids.read_store(stored), study)
    with h5py.File(stored, "a") as file:
        file.create_dataset("zeros", data=np.zeros(2**20), chunks=(2**20,), compression="gzip")
    stored.write_bytes(stored.read_bytes().replace(CHECKSUM_MARK, b"\0" * len(CHECKSUM_MARK)))
    assert_refused(stored, "more than 1024 bytes and more than the size of the file")


@pytest.mark.parametrize("wrong", ["chunk", "scale"])
def test_a_large_array_that_cannot_be_decoded_is_detected_on_opening(tmp_path, study, wrong):
    """A valid checksum is no protection, as anyone can compute one."""
    path, tree = tmp_path / "study.nc", study.copy()
    tree["extra"] = xr.DataTree(xr.Dataset({"x": ("row", np.arange(2.0**18))}))
    tree.to_netcdf(path, engine="h5netcdf", encoding={"/extra": {"x": {"zlib": True, "chunksizes": (2**15,)}}})
    whole = path.read_bytes()
    write_with_checksum(path, path.read_bytes())
    with ids.read_store(path) as tree:
        assert float(tree["extra"]["x"][-1]) == 2**18 - 1
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        if wrong == "scale":
            file["extra/x"].attrs["scale_factor"] = "large"
        else:
            file["extra/x"].id.write_direct_chunk((2**16,), b"not compressed")
    write_with_checksum(path, path.read_bytes())
    assert_refused(path)


def test_arrays_in_other_files_are_not_read(tmp_path):
    (tmp_path / "secret").write_bytes(b"12345678")
    with h5py.File(tmp_path / "study.nc", "w") as file:
        file.create_dataset("x", (1,), "f8", external=[(str(tmp_path / "secret"), 0, 8)])
    assert_refused(tmp_path, "it refers to other files")


@pytest.mark.parametrize("name", ["a" * 5000, "a\0b", "absent", "/dev/null", "/dev/zero"])
def test_names_that_are_not_studies_are_rejected(name):
    assert_refused(name, "there is no study at")


def test_a_folder_in_place_of_a_study_is_rejected(tmp_path, study):
    (tmp_path / "study.nc").mkdir()
    assert_refused(tmp_path, "there is no study")
    with pytest.raises(ids.StoreError, match="cannot be written: Is a directory"):
        ids.write_store(study, tmp_path / "study.nc")


def test_a_link_is_replaced_and_its_target_kept(tmp_path, study):
    other = tmp_path / "other"
    other.write_text("not ours")
    out = tmp_path / "out"
    out.mkdir()
    for name in ("study.nc", "report.html", "report.md"):
        (out / name).symlink_to(other)
    ids.write_report(study, out)
    assert other.read_text() == "not ours"
    assert not any((out / name).is_symlink() for name in ("study.nc", "report.html", "report.md"))


@pytest.mark.parametrize("name", ["figures", "tables"])
def test_nothing_is_written_through_a_link_out_of_the_folder(tmp_path, study, name):
    (tmp_path / "other").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).symlink_to(tmp_path / "other")
    with pytest.raises(ids.StoreError, match=f"{name} is a link that leads out of the folder"):
        ids.write_report(study, tmp_path / "out")
    assert not list((tmp_path / "other").iterdir())


def test_a_folder_in_place_of_a_page_is_rejected(tmp_path, study):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(ids.StoreError, match=r"report\.html cannot be written: Is a directory"):
        ids.write_report(study, tmp_path)
