"""The ledger: a completed block is there in full, or not at all."""

import io
import json
import os

import numpy as np
import pytest

from infodis_stats.execution import Columns, Ledger, progress_of
from infodis_stats.execution.blocks import blocks_of
from infodis_stats.io import files
from infodis_stats.io.files import StoreError, write_with_checksum
from tests.support.sections import section


@pytest.fixture
def ledger(tmp_path):
    (tmp_path / "ledger").mkdir()
    return Ledger(tmp_path / "ledger")


BLOCKS = blocks_of(section(), "cpu")
BLOCK = BLOCKS[0]
FOUND = BLOCK.compute(batch_size=None, device="cpu")


def test_a_block_round_trips(ledger):
    assert ledger.read(BLOCK) is None
    assert not ledger.has(BLOCK)
    ledger.write(BLOCK, FOUND)
    found = ledger.read(BLOCK)
    np.testing.assert_array_equal(found.records, FOUND.records)
    assert found.problems.tolist() == [""] * len(BLOCK)
    assert ledger.has(BLOCK)
    assert ledger.count() == 1
    assert [path.name for path in ledger.folder.iterdir()] == [f"{BLOCK.key}.npy"]


def test_problems_round_trip(ledger):
    problems = np.array(["", "position 3: NaN é", "", "", ""])
    ledger.write(BLOCK, Columns(FOUND.records, problems))
    assert ledger.read(BLOCK).problems.tolist() == problems.tolist()


def test_a_damaged_block_counts_as_missing(ledger):
    ledger.write(BLOCK, FOUND)
    path = ledger.path(BLOCK)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        assert ledger.read(BLOCK) is None
        path.write_bytes(data[:place])
        assert ledger.read(BLOCK) is None
    path.write_bytes(data)
    assert ledger.read(BLOCK) is not None


def stored(*arrays, **options):
    file = io.BytesIO()
    for one in arrays:
        np.save(file, one, **options)
    return file.getvalue()


def claiming(cells):
    """Return a header that claims this many records, without any data."""
    file = io.BytesIO()
    header = {"descr": np.lib.format.dtype_to_descr(FOUND.records.dtype), "fortran_order": False, "shape": (cells,)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


WRONG = {
    "nothing": b"",
    "no numpy file": b"hello" * 100,
    "other cells": stored(FOUND.records[:-1], FOUND.problems[:-1]),
    "another dtype": stored(np.zeros(len(BLOCK)), FOUND.problems),
    "no problems": stored(FOUND.records),
    "problems of another kind": stored(FOUND.records, np.zeros(len(BLOCK))),
    "objects": stored(np.array([{}] * len(BLOCK), dtype=object), FOUND.problems, allow_pickle=True),
    "too many cells for any memory": claiming(2**50),
    "cells that are not there": claiming(len(BLOCK)),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_file_with_a_valid_checksum_but_other_content_counts_as_missing(ledger, data):
    write_with_checksum(ledger.path(BLOCK), data)
    assert ledger.read(BLOCK) is None


def test_a_folder_with_its_name_is_not_a_block(ledger):
    ledger.path(BLOCK).mkdir()
    assert ledger.read(BLOCK) is None
    assert not ledger.has(BLOCK)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failed_write_leaves_no_file(ledger, monkeypatch, call):
    def full(*_, **__):
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(files.os if call == "fsync" else files.Path, call, full)
        with pytest.raises(StoreError, match="No space left on device; completed blocks are kept"):
            ledger.write(BLOCK, FOUND)
    assert list(ledger.folder.iterdir()) == []
    ledger.write(BLOCK, FOUND)
    assert ledger.read(BLOCK) is not None


def test_one_run_at_a_time(ledger):
    left = ledger.folder / f".{BLOCK.key}.npy.abcdefgh.partial"
    others = ledger.folder / ".mine.txt"
    left.touch()
    others.touch()
    with ledger.locked():
        assert not left.exists()  # left by a write that was killed
        assert others.exists()
        with pytest.raises(StoreError, match="another run is using"), ledger.locked():
            pass
    with ledger.locked():
        pass


class TestProgress:
    def test_it_counts_blocks_completed_before_and_in_this_run(self, ledger):
        ledger.write(BLOCKS[0], FOUND)
        ledger.write_manifest([BLOCKS], title="T", study="s.toml", workers=1, host="h")
        found = progress_of(ledger.folder)
        passes = sum(block.passes for block in BLOCKS)
        assert found.sections == {"draws": (1, len(BLOCKS), BLOCKS[0].passes, passes)}
        assert found.totals == (1, len(BLOCKS), BLOCKS[0].passes, passes)
        assert not found.running
        assert np.isnan(found.seconds_left)
        with ledger.locked():
            assert progress_of(ledger.folder).running
            assert np.isnan(progress_of(ledger.folder).seconds_left)  # nothing has been completed in this run
            ledger.write(BLOCKS[1], BLOCKS[1].compute(batch_size=None, device="cpu"))
            found = progress_of(ledger.folder)
            assert found.totals[0] == 2
            assert found.seconds_left == pytest.approx((passes - found.totals[2]) / found.passes_per_second)

    def test_an_unstarted_study_is_reported(self, tmp_path):
        with pytest.raises(StoreError, match="no study has been started in"):
            progress_of(tmp_path / "ledger")

    @pytest.mark.parametrize("change", [{"blocks": 3}, {"since": "x"}, {"done": []}, {"blocks": [["a", "../b", 1]]}])
    def test_a_damaged_manifest_is_reported(self, ledger, change):
        ledger.write_manifest([BLOCKS], title="T", study="s.toml", workers=1, host="h")
        path = ledger.folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(StoreError, match="is damaged; running the study again rewrites it"):
            progress_of(ledger.folder)
        path.write_text(path.read_text()[:-9])
        with pytest.raises(StoreError, match="is damaged"):
            progress_of(ledger.folder)
