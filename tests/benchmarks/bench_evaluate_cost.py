"""Overhead of `evaluate` relative to the model, and whether its memory grows with the number of sequences."""

import time
import tracemalloc

import numpy as np
import pytest
import torch

from estimators import Job, estimator, evaluate, make_targets

SAMPLER = estimator("uniform-count+stratified")


class Sleeper:
    """A model that takes 20 ms per batch, whatever the batch."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds, self.inside = seconds, 0.0

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        losses = masked.double()
        time.sleep(max(0.0, self.seconds - (time.perf_counter() - started)))
        self.inside += time.perf_counter() - started
        return losses


def jobs(sequences: int, length: int, passes: int, replicates: int):
    tokens = np.random.default_rng(0).integers(0, 4, size=(sequences, length))
    for index, target in enumerate(make_targets(tokens)):
        yield Job(target, SAMPLER.plan(length, passes, replicates, np.random.default_rng(index)))


@pytest.mark.parametrize(("length", "batch_size"), [(64, 64), (512, 32)])
def test_share_outside_the_model(benchmark, length, batch_size):
    """Plans are made in advance: their cost is the estimator's, not that of the evaluation."""
    planned = list(jobs(16, length, 32, 4))
    shares = []

    def run():
        model, started = Sleeper(), time.perf_counter()
        for _ in evaluate(model, planned, batch_size=batch_size):
            pass
        shares.append(1 - model.inside / (time.perf_counter() - started))

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    benchmark.extra_info["share outside the model (median)"] = float(np.median(shares))


@pytest.mark.parametrize("length", [64, 1024])
def test_planning(benchmark, length):
    rng = np.random.default_rng(0)
    benchmark(lambda: SAMPLER.plan(length, 128, 8, rng))


def peak(sequences: int) -> float:
    tracemalloc.start()
    for _ in evaluate(Sleeper(0.0), jobs(sequences, 64, 128, 1)):
        pass
    used = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return used


def test_peak_memory_does_not_grow_with_the_sequences(benchmark):
    benchmark.pedantic(lambda: peak(10), rounds=1)
    for sequences in (10, 100, 1000):
        benchmark.extra_info[f"MiB at {sequences} sequences x 128 passes"] = peak(sequences)
