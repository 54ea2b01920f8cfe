"""Crews: who does the blocks of a study. This process, processes of this machine, or the workers of a Dask cluster."""

import contextlib
import json
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import wait
from pkgutil import resolve_name
from typing import ParamSpec, TypeVar

import torch

from estimators import InfodisError, InputError
from infodis_stats.io.files import read_text

__all__ = ["Crew", "WorkError", "cluster", "here", "processes"]

T = TypeVar("T")
P = ParamSpec("P")

Crew = Callable[[], AbstractContextManager[Executor | None]]
"""Opens what runs blocks; None is this process."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ANSWER = 10  # seconds that a scheduler has for it


class WorkError(InfodisError, RuntimeError):
    """Workers that die again and again, cannot be reached, or are not like the process that asks them."""


@contextlib.contextmanager
def here() -> Iterator[None]:
    """Do all blocks in this process."""
    yield None


def processes(count: int) -> Crew:
    """Return a crew of so many processes, which share the threads that this one would use.

    Raises
    ------
    InputError
        If the number is not positive.
    """
    if count < 1:
        raise InputError(f"workers needs to be at least 1, got {count}")
    if count == 1:
        return here

    @contextlib.contextmanager
    def crew() -> Iterator[Executor]:
        threads = str(max(1, torch.get_num_threads() // count))
        # A fresh start: a copy of this process would have its locks and threads in the state of a moment.
        context = multiprocessing.get_context("spawn")
        others = multiprocessing.active_children()
        with _environment(dict.fromkeys(THREADS, threads)):
            executor = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
            try:
                yield executor
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                for process in set(multiprocessing.active_children()).difference(others):
                    process.terminate()
                raise
            executor.shutdown()

    return crew


def _begin() -> None:
    """Leave interruptions to the process that started this one, and end when it ends, however it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def cluster(address: str) -> Crew:
    """Return the crew of a running Dask cluster.

    Parameters
    ----------
    address : str
        Of its scheduler, such as ``tcp://node1:8786``, or the .json file that it writes (``--scheduler-file``).

    Raises
    ------
    InputError
        If Dask is not installed.
    WorkError
        On opening, if no scheduler answers there.
    """
    try:
        from distributed import Client, KilledWorker  # noqa: PLC0415  an extra of its own
        from distributed.scheduler import NoWorkerError  # noqa: PLC0415  as above
        from distributed.versions import VersionMismatchWarning  # noqa: PLC0415  as above
    except ImportError as error:
        raise InputError("a scheduler needs Dask: pip install 'infodis-stats[distributed]'") from error

    class Caller(Client):
        def __init__(self, where: str) -> None:
            try:
                Client.__init__(self, where, timeout=ANSWER, set_as_default=False)
            except BaseException:
                Client.close(self, timeout=1)  # else the program waits for it at its end
                raise

    def call() -> Client:
        try:
            where = str(json.loads(read_text(address))["address"]) if address.endswith(".json") else address
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", VersionMismatchWarning)  # blocks tell which versions matter
                return Caller(where)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkError(
                f"no Dask scheduler answers at {address}: start one with 'dask scheduler', and the same command goes "
                "on from what is done"
            ) from error

    @contextlib.contextmanager
    def crew() -> Iterator[Executor]:
        with call() as client:
            try:
                yield _Acquainted(client.get_executor(pure=False), address)
            except InfodisError:
                raise
            except NoWorkerError as error:
                raise WorkError(f"no workers have come to the scheduler at {address}: start some") from error
            except Exception as error:
                # Too many workers died under a block; the scheduler died; it was found dead.
                if isinstance(error, KilledWorker | CancelledError) or client.status == "closed":
                    raise BrokenExecutor(str(error)) from error
                if isinstance(error.__cause__, ImportError):
                    raise WorkError(
                        f"the scheduler at {address} does not know infodis-stats: it needs the packages of its workers"
                    ) from error
                raise

    return crew


class _Acquainted(Executor):
    """Hands tasks on once a worker has loaded this package: a block would end one that cannot, and wait for another."""

    def __init__(self, executor: Executor, address: str) -> None:
        self._executor, self._address, self._met = executor, address, False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._met:
            try:
                self._executor.submit(resolve_name, f"{__name__}:cluster").result()
            except ImportError as error:
                raise WorkError(
                    f"a worker of the scheduler at {self._address} cannot load infodis-stats ({error}): install it "
                    "there, too"
                ) from error
            self._met = True
        return self._executor.submit(fn, *args, **kwargs)
