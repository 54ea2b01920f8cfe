"""What benchmarks measure with: processor time on one thread, relative to yardsticks of the same run."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import infodis_stats as ids

ROOT = Path(__file__).parents[2]
SHORT = 1.0  # seconds: what takes longer is run once
ROUNDS = 5
LLADA_SECONDS = 0.005  # a row of 512 tokens through LLaDA-8B on an H100: declared, not measured


@dataclass(frozen=True)
class Row:
    """A measured cell: a time in seconds, or a number with a unit of its own that no machine changes much."""

    section: str
    cell: str
    value: float
    unit: str = "seconds"


def cost(function: Callable[[], object]) -> float:
    """Return the processor time of a call in seconds: the median of several if it is short, after one to warm up."""
    first = once(function)
    return first if first > SHORT else statistics.median(once(function) for _ in range(ROUNDS))


def once(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started


def in_new_process(module: str, *arguments: object) -> dict[str, float]:
    """Return what a module prints as JSON, run in its own process, whose peak memory no earlier work masks."""
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def matrix_product() -> float:
    """Return the cost of a product of two float64 matrices of 512 x 512."""
    left, right = np.random.default_rng(0).normal(size=(2, 512, 512))
    return cost(lambda: left @ right)


def austen_pass() -> float:
    """Return the cost of a bare forward pass of the bundled model: a row of 128 characters, in a batch of 16."""
    model = ids.load_model("austen")
    tokens = torch.randint(model.vocabulary, (16, 128), generator=torch.Generator().manual_seed(0))
    masked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1)) < 0.5

    @torch.no_grad()
    def bare() -> None:
        model.head(model.hidden(tokens, masked))

    return cost(bare) / len(tokens)


def yardsticks() -> Iterable[Row]:
    yield Row("Yardsticks", "product of two float64 matrices of 512 x 512", matrix_product())
    yield Row("Yardsticks", "bare pass of the bundled austen model, per row of 128 characters", austen_pass())
    yield Row(
        "Yardsticks", "pass of LLaDA-8B on an H100, per row of 512 tokens (declared, not measured)", LLADA_SECONDS
    )
