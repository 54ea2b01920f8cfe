"""Disturbances that a study must survive: killed runs and workers, full disks and damaged blocks.

Run as a script (``make robustness``), it repeats them many times and writes ``reports/robustness.md``.
"""

import contextlib
import gc
import io
import itertools
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from unittest import mock

import numpy as np
from tqdm import tqdm

import infodis_stats as ids
from infodis_stats.io.files import intact, write_with_checksum

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, StrOrBytesPath

ROOT = Path(__file__).parents[2]
COMMAND = "import sys; from infodis_stats.cli import main; sys.exit(main())"

STUDY = """\
kind = "calibration"
title = "Robust"
seed = 3
passes = [4, 8, 16]
replicates = [1, 4]
draws = 200
estimators = ["time-free", "uniform-count+stratified", "root-count", "chain"]
intervals = ["design"]
levels = [0.95]
[[subjects]]
name = "chain"
law = { kind = "markov-chain", order = 1, alphabet = "ACGT", seed = 5 }
targets = [{ name = "8", count = 2, length = 8, seed = 1 }, { name = "20", count = 2, length = 20, seed = 1 }]
[[subjects]]
name = "letters"
most_passes = 8
law = { kind = "markov-chain", order = 1, alphabet = "ABC", seed = 6 }
targets = [{ name = "3", count = 2, length = 3, seed = 1 }]
"""
SMALL_STUDY = """\
kind = "frontier"
title = "Small"
seed = 3
passes = [4, 8]
replicates = 8
estimators = ["time-free", "chain"]
rivals = ["time-free"]
[[subjects]]
name = "chain"
law = { kind = "markov-chain", order = 1, seed = 5 }
targets = [{ name = "5", count = 3, length = 5, seed = 1 }]
"""


def written(folder: Path, text: str = STUDY) -> Path:
    """Write a study file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def contents(out: Path) -> dict[str, bytes]:
    """Return the content of each file in the folder of a report, without the ledger."""
    files = {path.relative_to(out): path for path in sorted(out.rglob("*")) if path.is_file()}
    return {str(name): path.read_bytes() for name, path in files.items() if name.parts[0] != "ledger"}


def blocks_in(out: Path) -> list[Path]:
    """Return the files of the completed blocks."""
    return sorted((out / "ledger").glob("[!.]*.npy"))


def forge(block: Path) -> None:
    """Give a block other numbers and a matching checksum."""
    with block.open("rb") as file:
        records, problems = np.load(file), np.load(file)
    for name in records.dtype.names:
        records[name] += 1
    forged = io.BytesIO()
    for array in (records, problems):
        np.save(forged, array)
    write_with_checksum(block, forged.getvalue())


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit status, None if it was killed, and its output."""

    status: int | None
    out: str
    err: str


Run = Callable[..., Ended]
"""Runs the command with arguments; it is killed after ``seconds``."""


