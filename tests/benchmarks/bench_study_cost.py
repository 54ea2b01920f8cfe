"""What a study costs by the clock and in memory: with two workers against one, with many sequences against few.

Everything runs in processes of its own; where benchmarks are switched off, a small study runs in this one.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.study_run import ESTIMATORS, measured

ROOT = Path(__file__).parents[2]


def run(benchmark, *numbers):
    if not benchmark.enabled:
        return measured(sequences=2, workers=1)
    command = [sys.executable, "-m", "tests.benchmarks.study_run", *map(str, numbers)]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def test_two_workers_against_one(benchmark):
    """A compute-bound study of minutes, imports and starts of processes included; needs two idle cores."""

    def compare():
        one, two = (run(benchmark, 10_000, workers)["seconds"] for workers in (1, 2))
        return one / two

    benchmark.extra_info["speed-up of two workers"] = benchmark.pedantic(compare, rounds=1)


@pytest.mark.parametrize("sequences", [1_000, 100_000])
def test_many_sequences(benchmark, sequences):
    """20 estimators, 4 replicates of 32 passes each; the larger one takes a quarter of an hour on two cores."""
    assert len(ESTIMATORS) == 20
    found = benchmark.pedantic(run, (benchmark, sequences, 2), rounds=1)
    for name, value in found.items():
        benchmark.extra_info[f"{sequences} sequences, {name}"] = value
