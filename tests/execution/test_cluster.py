"""Studies on a Dask cluster: the same bytes whichever process dies, and one-sentence errors otherwise."""

import json
import pickle
import re
import sys
import time
import warnings
from concurrent.futures import BrokenExecutor
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import distributed.versions
import pytest
import torch
from dask import config
from distributed import Client, KilledWorker, LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin

import infodis_stats as ids
from estimators import InputError
from infodis_stats.execution import WorkError, cluster, executors, ledger
from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.studies import study as studies
from infodis_stats.studies.design import scenario
from infodis_stats.studies.design.scenario import load_network
from tests.support.dask_deaths import ROOT, deaths, done, machines, stored, wait_for, written_study

run = import_module("infodis_stats.execution.run")  # the package also has a function of this name


TWO_STAGES = """\
kind = "calibration"
title = "Two stages"
seed = 3
passes = [4, 8]
replicates = [1, 4]
draws = 10
estimators = ["uniform-count", "uniform-count+stratified"]
intervals = ["auto"]
levels = [0.8]
[[subjects]]
name = "A chain"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [{ name = "8", count = 3, length = 8, seed = 1 }]
"""

ON_A_NETWORK = """\
title = "A network"
seed = 3
passes = [4, 5, 6]
replicates = 8
reference = "time-free"
estimators = ["time-free", "uniform-count"]
truth_passes = 64
model = { name = "tiny.safetensors" }
law = { kind = "markov-chain", order = 1, seed = 5 }
targets = [{ name = "drawn", count = 3, length = 6 }]
"""

OTHER_VERSIONS = """\
from importlib import metadata
real = metadata.version
metadata.version = lambda name: "1.0" if name == "numpy" else real(name)
"""


class Watch(SchedulerPlugin):
    """Records the types of the results that workers keep for the client."""

    def __init__(self):
        self.types = []

    def transition(self, key, start, finish, *, typename=None, **_):
        if finish == "memory":
            self.types.append(typename)


def local(workers=2, **options):
    return LocalCluster(
        n_workers=workers, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp", **options
    )


@pytest.fixture(scope="module")
def here():
    with local() as found:
        yield found


