"""`evaluate` and the functions above it: share of the time outside the model, calls for mixed lengths, memory."""

import statistics
import time
import tracemalloc
from collections.abc import Iterable

import numpy as np
import torch

import infodis_stats as ids
from estimators import Job, estimator, evaluate, make_targets
from tests.benchmarks.measure import Row

SAMPLER = estimator("uniform-count+stratified")
SECTION = "Evaluation"


class Sleeper:
    """A model that takes the same time for every batch, and counts its calls and positions."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.inside, self.calls, self.positions = seconds, 0.0, 0, 0

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        losses = masked.double()
        self.calls += 1
        self.positions += tokens.numel()
        time.sleep(max(0.0, self.seconds - (time.perf_counter() - started)))
        self.inside += time.perf_counter() - started
        return losses


class Padded(Sleeper):
    """A model that takes rows of unequal length."""

    takes_padding = True

    def token_nll(
        self, tokens: torch.Tensor, masked: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        return super().token_nll(tokens, masked)


def jobs(lengths, passes, replicates):
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 4, length) for length in lengths]
    for index, target in enumerate(make_targets(tokens)):
        yield Job(target, SAMPLER.plan(target.length, passes, replicates, np.random.default_rng(index)))


def shares() -> Iterable[Row]:
    """Wall-clock time outside a model of 20 ms a call. Plans are made in advance: their cost is the estimator's."""
    for length, batch_size in ((64, 64), (512, 32)):
        planned, found = list(jobs([length] * 16, 32, 4)), []
        for _ in range(4):
            model, started = Sleeper(0.02), time.perf_counter()
            for _ in evaluate(model, planned, batch_size=batch_size):
                pass
            found.append(1 - model.inside / (time.perf_counter() - started))
        cell = f"share outside a model of 20 ms a call, {length} tokens, batches of {batch_size}"
        yield Row(SECTION, cell, statistics.median(found[1:]), "share")


def mixed_lengths() -> Iterable[Row]:
    lengths = np.random.default_rng(0).integers(50, 551, size=500)
    cell = "500 texts of 50 to 550 tokens, 8 passes, batches of 256"
    for model, kind in ((Sleeper(), ""), (Padded(), ", a model that takes padding")):
        rows = sum(evaluation.forward_passes for evaluation in evaluate(model, jobs(lengths, 8, 1), batch_size=256))
        ideal, needed = -(-rows // 256), 8 * int(lengths.sum())
        yield Row(SECTION, f"{cell}{kind}: calls, fewest possible = 1", model.calls / ideal, "ratio")
        yield Row(SECTION, f"{cell}{kind}: positions with padding, without = 1", model.positions / needed, "ratio")


def peak(function) -> float:
    tracemalloc.start()
    function()
    used = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return used


def memory() -> Iterable[Row]:
    """Peaks of memory that Python and numpy allocate; the model allocates next to nothing."""

    def evaluated(texts):
        for _ in evaluate(Sleeper(), jobs([64] * texts, 128, 1)):
            pass

    for texts in (10, 100, 1000):
        cell = f"`evaluate`, {texts:,} texts of 64 tokens, 128 passes: peak"
        yield Row(SECTION, cell, peak(lambda: evaluated(texts)), "MiB")

    def estimated(texts):
        tokens = np.random.default_rng(0).integers(0, 4, size=(texts, 256))
        ids.estimate_nll(Sleeper(), tokens, "uniform-count+stratified", passes=16, replicates=2)

    estimated(2)  # imports
    for texts in (100, 400, 1600):
        cell = f"`estimate_nll`, {texts:,} texts of 256 tokens, 2 replicates of 16 passes: peak per text"
        yield Row(SECTION, cell, peak(lambda: estimated(texts)) * 1024 / texts, "KiB")
