"""Runs: whatever interrupts or changes them, the numbers are those of an undisturbed run."""

import contextlib
import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import infodis_stats as ids
from infodis_stats.cli import main
from infodis_stats.execution import Ledger, WorkError, blocks, executors
from infodis_stats.execution import ledger as ledger_module
from infodis_stats.execution.blocks import Block
from infodis_stats.io.files import StoreError
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.results import provenance
from tests.support.robustness import COMMAND, ROOT, SMALL_STUDY, blocks_in, contents, forge, full_disk

run = import_module("infodis_stats.execution.run")  # the package also has a function of this name

HEAD = """\
kind = "calibration"
title = "Two stages"
seed = 3
passes = [4, 8]
replicates = [1, 4]
draws = 10
truth_passes = 64
estimators = ["uniform-count", "uniform-count+stratified"]
intervals = ["student-t"]
levels = [0.8]
[[subjects]]
name = "one"
"""
ON_A_LAW = 'law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }\n'
ON_A_NETWORK = 'model = { name = "tiny.safetensors" }\n'
DRAWN = 'targets = [{ name = "8", count = 3, length = 8, seed = 1 }]\n'
RECORDS = 'targets = [{ name = "texts", records = "texts.jsonl" }]\n'
STUDY = HEAD + ON_A_LAW + DRAWN
NETWORK = HEAD + ON_A_NETWORK + RECORDS


