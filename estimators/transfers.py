"""Transfers between the host and a device; on CUDA nobody waits for one before its result is read."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["calls_ahead", "on_device", "to_host"]


def calls_ahead(device: torch.device) -> int:
    """Return how many calls are launched before the losses of one are read: none where a call returns its numbers."""
    return int(device.type == "cuda")


def on_device(column: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Return an array as a tensor on a device.

    Examples
    --------
    >>> on_device(np.array([[0, 1]]), torch.device("cpu"))
    tensor([[0, 1]])
    """
    tensor = torch.from_numpy(column)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def to_host(losses: torch.Tensor) -> Callable[[], NDArray[np.float64]]:
    """Start to bring losses to the host, and return what waits for them and returns them, in float64.

    Examples
    --------
    >>> to_host(torch.tensor([0.5, 1.0], dtype=torch.bfloat16))()
    array([0.5, 1. ])
    """
    if losses.device.type != "cuda":
        return lambda: losses.cpu().to(torch.float64).numpy()  # not all devices have float64
    there = losses.to(torch.float64)
    here = torch.empty(there.shape, dtype=there.dtype, pin_memory=True)
    here.copy_(there, non_blocking=True)
    copied: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(there.device))

    def wait() -> NDArray[np.float64]:
        copied.synchronize()
        return here.numpy()

    return wait
