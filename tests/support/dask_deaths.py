"""A Dask cluster of real processes on loopback, whose workers are killed while it runs a study."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import infodis_stats as ids
from infodis_stats.execution.blocks import Block
from infodis_stats.studies.design.scenario import Subject, make_subjects

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from infodis_stats.cli import main; sys.exit(main())"
BEGUN, LOADED = "INFODIS_TEST_BEGUN", "INFODIS_TEST_LOADED"

STUDY = """\
title = "Deaths"
seed = 3
passes = {passes}
replicates = 64
reference = "time-free"
estimators = ["time-integral", "time-free", "uniform-count", "root-count", "block-chain", "uniform-count+stratified"]
[law]
kind = "markov-chain"
order = 2
alphabet = "ACGT"
seed = 5
[[targets]]
name = "twelve"
count = 8
length = 12
"""


def written_study(path: Path, budgets: int = 6) -> Path:
    """Write a study file with this many numbers of passes, each with about six blocks."""
    path.write_text(STUDY.format(passes=[*range(4, 4 + budgets)]))
    return path


class Machines:
    """A scheduler and workers, each in its own process; the blocks that they compute are counted."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self._stack = folder, stack
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "false",
            BEGUN: str(folder / "begun"),
            LOADED: str(folder / "loaded"),
        }

    def start(self, *arguments: object, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a process that does not outlive the test."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                stdout=log,
                stderr=log,
                env=self._environment | environment,
                cwd=self.folder,
            )
        self._stack.callback(_end, process)
        return process

    def scheduler(self, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a scheduler, on a free port."""
        self.file.unlink(missing_ok=True)
        arguments = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", self.file)
        process = self.start("-m", "dask", "scheduler", *arguments, **environment)
        wait_for(self.file.exists, process)
        return process

    def worker(self, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a worker."""
        arguments = ("--scheduler-file", self.file, "--nthreads", 1, "--no-nanny", "--no-dashboard")
        local = ("--local-directory", self.folder / "local", "--preload", Path(__file__))
        process = self.start("-m", "dask", "worker", *arguments, *local, **environment)
        self.workers.append(process)
        return process

    def command(self, study_file: Path, out: Path, scheduler: object) -> "subprocess.Popen[str]":
        """Start the command that runs a study."""
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "study", study_file, "--out", out, "--scheduler", str(scheduler)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment | {"PYTHONWARNINGS": "ignore"},
            cwd=self.folder,
            text=True,
        )
        self._stack.callback(_end, process)
        return process

    def begun(self) -> list[str]:
        """Return the keys of the blocks that workers have begun to compute."""
        return _lines(self.folder / "begun")

    def loaded(self) -> list[str]:
        """Return the processes that have loaded the models of a study, with repetitions."""
        return _lines(self.folder / "loaded")


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """Open a cluster that works in a folder, and end all its processes at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Machines(folder, stack)


def done(out: Path) -> int:
    """Return the number of blocks in the ledger of a study."""
    return sum(1 for _ in (out / "ledger").glob("[!.]*.npy"))


def wait_for(there: Callable[[], object], *processes: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    """Wait until a condition holds; fail if one of the processes involved ends before."""
    for _ in range(3000):
        if there():
            return
        assert all(process.poll() is None for process in processes), "a process that was waited for has ended"
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def deaths(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Run studies on a cluster while workers are killed at random and replaced, until enough have died.

    Parameters
    ----------
    folder : Path
    count : int
        Workers to kill; each dies after one to three more blocks are completed.
    seed : int
        Seed that determines which workers die, and when.

    Returns
    -------
    dict
        ``deaths``; ``studies``; ``blocks`` of a study; how many were ``redone``; whether the ``bytes`` are those of an
        undisturbed run, and whether those of another seed ``differ``; what the command ``said`` on its standard error.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    file = written_study(folder / "study.toml", budgets=2 + 2 * count // 3)
    outs: list[Path] = []
    said, killed, redone = "", 0, 0
    with machines(folder / "machines") as cluster:
        cluster.scheduler()
        for _ in range(3):
            cluster.worker()
        while killed < count:
            outs.append(folder / f"out-{len(outs)}")
            before = cluster.begun()
            command = cluster.command(file, outs[-1], cluster.file)
            while killed < count and _at_work(command, outs[-1], rng):
                victim = cluster.workers.pop(rng.integers(2))  # the third may still be importing
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                killed += 1
                cluster.worker()
            _, complaint = command.communicate()
            assert command.returncode == 0, complaint
            said += complaint
            begun = cluster.begun()[len(before) :]
            redone += len(begun) - len(set(begun))
    found, plain = {(out / "study.nc").read_bytes() for out in outs}, stored(file)
    file.write_text(file.read_text().replace("seed = 3", "seed = 4"))
    return {
        "deaths": killed,
        "studies": len(outs),
        "blocks": done(outs[-1]),
        "redone": redone,
        "bytes": found == {plain},
        "differ": stored(file) not in found,
        "said": said,
    }


def _at_work(command: "subprocess.Popen[str]", out: Path, rng: np.random.Generator) -> bool:
    """Wait for some more blocks, and a moment; return whether the command is still running."""
    wanted = done(out) + int(rng.integers(1, 4))
    while done(out) < wanted and command.poll() is None:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.3))
    return command.poll() is None


def stored(file: Path, **options: Any) -> bytes:
    """Run a study in this process and return the bytes of its stored result."""
    path = file.with_suffix(".nc")
    ids.write_store(ids.run_study(file, **options), path)
    return path.read_bytes()


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def dask_setup(_: object) -> None:
    """Log the blocks that a worker computes if it preloads this file."""
    compute, subjects = Block.compute, make_subjects

    def logged_compute(block: Block, **options: Any) -> object:
        _log(BEGUN, block.key)
        return compute(block, **options)

    def logged_subjects(*arguments: Any, **permissions: Any) -> list[Subject]:
        _log(LOADED, str(os.getpid()))
        return subjects(*arguments, **permissions)

    mock.patch.object(Block, "compute", logged_compute).start()
    mock.patch("infodis_stats.studies.study.make_subjects", logged_subjects).start()


def _log(variable: str, line: str) -> None:
    with Path(os.environ[variable]).open("a") as file:
        file.write(f"{line}\n")


if __name__ == "__main__":
    print(deaths(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
