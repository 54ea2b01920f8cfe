"""The processes of one evaluation, as ``torchrun`` and ``accelerate launch`` start them."""

import atexit
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

__all__ = ["Processes"]

T = TypeVar("T")

PATIENCE = timedelta(days=30)  # one process may finish its documents hours before another


@dataclass(frozen=True, eq=False)
class Processes:
    """All processes that evaluate together; by default there is one.

    Attributes
    ----------
    rank, count, local_rank : int
        Number of this process, number of all, and number of this one on its machine.
    group : object
        Of gloo: only counts and results are exchanged, whatever the model runs on. None if there is one process.

    Examples
    --------
    >>> Processes().everywhere("alone")
    ['alone']
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    group: Any = None

    @classmethod
    def started(cls) -> "Processes":
        """Return the processes that the environment describes (RANK, WORLD_SIZE, LOCAL_RANK), connected."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        if not distributed.is_initialized():
            distributed.init_process_group("gloo", timeout=PATIENCE)
            atexit.register(distributed.destroy_process_group)  # its threads must not outlive the interpreter
        group = distributed.new_group(backend="gloo", timeout=PATIENCE)
        rank = distributed.get_rank()
        return cls(rank, distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", rank)), group)

    def device(self, device: str | torch.device) -> str:
        """Return the device of this process: of several, each has a GPU of its own where ``"cuda"`` is asked for.

        Examples
        --------
        >>> Processes(rank=5, count=8, local_rank=1).device("cuda"), Processes().device("cuda")
        ('cuda:1', 'cuda')
        """
        return f"cuda:{self.local_rank}" if str(device) == "cuda" and self.count > 1 else str(device)

    def everywhere(self, value: T) -> list[T]:
        """Return the values of all processes, in their order, in each of them."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        distributed.all_gather_object(values, value, group=self.group)
        return values

    def gathered(self, value: T, root: int = 0) -> list[T] | None:
        """Return the values of all processes, in their order, in one of them; None in the others."""
        if self.count == 1:
            return [value]
        values: list[Any] | None = [None] * self.count if self.rank == root else None
        distributed.gather_object(value, values, dst=root, group=self.group)
        return values

    def concatenated(self, tensor: Tensor) -> Tensor:
        """Return the tensors of all processes, equal in shape, in one; scalars become a row."""
        return torch.cat([part.reshape(-1) if part.ndim == 0 else part for part in self.everywhere(tensor.cpu())]).to(
            tensor.device
        )

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            distributed.barrier(group=self.group)
