"""Wall time and memory of a study: two workers against one, many sequences against few.

Every measurement runs in a new process.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.study_run import ESTIMATORS

ROOT = Path(__file__).parents[2]


def run(*numbers):
    command = [sys.executable, "-m", "tests.benchmarks.study_run", *map(str, numbers)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_two_workers_against_one(benchmark):
    """A compute-bound study that takes minutes, including imports and process starts; needs two idle cores."""

    def compare():
        one, two = (run(10_000, workers)["seconds"] for workers in (1, 2))
        return one / two

    benchmark.extra_info["speed-up of two workers"] = benchmark.pedantic(compare, rounds=1)


@pytest.mark.parametrize("sequences", [1_000, 100_000])
def test_many_sequences(benchmark, sequences):
    """20 estimators, 4 replicates of 32 passes each; the larger one takes a quarter of an hour on two cores."""
    assert len(ESTIMATORS) == 20
    measured = benchmark.pedantic(run, (sequences, 2), rounds=1)
    for name, value in measured.items():
        benchmark.extra_info[f"{sequences} sequences, {name}"] = value