def command(*arguments: object, seconds: float | None = None) -> Ended:
    """Run the command in a new process, and kill it and its workers after some seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        text=True,
    )
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Ended(None, out, err)
    return Ended(process.returncode, out, err)


class Warm:
    """Runs the command in copies of a process that has imported everything, which saves seconds per run."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "log"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.robustness", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
        )

    def __enter__(self) -> "Warm":
        assert self._server.stdout is not None
        self._server.stdout.readline()  # wait until it is ready
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait()
        self._server.stdout.close()

    def __call__(self, *arguments: object, seconds: float | None = None, full_at: int | None = None) -> Ended:
        """Run the command; from the ``full_at``-th change of a file on the disk is full."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        asked = {"arguments": [*map(str, arguments)], "seconds": seconds, "full_at": full_at, "log": str(self._log)}
        print(json.dumps(asked), file=self._server.stdin, flush=True)
        status = json.loads(self._server.stdout.readline())
        out, err = (self._log.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".out", ".err"))
        return Ended(status, out, err)


def serve() -> None:
    """Fork a copy for each line of the standard input, and print how it ended."""
    import infodis_stats.commands  # noqa: F401, PLC0415  imported for the copies

    with tempfile.TemporaryDirectory() as folder:  # the first run of a process imports more
        ids.write_report(ids.run_study(written(Path(folder))), folder)
    gc.freeze()  # otherwise garbage collection in every copy would traverse all imported objects
    print(flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _be_the_command(**asked)
        end = None if asked["seconds"] is None else time.monotonic() + asked["seconds"]
        while not (ended := os.waitpid(child, os.WNOHANG))[0]:
            if end is not None and time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # not started yet, or already ended
                    os.killpg(child, signal.SIGKILL)
                os.kill(child, signal.SIGKILL)
                end = None
            time.sleep(0.0005)
        status = os.waitstatus_to_exitcode(ended[1])
        print(json.dumps(None if status == -signal.SIGKILL else status), flush=True)


def _be_the_command(arguments: Sequence[str], seconds: float | None, full_at: int | None, log: str) -> None:
    from infodis_stats.cli import main  # noqa: PLC0415  as in the command

    os.setsid()
    # By default all copies share one tqdm semaphore: a copy killed while holding it would block all others.
    tqdm.set_lock(threading.RLock())
    for number, suffix in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{log}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    with contextlib.nullcontext() if full_at is None else full_disk(full_at):
        status = main(arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class _FullFile(io.FileIO):
    """A file to which only half of the data is written when the disk is full."""

    def __init__(self, path: "StrOrBytesPath", mode: str, change: Callable[[], None]) -> None:
        super().__init__(path, mode)
        self._change = change

    def write(self, data: "ReadableBuffer", /) -> int:
        view = memoryview(data)
        try:
            self._change()
        except OSError:
            super().write(view[: len(view) // 2])
            raise
        return super().write(view)


@contextlib.contextmanager
def full_disk(at: float) -> Iterator[Callable[[], int]]:
    """Simulate a disk that is full from the ``at``-th change on: a file created, written, flushed or renamed.

    Yields
    ------
    callable
        Returns the number of changes.
    """
    changes = [0]

    def change() -> None:
        changes[0] += 1
        if changes[0] >= at:
            raise OSError(28, "No space left on device")

    def after_change(call: Callable[..., Any], makes: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def changing(*arguments: Any, **more: Any) -> Any:
            if makes(*arguments):
                change()
            return call(*arguments, **more)

        return changing

    plain_open: Callable[..., IO[Any]] = io.open

    def open_file(path: "StrOrBytesPath | int", mode: str = "r", *more: Any, **named: Any) -> IO[Any]:
        if isinstance(path, int) or not set(mode) & set("wax+") or "opener" in named:  # an opener calls os.open
            return plain_open(path, mode, *more, **named)
        buffered = io.BufferedWriter(_FullFile(path, mode.replace("b", ""), change))
        if "b" in mode:
            return buffered
        options: dict[str, Any] = dict(zip(("encoding", "errors", "newline"), more[1:], strict=False)) | named
        options.pop("buffering", None)
        return io.TextIOWrapper(buffered, **options)

    def writes(_: object, flags: int, *__: object) -> bool:
        return bool(flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR))

    with (
        mock.patch.object(io, "open", open_file),
        mock.patch.multiple(
            os,
            open=after_change(os.open, writes),
            fsync=after_change(os.fsync),
            replace=after_change(os.replace),
            mkdir=after_change(os.mkdir),
        ),
    ):
        yield lambda: changes[0]


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """Mount a small disk in memory; raise `OSError` where that is not allowed.

    Yields
    ------
    callable
        Changes its size.
    """

    def call(*arguments: str) -> None:
        if subprocess.run(arguments, capture_output=True, check=False).returncode:
            raise OSError(f"this user or system may not {arguments[0]}")

    folder.mkdir(parents=True)
    call("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield lambda other: call("mount", "-o", f"remount,size={other}", str(folder))
    finally:
        call("umount", str(folder))


@dataclass
class Series:
    """Disturbances of one kind: how many, and what was lost.

    Attributes
    ----------
    what : str
    tries : int
        Kills, deaths, full disks, flipped bits.
    studies : int
        Studies that were run to their end and compared with an undisturbed run.
    lost : list of str
        A sentence for each block, file or error message that was not as it should be.
    where : dict of str to int
        How often each part of a run was disturbed.
    """

    what: str
    tries: int = 0
    studies: int = 0
    lost: list[str] = field(default_factory=list)
    where: dict[str, int] = field(default_factory=dict)

    def struck(self, where: str) -> None:
        """Count a disturbance."""
        self.tries += 1
        self.where[where] = self.where.get(where, 0) + 1

    def compare(self, expected: dict[str, bytes], out: Path) -> None:
        """Compare a finished report with that of an undisturbed run."""
        self.studies += 1
        files = contents(out)
        names = sorted(set(expected) | set(files))
        self.lost += [f"{name} differs" for name in names if expected.get(name) != files.get(name)]

    def check_blocks(self, before: Sequence[Path], out: Path) -> None:
        """Check that the blocks that were completed before are still there, and that all are intact."""
        self.lost += [f"{path.name} is missing" for path in before if not path.is_file()]
        self.lost += [f"{path.name} is damaged" for path in blocks_in(out) if not intact(path)]

    def check_refusal(self, ended: Ended) -> None:
        """Check that a run ended with one sentence and the status 2."""
        if ended.status != 2 or len(ended.err.splitlines()) != 1 or "No space left on device" not in ended.err:
            self.lost.append(f"status {ended.status}: {ended.err[:1000]!r}")


def undisturbed(run: Run, folder: Path, study: Path, *arguments: object) -> tuple[dict[str, bytes], int, float]:
    """Run a study to its end; return its files, its number of blocks, and the seconds it took."""
    started = time.monotonic()
    ended = run("study", study, "--out", folder / "whole", *arguments)
    seconds = time.monotonic() - started
    if ended.status != 0:
        raise RuntimeError(ended.err)
    return contents(folder / "whole"), len(blocks_in(folder / "whole")), seconds


def kills(run: Run, folder: Path, count: int, *, seed: int = 0, workers: int = 1, densest: float = 0.1) -> Series:
    """Kill runs at random instants, and resume each until it ends.

    Parameters
    ----------
    run : callable
    folder : Path
    count : int
        Number of kills.
    seed, workers : int
    densest : float, default 0.1
        The most frequent instant of a kill, as a share of the time of a whole run: later with workers, which take
        seconds to start.
    """
    series = Series(f"SIGKILL of a run and its workers (workers: {workers})")
    study, rng = written(folder), random.Random(seed)
    expected, blocks, seconds = undisturbed(run, folder, study, "--workers", workers)
    while series.tries < count:
        out = folder / f"killed-{series.studies}"
        ended = Ended(None, "", "")
        while ended.status is None:
            before, started = blocks_in(out), time.monotonic()
            ended = run(
                "study",
                study,
                "--out",
                out,
                "--workers",
                workers,
                seconds=rng.triangular(0, seconds, densest * seconds),
            )
            if ended.status == 0 and not before:  # timed by the last whole run: the first one was slower
                seconds = time.monotonic() - started
            if series.tries > 20 * count:
                raise RuntimeError(f"after {series.tries} kills {out} does not end")
            if ended.status is None:
                done = len(blocks_in(out))
                first = "start" if done == len(before) else "blocks"
                seconds *= 1.1 if first == "start" else 1.0  # the machine may be busier than during the last whole run
                series.struck("summary and report" if done == blocks else first)
                series.check_blocks(before, out)
        if ended.status:
            series.lost.append(f"status {ended.status}: {ended.err[:1000]!r}")
        series.compare(expected, out)
    return series


def worker_deaths(folder: Path, count: int, *, seed: int = 0) -> Series:
    """Kill workers of this process at random instants, each after one more block is completed."""
    series = Series("SIGKILL of a worker (workers: 2)")
    study, rng = written(folder), random.Random(seed)
    whole = ids.run_study(study)
    ids.write_report(whole, folder / "whole")

    def strike(out: Path, over: threading.Event) -> None:
        last = 0
        while not over.wait(rng.uniform(0, 0.05)) and series.tries < count:
            done, workers = len(blocks_in(out)), multiprocessing.active_children()
            pids = [worker.pid for worker in workers if worker.pid is not None]
            if done > last and pids:
                with contextlib.suppress(ProcessLookupError):  # it has already ended
                    os.kill(rng.choice(pids), signal.SIGKILL)
                    series.struck("blocks")
                    last = done

    while series.tries < count:
        out = folder / f"robbed-{series.studies}"
        over = threading.Event()
        striker = threading.Thread(target=strike, args=(out, over))
        striker.start()
        try:
            tree = ids.run_study(study, ledger=out / "ledger", workers=2)
        finally:
            over.set()
            striker.join()
        ids.write_report(tree, out)
        series.check_blocks([], out)
        series.compare(contents(folder / "whole"), out)
    return series


def dask_worker_deaths(folder: Path, count: int, *, seed: int = 0) -> Series:
    """Kill workers of a Dask cluster at random instants, and start others."""
    from tests.support.dask_deaths import deaths  # noqa: PLC0415  Dask is an optional dependency

    result = deaths(folder, count, seed)
    series = Series("SIGKILL of a Dask worker (workers: 3)", studies=result["studies"])
    for _ in range(result["deaths"]):
        series.struck("blocks")
    if not result["bytes"]:
        series.lost.append("study.nc differs")
    return series


def full_disks(run: Warm, folder: Path, *, first: int = 1, step: int = 1) -> Series:
    """For every n, run with a disk that is full from the n-th change of a file on, then again with space."""
    series = Series("a full disk from the n-th change of a file on (stub)")
    study = written(folder, SMALL_STUDY)
    expected, blocks, _ = undisturbed(run, folder, study)
    for at in itertools.count(first, step):
        out = folder / f"full-{at}"
        ended = run("study", study, "--out", out, full_at=at)
        if ended.status == 0 or series.lost:
            break
        series.struck("summary and report" if len(blocks_in(out)) == blocks else "blocks")
        series.check_refusal(ended)
        series.check_blocks([], out)
        files = contents(out)
        series.lost += [f"{name} is half written" for name in files if files[name] != expected.get(name)]
        run("study", study, "--out", out)
        series.compare(expected, out)
    return series


def small_disks(run: Run, folder: Path, kibibytes: Sequence[int]) -> Series:
    """Run on disks that are too small, then again after enlarging them."""
    series = Series("a full disk (tmpfs of 20 to 220 KiB)")
    study = written(folder)
    expected, blocks, _ = undisturbed(run, folder, study)
    for size in kibibytes:
        with small_disk(folder / f"small-{size}", f"{size}k") as resize:
            out = folder / f"small-{size}" / "out"
            ended = run("study", study, "--out", out)
            series.struck("summary and report" if len(blocks_in(out)) == blocks else "blocks")
            series.check_refusal(ended)
            series.check_blocks([], out)
            files = contents(out)
            series.lost += [f"{name} is half written" for name in files if files[name] != expected.get(name)]
            resize("8m")
            run("study", study, "--out", out)
            series.compare(expected, out)
    return series


def flipped_bits(folder: Path, count: int, *, seed: int = 0) -> Series:
    """Flip a bit in every block of a study, repeatedly."""
    series = Series("a flipped bit in a block")
    study, rng = written(folder), random.Random(seed)
    out = folder / "flipped"
    ids.write_report(ids.run_study(study, ledger=out / "ledger"), folder / "whole")
    whole = {path: path.read_bytes() for path in blocks_in(out)}
    while series.tries < count:
        for path, data in whole.items():
            place, damaged = rng.randrange(len(data)), bytearray(data)
            damaged[place] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            series.struck("checksum" if len(data) - place <= 53 else "numbers")
        ids.write_report(ids.run_study(study, ledger=out / "ledger"), out)
        series.compare(contents(folder / "whole"), out)
        series.lost += [f"{path.name} was not redone" for path in whole if path.read_bytes() != whole[path]]
    return series


def forged_blocks(run: Run, folder: Path) -> Series:
    """Forge each block once: no checksum can detect that, but the comparison of the files must."""
    series = Series("control: a block with other numbers and a matching checksum")
    study = written(folder)
    expected, *_ = undisturbed(run, folder, study)
    out = folder / "whole"
    manifest = json.loads((out / "ledger" / "manifest.json").read_text(encoding="utf-8"))
    for name, key, _ in manifest["blocks"]:
        if not name.startswith("draws"):
            continue  # an exact variance is in the ledger of a calibration, but not in its result
        block = out / "ledger" / f"{key}.npy"
        data = block.read_bytes()
        forge(block)
        run("study", study, "--out", out, "--again")
        block.write_bytes(data)
        series.struck("numbers")
        series.studies += 1
        if contents(out)["study.nc"] == expected["study.nc"]:
            series.lost.append(f"{block.name} was forged, and study.nc is the same")
    return series


REPORT = """# Robustness