@pytest.fixture(autouse=True)
def forget_studies():
    yield
    run._started_study.cache_clear()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait longer for the scheduler, as the machine may be busy."""
    monkeypatch.setattr(executors, "SCHEDULER_TIMEOUT", 60)


def written_two_stages(folder):
    path = folder / "study.toml"
    path.write_text(TWO_STAGES)
    return path


def write_network(folder, seed):
    torch.manual_seed(seed)
    network = Denoiser(DenoiserConfig("ACGT", length=8, layers=1, width=16, heads=2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    network.save(folder / "tiny.safetensors")


@pytest.fixture
def network_study(tmp_path):
    write_network(tmp_path, 1)
    path = tmp_path / "network.toml"
    path.write_text(ON_A_NETWORK)
    return path


@pytest.mark.parametrize(
    "text", [pytest.param(TWO_STAGES, id="law"), pytest.param(ON_A_NETWORK, id="network", marks=pytest.mark.slow)]
)
def test_a_cluster_gives_the_same_bytes_and_returns_no_results(tmp_path, here, text):
    write_network(tmp_path, 1)
    path = tmp_path / "study.toml"
    path.write_text(text)
    plain, watch = stored(path), Watch()
    here.scheduler.add_plugin(watch, name="watch")
    try:
        assert stored(path, ledger=tmp_path / "ledger", scheduler=here.scheduler_address) == plain
    finally:
        here.scheduler.remove_plugin("watch")
    first, *blocks = watch.types
    assert first == "function"  # the check that workers can import the package
    assert len(blocks) >= len(list((tmp_path / "ledger").glob("*.npy"))) > 4
    assert set(blocks) == {"NoneType"}
    path.write_text(text.replace("seed = 3", "seed = 4"))
    assert stored(path, scheduler=here.scheduler_address) != plain


def test_models_are_loaded_once_by_the_client_and_once_per_worker_process(monkeypatch, here, network_study):
    loads = []
    monkeypatch.setattr(
        scenario, "load_network", lambda *which, **how: loads.append(which) or load_network(*which, **how)
    )
    ids.run_study(network_study, scheduler=here.scheduler_address)
    assert len(loads) == 2


def test_a_task_contains_the_text_of_its_study_and_little_else(network_study):
    study_run = run.StudyRun(studies._Study(str(network_study), ON_A_NETWORK), network_study.parent)
    assert len(pickle.dumps((run._compute, study_run, 0, 0, "0" * 64))) < len(ON_A_NETWORK) + 1000


@pytest.mark.slow
def test_workers_reload_a_changed_model(here, network_study, tmp_path):
    how = {"ledger": tmp_path / "ledger", "scheduler": here.scheduler_address}
    first = stored(network_study, **how)
    write_network(tmp_path, 2)
    second = stored(network_study, **how)
    assert first != second == stored(network_study)


def test_the_scheduler_may_be_given_by_its_scheduler_file(here, tmp_path):
    file = tmp_path / "scheduler.json"
    file.write_text(json.dumps({"type": "Scheduler", "address": here.scheduler_address}))
    with cluster(str(file))() as executor:
        assert executor.submit(sum, [1, 2]).result() == 3


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "nonsense://x", "tcp://127.0.0.1", "", "no.json", "list.json", "damaged.json"]
)
def test_a_missing_scheduler_is_reported(monkeypatch, tmp_path, address):
    monkeypatch.setattr(executors, "SCHEDULER_TIMEOUT", 1)
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text("[1]")
    Path("damaged.json").write_text('{"address": ')
    with pytest.raises(
        WorkError, match=f"^no Dask scheduler answers at {re.escape(address)}: start one .* completed blocks are kept$"
    ):
        ids.run_study(written_two_stages(tmp_path), scheduler=address)


def test_without_dask_the_error_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs Dask: pip install 'infodis-stats\[distributed\]'"):
        ids.run_study(written_two_stages(tmp_path), scheduler="tcp://127.0.0.1:8786")


def test_a_scheduler_without_workers_is_reported_after_the_timeout(tmp_path):
    with (
        config.set({"distributed.scheduler.no-workers-timeout": "100 ms"}),
        local(workers=0) as empty,
        pytest.raises(WorkError, match=r"^the scheduler at tcp://127\S+ has no workers: start some$"),
    ):
        ids.run_study(written_two_stages(tmp_path), scheduler=empty.scheduler_address)


def test_a_complete_study_needs_no_workers(tmp_path):
    path = written_two_stages(tmp_path)
    plain = stored(path, ledger=tmp_path / "ledger")
    with local(workers=0) as empty:
        assert stored(path, ledger=tmp_path / "ledger", scheduler=empty.scheduler_address) == plain


left_to_die = [0]


def dying(*arguments):
    """Compute a block, or simulate that it kills the worker."""
    if left_to_die[0]:
        left_to_die[0] -= 1
        raise KilledWorker("a block", SimpleNamespace(address="tcp://a"), 3)
    do(*arguments)


do = run._compute


def idle(*_):
    """Return without computing the block."""


def test_a_block_that_kills_its_workers_is_retried_a_few_times(monkeypatch, here, tmp_path):
    path = written_two_stages(tmp_path)
    plain = stored(path)
    monkeypatch.setattr(run, "_compute", dying)
    left_to_die[0] = 2
    assert stored(path, scheduler=here.scheduler_address) == plain
    assert left_to_die == [0]
    left_to_die[0] = 1000
    with pytest.raises(WorkError, match="workers died 3 times in a row"):
        ids.run_study(path, scheduler=here.scheduler_address)
    left_to_die[0] = 0


def outlive(members, scheduler, found_dead):
    """Use a cluster whose scheduler dies while a block runs, or while it is idle."""
    with members() as executor:
        assert executor.submit(sum, [1, 2]).result() == 3
        executor._executor._client._timeout = 1  # seconds until the scheduler counts as lost
        future = executor.submit(time.sleep, 2)
        scheduler.close()
        if found_dead:
            wait_for(lambda: executor._executor._client.status == "closed")
            future = executor.submit(sum, [1, 2])
        future.result()


@pytest.mark.slow
@pytest.mark.parametrize("found_dead", [False, True], ids=["during a block", "between blocks"])
def test_the_client_reconnects_if_the_scheduler_dies(monkeypatch, found_dead):
    with local(workers=1) as mortal:
        members = cluster(mortal.scheduler_address)
        with pytest.raises(BrokenExecutor):
            outlive(members, mortal, found_dead)
    monkeypatch.setattr(executors, "SCHEDULER_TIMEOUT", 1)
    with pytest.raises(WorkError, match="no Dask scheduler answers"), members():
        pass


def interrupt(members, scheduler):
    with members() as executor:
        futures = [executor.submit(time.sleep, 0.5) for _ in range(100)]
        futures[0].result()
        assert len(scheduler.tasks) > 50
        raise KeyboardInterrupt


def test_an_interrupt_cancels_unfinished_tasks(here):
    with pytest.raises(KeyboardInterrupt):
        interrupt(cluster(here.scheduler_address), here.scheduler)
    wait_for(lambda: not here.scheduler.tasks)


def test_errors_of_a_block_are_reraised_unchanged(here):
    with pytest.raises(ZeroDivisionError), cluster(here.scheduler_address)() as executor:
        executor.submit(divmod, 1, 0).result()


def test_version_mismatches_are_checked_by_the_blocks(monkeypatch, here):
    real = distributed.versions.get_versions

    def other(*arguments, **options):
        found = real(*arguments, **options)
        return found | {"packages": found["packages"] | {"numpy": "1.0"}}

    monkeypatch.setattr(distributed.versions, "get_versions", other)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with cluster(here.scheduler_address)() as executor:
            assert executor.submit(sum, [1, 2]).result() == 3
        assert not caught
        Client(here.scheduler_address, set_as_default=False).close()
        assert "Mismatched versions" in str(caught[0].message)


def test_an_incompatible_worker_is_reported(monkeypatch, tmp_path):
    path = written_two_stages(tmp_path)
    study_run = run.StudyRun(studies._Study(str(path), TWO_STAGES), tmp_path / "ledger")
    with pytest.raises(
        WorkError, match=r"^a worker on \S+ does not see \S+ledger: all machines must share this folder$"
    ):
        do(study_run, 0, 0, "0" * 64)
    study_run.ledger.mkdir()
    for place in (0, 10**6):
        with pytest.raises(WorkError, match=r"^a worker on \S+ would compute different numbers: its package versions"):
            do(study_run, 0, place, "0" * 64)
    monkeypatch.setattr(ledger, "VISIBILITY_TIMEOUT", 0)
    with pytest.raises(WorkError, match=r"or it does not see the completed blocks in \S+ledger$"):
        do(study_run, 1, 0, "0" * 64)
    assert not list(study_run.ledger.iterdir())
    unknown = run.StudyRun(studies._Study(str(path), ON_A_NETWORK), study_run.ledger)
    with pytest.raises(WorkError, match=r"^a worker on \S+ cannot start the study: .*tiny.safetensors"):
        do(unknown, 0, 0, "0" * 64)


def test_a_block_whose_worker_died_after_writing_it_is_not_recomputed(monkeypatch, tmp_path):
    path = written_two_stages(tmp_path)
    ids.run_study(path, ledger=tmp_path / "ledger")
    study_run = run.StudyRun(studies._Study(str(path), TWO_STAGES), tmp_path / "ledger")
    block = run._started_study(study_run).stages[0][0]
    monkeypatch.setattr(type(block), "compute", lambda *_, **__: pytest.fail("computed"))
    do(study_run, 0, 0, block.key)
    study_run.ledger.joinpath(f"{block.key}.npy").write_bytes(b"damaged")
    with pytest.raises(pytest.fail.Exception, match="computed"):
        do(study_run, 0, 0, block.key)


def test_storage_that_is_not_shared_is_detected(monkeypatch, here, tmp_path):
    monkeypatch.setattr(ledger, "VISIBILITY_TIMEOUT", 1)
    monkeypatch.setattr(run, "_compute", idle)
    with pytest.raises(
        WorkError,
        match=r"a worker has written \S+npy, but the file does not appear here: all machines must share this folder$",
    ):
        ids.run_study(written_two_stages(tmp_path), scheduler=here.scheduler_address)


def test_files_that_appear_late_are_waited_for(monkeypatch, tmp_path):
    path = written_two_stages(tmp_path)
    ids.run_study(path, ledger=tmp_path / "ledger")
    book = ledger.Ledger(tmp_path / "ledger")
    (block, *_), *_ = run._started_study(run.StudyRun(studies._Study(str(path), TWO_STAGES), book.folder)).stages
    file, aside = book.path(block), tmp_path / "aside"
    file.rename(aside)
    waited = []
    monkeypatch.setattr(ledger.time, "sleep", lambda _: waited.append(1) or (len(waited) == 60 and aside.rename(file)))
    assert book.wait_for(block)
    assert len(waited) == 60
    file.unlink()
    assert not book.wait_for(block)
    assert len(waited) == 60 + ledger.VISIBILITY_TIMEOUT


@pytest.mark.slow
def test_the_bytes_are_the_same_if_workers_die_at_random(tmp_path):
    found = deaths(tmp_path, 10, seed=1)
    assert found["deaths"] == 10
    assert 1 <= found["redone"] <= 10
    assert found["bytes"]
    assert found["differ"]
    assert found["said"] == ""


@pytest.mark.slow
def test_the_same_command_resumes_after_the_scheduler_died(tmp_path):
    file, out = written_study(tmp_path / "study.toml"), tmp_path / "out"
    with machines(tmp_path / "machines") as some:
        scheduler = some.scheduler(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="0")
        victim = some.worker()
        first = some.command(file, out, some.file)
        wait_for(lambda: done(out) >= 3, first)
        victim.kill()  # no failures are allowed for the block, so the client starts again
        some.worker()
        wait_for(lambda: done(out) >= 10, first)
        scheduler.kill()
        _, complaint = first.communicate()
        assert first.returncode == 2
        assert re.fullmatch(r"infodis-stats: no Dask scheduler answers at .* completed blocks are kept\n", complaint)
        assert done(out) >= 10
        some.scheduler()
        some.worker()
        some.worker()
        second = some.command(file, out, some.file)
        _, complaint = second.communicate()
        assert (second.returncode, complaint) == (0, "")
        begun, loaded = some.begun(), some.loaded()
    assert len(set(begun)) == done(out)
    assert len(begun) <= done(out) + 3  # blocks of the two killed processes and of the worker that lost its scheduler
    assert len(loaded) == len(set(loaded)) >= 3  # once per process
    assert (out / "study.nc").read_bytes() == stored(file)


@pytest.mark.slow
def test_workers_with_different_versions_compute_nothing(tmp_path):
    file, out = written_study(tmp_path / "study.toml"), tmp_path / "out"
    other = (
        "import importlib.metadata as m\nreal = m.version\nm.version = lambda n: '1.0' if n == 'numpy' else real(n)\n"
    )
    (tmp_path / "sitecustomize.py").write_text(other)
    with machines(tmp_path / "machines") as some:
        some.scheduler()
        some.worker(PYTHONPATH=f"{tmp_path}:{ROOT}")
        command = some.command(file, out, some.file)
        _, complaint = command.communicate()
    assert command.returncode == 2
    assert re.fullmatch(r"infodis-stats: a worker on \S+ would compute different numbers: .*\n", complaint)
    assert done(out) == 0


NOT_INSTALLED = """\
import sys

class Blocked:
    @staticmethod
    def find_spec(name, *_):
        if name == "infodis_stats":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked)
"""


@pytest.mark.slow
def test_workers_without_the_package_are_reported_at_once(tmp_path):
    file, out = written_study(tmp_path / "study.toml"), tmp_path / "out"
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    with machines(tmp_path / "machines") as some:
        some.scheduler()
        options = ("--nthreads", 1, "--no-nanny", "--no-dashboard", "--local-directory", tmp_path / "local")
        some.start("-m", "dask", "worker", "--scheduler-file", some.file, *options, PYTHONPATH=str(tmp_path))
        command = some.command(file, out, some.file)
        _, complaint = command.communicate()
    assert command.returncode == 2
    assert re.fullmatch(r"infodis-stats: a worker of .* cannot import .* \(No module named .*\): .*\n", complaint)


@pytest.mark.slow
def test_a_local_cluster_of_processes_gives_the_same_bytes(tmp_path):
    path = written_two_stages(tmp_path)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as several:
        assert stored(path, scheduler=several.scheduler_address) == stored(path)
