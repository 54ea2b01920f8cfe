"""Executors that compute blocks: this process, local worker processes, or the workers of a Dask cluster."""

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

__all__ = ["ExecutorFactory", "WorkError", "cluster", "in_process", "processes"]

T = TypeVar("T")
P = ParamSpec("P")

ExecutorFactory = Callable[[], AbstractContextManager[Executor | None]]
"""Opens an executor for blocks; None stands for this process."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
SCHEDULER_TIMEOUT = 10  # seconds


class WorkError(InfodisError, RuntimeError):
    """Workers that die repeatedly, cannot be reached, or differ from the process that submits blocks to them."""


@contextlib.contextmanager
def in_process() -> Iterator[None]:
    """Compute all blocks in this process."""
    yield None


def processes(count: int) -> ExecutorFactory:
    """Return a factory of pools of worker processes, which divide the threads of this process among them.

    Raises
    ------
    InputError
        If the count is not positive.
    """
    if count < 1:
        raise InputError(f"workers must be at least 1, got {count}")
    if count == 1:
        return in_process

    @contextlib.contextmanager
    def pool() -> Iterator[Executor]:
        threads = str(max(1, torch.get_num_threads() // count))
        # Spawn, because a fork would copy locks and threads in an arbitrary state.
        context = multiprocessing.get_context("spawn")
        others = multiprocessing.active_children()
        with _environment(dict.fromkeys(THREADS, threads)):
            executor = ProcessPoolExecutor(count, mp_context=context, initializer=_initialise_worker)
            try:
                yield executor
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                for process in set(multiprocessing.active_children()).difference(others):
                    process.terminate()
                raise
            executor.shutdown()

    return pool


def _initialise_worker() -> None:
    """Leave interrupts to the parent process, and exit when it exits or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def exit_with_parent() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


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


def cluster(address: str) -> ExecutorFactory:
    """Return a factory of executors on a running Dask cluster.

    Parameters
    ----------
    address : str
        Address of the scheduler, such as ``tcp://node1:8786``, or its scheduler file (.json).

    Raises
    ------
    InputError
        If Dask is not installed.
    WorkError
        On opening, if no scheduler answers at the address.
    """
    try:
        from distributed import Client, KilledWorker  # noqa: PLC0415  optional dependency
        from distributed.scheduler import NoWorkerError  # noqa: PLC0415  as above
        from distributed.versions import VersionMismatchWarning  # noqa: PLC0415  as above
    except ImportError as error:
        raise InputError("a scheduler needs Dask: pip install 'infodis-stats[distributed]'") from error

    class ClosingClient(Client):
        def __init__(self, where: str) -> None:
            try:
                Client.__init__(self, where, timeout=SCHEDULER_TIMEOUT, set_as_default=False)
            except BaseException:
                Client.close(self, timeout=1)  # otherwise the interpreter waits for it at exit
                raise

    def connect() -> Client:
        try:
            where = str(json.loads(read_text(address))["address"]) if address.endswith(".json") else address
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", VersionMismatchWarning)  # the blocks' keys check the relevant versions
                return ClosingClient(where)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkError(
                f"no Dask scheduler answers at {address}: start one with 'dask scheduler' and run the same command "
                "again; completed blocks are kept"
            ) from error

    @contextlib.contextmanager
    def executor() -> Iterator[Executor]:
        with connect() as client:
            try:
                yield _CheckedExecutor(client.get_executor(pure=False), address)
            except InfodisError:
                raise
            except NoWorkerError as error:
                raise WorkError(f"the scheduler at {address} has no workers: start some") from error
            except Exception as error:
                # A block killed too many workers, the scheduler died, or it was already dead.
                if isinstance(error, KilledWorker | CancelledError) or client.status == "closed":
                    raise BrokenExecutor(str(error)) from error
                if isinstance(error.__cause__, ImportError):
                    raise WorkError(
                        f"the scheduler at {address} cannot import infodis-stats: install it there as on the workers"
                    ) from error
                raise

    return executor


class _CheckedExecutor(Executor):
    """Submits tasks after checking that a worker can import this package, without which a block kills its workers."""

    def __init__(self, executor: Executor, address: str) -> None:
        self._executor, self._address, self._checked = executor, address, False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if not self._checked:
            try:
                self._executor.submit(resolve_name, f"{__name__}:cluster").result()
            except ImportError as error:
                raise WorkError(
                    f"a worker of the scheduler at {self._address} cannot import infodis-stats ({error}): install it "
                    "on all workers"
                ) from error
            self._checked = True
        return self._executor.submit(fn, *args, **kwargs)