Studies were disturbed while they ran. After every kill of a run and every full disk the same command was run again in
the same folder. At the end all files of the report (`study.nc`, pages, figures, tables) were compared byte by byte with
those of an undisturbed run. A block counts as lost if it was completed and is now missing or damaged. `make robustness`
repeats the whole experiment; the tests in `tests/execution` run a smaller version of it.

{table}

{losses}

The study has {blocks} blocks in two stages, and the second stage depends on the first. Kills come at random times
between the start of a run and its last table; "start" counts those that came before another block was completed. Runs
are forked from a process that has imported everything, so that no kill is spent on imports; workers are started as
usual. A stub fills the disk at every change in turn: opening a file for writing, writing, flushing, renaming, or
creating a folder. On Dask only `study.nc` is compared. The control adds 1 to the numbers of a block and writes a
matching checksum. No checksum can detect that, but the comparison of the files must: a block whose change it misses
would count as lost.
"""


def tabulated(series: Sequence[Series]) -> str:
    """Return a Markdown table of the disturbances."""
    lines = ["| what | times | where | studies compared | lost |", "|---|---|---|---|---|"]
    for row in series:
        where = ", ".join(f"{count} {name}" for name, count in sorted(row.where.items()))
        lines.append(f"| {row.what} | {row.tries} | {where} | {row.studies} | {len(row.lost) or 'nothing'} |")
    return "\n".join(lines)


def main(path: Path) -> None:
    """Run all disturbances many times, and write the report."""
    with tempfile.TemporaryDirectory() as name, Warm(Path(name)) as warm:
        folder = Path(name)
        rows: list[Callable[[], Series]] = [  # one per row of the table
            lambda: kills(warm, folder / "one", 50),
            lambda: kills(warm, folder / "two", 60, workers=2, densest=0.8),
            lambda: worker_deaths(folder / "deaths", 20),
            lambda: full_disks(warm, folder / "full"),
            lambda: small_disks(warm, folder / "small", range(20, 240, 20)),
            lambda: dask_worker_deaths(folder / "dask", 20),
            lambda: flipped_bits(folder / "bits", 240),
            lambda: forged_blocks(warm, folder / "forged"),
        ]
        series = []
        for row in rows:
            started = time.monotonic()
            series.append(row())
            print(f"{time.monotonic() - started:.0f} s: {series[-1]}", file=sys.stderr, flush=True)
        losses = [f"- {row.what}: {loss}" for row in series for loss in row.lost]
        blocks = len(blocks_in(folder / "one" / "whole"))
        text = REPORT.format(table=tabulated(series), losses="\n".join(losses) or "Nothing was lost.", blocks=blocks)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        main(ROOT / "reports" / "robustness.md")
