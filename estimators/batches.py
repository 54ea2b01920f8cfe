"""How many rows go into one call of a model: measured from memory, and fewer after memory was full."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from estimators.errors import InputError, ModelError

__all__ = ["Batches", "CudaMemory", "Memory", "memory_of", "tokens_that_fit"]

TOKENS_PER_THREAD = 2**11  # on a CPU more is slower: activations leave the cache
TOKENS_ON_CPU = 2**15  # at most, with many threads
LARGEST = 2**18  # tokens that keep any device busy
SHARE = 0.8  # of the free memory that is filled


class Memory(Protocol):
    """The memory of a device on which the use of a call can be measured."""

    def free(self) -> int:
        """Return the bytes that a call could take."""
        ...

    def watch(self) -> None:
        """Start to watch what a call takes."""
        ...

    def taken(self) -> int:
        """Return the most bytes that were taken at once since `watch`, beside what still is."""
        ...

    def release(self) -> None:
        """Give cached blocks back."""
        ...


@dataclass(frozen=True)
class CudaMemory:
    """The memory of a CUDA device."""

    device: torch.device

    def free(self) -> int:
        """Return the bytes that a call could take: free ones, and those that torch holds without use."""
        cached = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(torch.cuda.mem_get_info(self.device)[0]) + cached

    def watch(self) -> None:
        """Start to watch what a call takes."""
        torch.cuda.reset_peak_memory_stats(self.device)

    def taken(self) -> int:
        """Return the most bytes that were taken at once since `watch`, beside what still is."""
        return torch.cuda.max_memory_allocated(self.device) - torch.cuda.memory_allocated(self.device)

    def release(self) -> None:
        """Give cached blocks back."""
        torch.cuda.empty_cache()


def memory_of(device: torch.device) -> Memory | None:
    """Return the memory of a device; None where it cannot be measured."""
    return CudaMemory(device) if device.type == "cuda" else None


def tokens_that_fit(free: int, bytes_per_token: float) -> int:
    """Return how many tokens, rows times length, a call may have: most of the free memory, but no more than is of use.

    Examples
    --------
    >>> tokens_that_fit(free=10 * 2**30, bytes_per_token=2**20)
    8192
    >>> tokens_that_fit(free=0, bytes_per_token=2**20), tokens_that_fit(free=80 * 2**30, bytes_per_token=100)
    (1, 262144)
    """
    return min(LARGEST, max(1, int(SHARE * free / max(1.0, bytes_per_token))))


class Batches:
    """Cuts rows into calls, and learns from each call how many the next may have.

    Parameters
    ----------
    batch_size : int or None
        Largest number of rows. None: some thousand tokens per call, and where memory can be measured as many as fit:
        each call shows how much a token takes.
    device : torch.device
    """

    def __init__(self, batch_size: int | None, device: torch.device) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        self._device, self._memory = device, memory_of(device)
        self._measured = self._memory if batch_size is None else None
        self._rows = sys.maxsize if batch_size is None else batch_size
        self._tokens = sys.maxsize
        if batch_size is None:
            self._tokens = min(TOKENS_ON_CPU, TOKENS_PER_THREAD * torch.get_num_threads())
        self._fitting = sys.maxsize  # tokens; once memory was full, half of what did not fit

    def rows(self, length: int) -> int:
        """Return how many rows of a length the next call may have."""
        return max(1, min(self._rows, min(self._tokens, self._fitting) // length))

    def run(self, call: Callable[[slice], object], count: int, length: int) -> None:
        """Call for slices that make up ``count`` rows; again, with half of them, for one that memory was too small for.

        Raises
        ------
        ModelError
            If a single row does not fit.
        """
        start = 0
        while start < count:
            rows = slice(start, min(start + self.rows(length), count))
            if self._fits(call, rows, length):
                start = rows.stop
            else:
                self._halve(rows.stop - start, length)

    def _fits(self, call: Callable[[slice], object], rows: slice, length: int) -> bool:
        if self._measured is not None:
            self._measured.watch()
        try:
            call(rows)
        except torch.OutOfMemoryError:
            return False
        if self._measured is not None:
            taken = self._measured.taken() / ((rows.stop - rows.start) * length)
            self._tokens = tokens_that_fit(self._measured.free(), taken)
        return True

    def _halve(self, rows: int, length: int) -> None:
        # Not while the exception is handled: its frames hold the tensors that are to be given back.
        if rows == 1:
            raise ModelError(f"one sequence of {length} tokens does not fit into the memory of {self._device}")
        self._fitting = (rows + 1) // 2 * length
        if self._memory is not None:
            self._memory.release()
