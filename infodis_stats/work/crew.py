"""Crews: who does the blocks of a study. This process, processes of this machine, or the workers of a Dask cluster."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing.connection import wait

import torch

from estimators import InfodisError, InputError

__all__ = ["Crew", "WorkError", "cluster", "here", "processes"]

Crew = Callable[[], AbstractContextManager[Executor | None]]
"""Opens what runs blocks; None is this process."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
        Of its scheduler, such as ``tcp://node1:8786``.

    Raises
    ------
    InputError
        If Dask is not installed.
    WorkError
        On opening, if no scheduler answers there.
    """
    try:
        from distributed import Client  # noqa: PLC0415  an extra of its own
    except ImportError as error:
        raise InputError("a scheduler needs Dask: pip install 'infodis-stats[distributed]'") from error

    @contextlib.contextmanager
    def crew() -> Iterator[Executor]:
        try:
            client = Client(address, timeout=30)
        except (OSError, ValueError) as error:
            raise WorkError(f"no Dask scheduler answers at {address}; start one with 'dask scheduler'") from error
        with client:
            yield client.get_executor(pure=False)

    return crew