def write_network(path, seed):
    torch.manual_seed(seed)
    network = Denoiser(DenoiserConfig("GATC ", length=16, layers=1, width=8, heads=2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    network.save(path)


@pytest.fixture
def study(tmp_path):
    """Write a study file, with the files that it may refer to."""

    def write(text=STUDY):
        write_network(tmp_path / "tiny.safetensors", seed=3)
        texts = [{"id": str(number), "response": text} for number, text in enumerate(["GATTACA GATTA", "CAT", "TAG"])]
        (tmp_path / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def computed(monkeypatch):
    """The keys of the blocks that this process computes."""
    keys, compute = [], Block.compute

    def counted(self, **options):
        keys.append(self.key)
        return compute(self, **options)

    monkeypatch.setattr(Block, "compute", counted)
    return keys


@pytest.fixture
def quick_workers(monkeypatch):
    """Fork workers from a process that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["infodis_stats.studies"])
    monkeypatch.setattr(executors.multiprocessing, "get_context", lambda _: context)


def stored(tree, tmp_path):
    ids.write_store(tree, tmp_path / "stored.nc")
    return (tmp_path / "stored.nc").read_bytes()


def finished(path, tmp_path, **options):
    return stored(ids.run_study(path, **options), tmp_path)


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The ledger and the bytes of a finished study, cached by the text of the study file."""
    known = {}

    def of(path):
        text = path.read_text()
        if text not in known:
            folder = tmp_path_factory.mktemp("used")
            known[text] = folder / "ledger", finished(path, folder, ledger=folder / "ledger")
        return known[text]

    return of


TEXTS = pytest.mark.parametrize("text", [STUDY, NETWORK], ids=["law", "network"])


@TEXTS
def test_a_run_that_fails_after_every_block_ends_with_the_same_bytes(study, tmp_path, monkeypatch, computed, text):
    path = study(text)
    whole = finished(path, tmp_path)
    order, write = [*computed], Ledger.write
    computed.clear()

    def write_and_fail(self, block, columns):
        write(self, block, columns)
        raise RuntimeError("the end")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", write_and_fail)
        for _ in order:
            with pytest.raises(RuntimeError, match="the end"):
                ids.run_study(path, ledger=tmp_path / "ledger")
    assert finished(path, tmp_path, ledger=tmp_path / "ledger") == whole
    assert computed == order  # no block is computed twice


def test_blocks_of_few_cells_give_the_same_bytes(study, tmp_path, monkeypatch, computed):
    path = study()
    whole = finished(path, tmp_path)
    count = len(computed)
    monkeypatch.setattr(blocks, "LAW_PASSES", 1)
    assert finished(path, tmp_path) == whole
    assert len(computed) > 2 * count


@TEXTS
def test_two_workers_give_the_same_bytes(study, tmp_path, quick_workers, computed, text):
    path = study(text)
    assert finished(path, tmp_path, ledger=tmp_path / "ledger", workers=2) == finished(path, tmp_path)
    assert len(computed) == len(list((tmp_path / "ledger").glob("*.npy")))  # only by the second run


@pytest.mark.slow
def test_two_workers_resume_the_run_of_one(study, tmp_path, quick_workers, monkeypatch, computed):
    path = study()
    whole = finished(path, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write_manifest", _after(Ledger.write_manifest, 2, KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ids.run_study(path, ledger=tmp_path / "ledger")  # interrupted between the stages
    assert finished(path, tmp_path, ledger=tmp_path / "ledger", workers=2) == whole


def _after(call, count, error):
    """Return a function that raises the error on its ``count``-th call."""
    calls = []

    def counted(*arguments, **options):
        calls.append(None)
        if len(calls) == count:
            raise error
        return call(*arguments, **options)

    return counted


def test_a_forged_block_is_accepted_but_changes_the_bytes(study, tmp_path):
    path = study()
    whole = finished(path, tmp_path, ledger=tmp_path / "ledger")
    manifest = json.loads((tmp_path / "ledger" / "manifest.json").read_text())
    (key, *_) = [key for name, key, _ in manifest["blocks"] if name.startswith("draws")]
    forge(tmp_path / "ledger" / f"{key}.npy")
    assert finished(path, tmp_path, ledger=tmp_path / "ledger") != whole


def test_only_damaged_blocks_are_recomputed(study, tmp_path, computed):
    path = study()
    whole = finished(path, tmp_path, ledger=tmp_path / "ledger")
    kept = {file: file.read_bytes() for file in sorted((tmp_path / "ledger").glob("*.npy"))}
    flipped, cut, empty, gone, *_ = kept
    flipped.write_bytes(bytes([*kept[flipped][:-60], kept[flipped][-60] ^ 1, *kept[flipped][-59:]]))
    cut.write_bytes(kept[cut][:-1])
    empty.write_bytes(b"")
    gone.unlink()
    computed.clear()
    assert finished(path, tmp_path, ledger=tmp_path / "ledger") == whole
    assert sorted(computed) == [file.stem for file in (flipped, cut, empty, gone)]
    assert {file: file.read_bytes() for file in kept} == kept


def test_a_disk_that_damages_every_write_ends_the_run(study, tmp_path, monkeypatch):
    write = Ledger.write

    def damaged(self, block, columns):
        write(self, block, columns)
        self.path(block).write_bytes(b"")

    monkeypatch.setattr(Ledger, "write", damaged)
    with pytest.raises(StoreError, match="was written 3 times and was damaged each time"):
        ids.run_study(study(), ledger=tmp_path / "ledger")


CHANGES = {  # the change, and the share of blocks that it invalidates (None: some)
    "title": (STUDY, 'title = "Two stages"', 'title = "Others"', 0),
    "added estimator": (STUDY, '["uniform-count",', '["time-free", "uniform-count",', None),
    "added budget": (STUDY, "passes = [4, 8]\nr", "passes = [4, 8, 12]\nr", None),
    "seed": (STUDY, "seed = 3", "seed = 4", None),
    "law": (STUDY, "seed = 5 }", "seed = 6 }", 1),
    "sequences": (STUDY, "length = 8, seed = 1", "length = 8, seed = 2", 1),
    "draws": (STUDY, "draws = 10", "draws = 11", None),
    "level": (STUDY, "levels = [0.8]", "levels = [0.9]", None),
    "interval": (STUDY, '["student-t"]', '["design"]', None),
    "replicates": (STUDY, "replicates = [1, 4]", "replicates = [1, 5]", None),
    "long run": (NETWORK, "truth_passes = 64", "truth_passes = 128", None),
    "rank": (SMALL_STUDY, 'rivals = ["time-free"]', 'rivals = ["chain"]', 0),
    "reference": (SMALL_STUDY, 'name = "5", count', 'name = "6", count', 0),
    "context": (SMALL_STUDY, "length = 5, seed", "length = 5, context = 1, seed", 1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_study_in_the_same_ledger_matches_a_fresh_run(study, tmp_path, computed, used, change):
    text, old, new, share = change
    assert text.count(old) == 1
    ledger, before = used(study(text))
    shutil.copytree(ledger, tmp_path / "ledger")
    path = study(text.replace(old, new))
    computed.clear()
    fresh = finished(path, tmp_path)
    every = set(computed)
    computed.clear()
    assert finished(path, tmp_path, ledger=tmp_path / "ledger") == fresh != before
    if share is None:
        assert 0 < len(computed) < len(every)
    else:
        assert len(computed) == share * len(every)


@pytest.mark.parametrize("name", ["tiny.safetensors", "texts.jsonl"])
def test_changed_input_files_are_detected(study, tmp_path, computed, name):
    path = study(NETWORK)
    before = finished(path, tmp_path, ledger=tmp_path / "ledger")
    if name == "texts.jsonl":
        (tmp_path / name).write_text((tmp_path / name).read_text().replace("CAT", "TAC"))
    else:
        write_network(tmp_path / name, seed=4)
    computed.clear()
    found = finished(path, tmp_path, ledger=tmp_path / "ledger")
    assert computed
    assert found == finished(path, tmp_path) != before
    study(NETWORK)  # the original again
    computed.clear()
    assert finished(path, tmp_path, ledger=tmp_path / "ledger") == before
    assert computed == []


@pytest.mark.parametrize("what", ["code", "versions"])
def test_different_code_or_packages_start_afresh(study, tmp_path, monkeypatch, computed, what):
    path = study()
    finished(path, tmp_path, ledger=tmp_path / "ledger")
    count = len(computed)
    if what == "code":
        monkeypatch.setattr(blocks, "code_digest", lambda _: "other")
    else:
        monkeypatch.setattr(blocks, "versions", lambda: provenance.versions() | {"torch": "0"})
    finished(path, tmp_path, ledger=tmp_path / "ledger")
    assert len(computed) == 2 * count


class TestWorkers:
    @pytest.mark.slow
    def test_killed_workers_are_replaced(self, study, tmp_path, quick_workers, monkeypatch):
        path = study()
        whole = finished(path, tmp_path)
        killed, wait_for = [], Ledger.wait_for

        def wait_for_and_kill(self, block):  # called after each block
            if len(killed) < 3 and self.count() > len(killed):
                alive = [one.pid for one in multiprocessing.active_children() if one.pid not in killed]
                killed.append(alive[0])
                os.kill(killed[-1], signal.SIGKILL)
            return wait_for(self, block)

        monkeypatch.setattr(Ledger, "wait_for", wait_for_and_kill)
        assert finished(path, tmp_path, ledger=tmp_path / "ledger", workers=2) == whole
        assert len(set(killed)) == 3

    def test_repeated_deaths_are_reported(self, study, tmp_path, quick_workers, monkeypatch):
        monkeypatch.setattr(executors, "_initialise_worker", partial(os._exit, 1))
        with pytest.raises(WorkError, match="workers died 3 times in a row") as refused:
            ids.run_study(study(), ledger=tmp_path / "ledger", workers=2)
        assert len(str(refused.value).splitlines()) == 1
        assert_no_children()

    def test_workers_with_different_code_are_rejected(self, study, tmp_path, quick_workers, monkeypatch):
        monkeypatch.setattr(blocks, "code_digest", lambda _: "other")  # only in this process
        with pytest.raises(
            WorkError, match=f"a worker on {re.escape(run.socket.gethostname())} would compute different"
        ):
            ids.run_study(study(), ledger=tmp_path / "ledger", workers=2)
        assert_no_children()
        assert list((tmp_path / "ledger").glob("*.npy")) == []

    @pytest.mark.slow
    def test_an_interrupt_ends_the_workers(self, study, tmp_path, quick_workers, monkeypatch):
        path = study()
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "wait_for", _after(Ledger.wait_for, 2, KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                ids.run_study(path, ledger=tmp_path / "ledger", workers=2)
        assert_no_children()
        assert finished(path, tmp_path, ledger=tmp_path / "ledger") == finished(path, tmp_path)

    @pytest.mark.slow
    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads parent processes from /proc")
    def test_workers_end_if_their_parent_is_killed(self, study, tmp_path):
        path = study(STUDY.replace("draws = 10", "draws = 20000"))
        out = tmp_path / "out"
        arguments = [sys.executable, "-c", COMMAND, "study", path, "--out", out, "--workers", "2"]
        parent = subprocess.Popen(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)
        try:
            assert soon(lambda: blocks_in(out))
            workers = in_session(parent.pid) - {parent.pid}
            assert len(workers) >= 2
            parent.kill()
            parent.wait()
            assert soon(lambda: not in_session(parent.pid))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(parent.pid, signal.SIGKILL)


def assert_no_children():
    assert soon(lambda: not multiprocessing.active_children())


def soon(there):
    """Wait until a condition holds; the limit of minutes allows for a busy machine."""
    end = time.monotonic() + 150
    while time.monotonic() < end and not there():
        time.sleep(0.05)
    return there()


def in_session(leader):
    """Return the processes of a session that have not ended."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.add(int(stat.parent.name))
    return found


def test_a_full_disk_at_any_change_keeps_completed_blocks(study, tmp_path, computed):
    path = study(SMALL_STUDY)
    with full_disk(float("inf")) as changes:
        whole = finished(path, tmp_path, ledger=tmp_path / "undisturbed")
        count = changes()
    assert count > 15
    done = 0
    for at in range(1, count - 6, 3):  # the last changes are those of stored.nc
        with full_disk(at), pytest.raises(StoreError, match="No space left on device") as refused:
            ids.run_study(path, ledger=tmp_path / str(at))
        assert len(str(refused.value).splitlines()) == 1
        left = {file.name for file in (tmp_path / str(at)).glob("*")}
        assert not {name for name in left if name.endswith(".partial")}
        computed.clear()
        assert finished(path, tmp_path, ledger=tmp_path / str(at)) == whole
        kept = sum(name.endswith(".npy") for name in left)
        assert len(computed) + kept == len(list((tmp_path / str(at)).glob("*.npy")))
        done = max(done, kept)
    assert done > 1


class TestStatus:
    def test_it_reports_progress_during_and_after_a_run(self, study, tmp_path, capsys, monkeypatch):
        path, out = study(), tmp_path / "out"
        said = []
        write = Ledger.write

        def write_and_ask(self, block, columns):
            write(self, block, columns)
            said.append(self.status())

        def asked(_):
            assert main(["status", str(out)]) == 0
            return capsys.readouterr().out

        monkeypatch.setattr(Ledger, "status", asked, raising=False)
        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "write", write_and_ask)
            patch.setattr(Ledger, "write_manifest", _after(Ledger.write_manifest, 2, KeyboardInterrupt))
            assert main(["study", str(path), "--out", str(out)]) == 130
        assert all(re.search("run is (active on|writing the summary)", text) for text in said)
        assert re.search(
            r"^1 of \d+ blocks are complete, 1 running; about \d+ seconds remaining\.$", said[0], re.MULTILINE
        )
        assert "Two stages" in said[0]
        capsys.readouterr()
        stopped = asked(None)
        assert "active on" not in stopped
        assert main(["study", str(path), "--out", str(out)]) == 0
        capsys.readouterr()
        assert asked(None).endswith("All blocks are complete.\n")

    def test_it_works_in_a_read_only_folder(self, study, tmp_path, capsys, monkeypatch):
        path, out = study(), tmp_path / "out"
        assert main(["study", str(path), "--out", str(out)]) == 0
        capsys.readouterr()

        def refused(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(FileLock, "acquire", refused)
        assert main(["status", str(out)]) == 0
        assert capsys.readouterr().out.endswith("The folder is read-only, so it is unknown if a run is active.\n")
        assert main(["study", str(path), "--out", str(out)]) == 2
        assert "cannot be locked: Permission denied" in capsys.readouterr().err

    def test_a_folder_without_a_study_is_reported(self, tmp_path, capsys):
        for folder in (tmp_path, tmp_path / "absent", tmp_path / ("a" * 5000), Path("/dev/null"), Path("a\0b")):
            assert main(["status", str(folder)]) == 2
            assert "no study has been started in" in capsys.readouterr().err

    def test_control_characters_are_not_printed(self, tmp_path, capsys):
        (tmp_path / "ledger").mkdir()
        found = {"title": "\x1b[31mred\n", "study": "a\x07", "since": 1.0, "blocks": [["\x1b[0m", "a" * 64, 3]]}
        (tmp_path / "ledger" / "manifest.json").write_text(json.dumps(found | {"done": [False]}))
        assert main(["status", str(tmp_path)]) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert "\x07" not in out
        assert "red" in out

    def test_a_run_waits_while_the_status_holds_the_lock(self, study, tmp_path, monkeypatch):
        monkeypatch.setattr(ledger_module, "LOCK_TIMEOUT", 60)
        path, ledger = study(), tmp_path / "ledger"
        ledger.mkdir()
        lock = Ledger(ledger).locked()
        lock.__enter__()
        release = threading.Timer(0.3, lock.__exit__, (None, None, None))
        release.start()
        ids.run_study(path, ledger=ledger)
        release.join()


def test_partial_files_of_killed_writers_are_removed(study, tmp_path):
    out = tmp_path / "out"
    assert main(["study", str(study(SMALL_STUDY)), "--out", str(out)]) == 0
    whole = contents(out)
    for name in (".study.nc.x.partial", "figures/.frontier-1.svg.x.partial", "ledger/.manifest.json.x.partial"):
        (out / name).touch()
    assert contents(out) != whole
    assert main(["study", str(study(SMALL_STUDY)), "--out", str(out)]) == 0
    assert contents(out) == whole
    assert not list(out.glob("ledger/.*"))
