"""What a study costs by the clock and in memory: with two workers against one, with many sequences against few.

Everything runs in processes of its own; where benchmarks are switched off, a small study runs in this one.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.study_run import measured

ROOT = Path(__file__).parents[1]


def run(benchmark, *numbers):
    if not benchmark.enabled:
        return measured(sequences=2, workers=1, passes=4)
    command = [sys.executable, "-m", "benchmarks.study_run", *map(str, numbers)]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(found.stdout)


def test_two_workers_against_one(benchmark):
    """A compute-bound study of minutes, imports and starts of processes included; needs two idle cores."""

    def compare():
        one, two = (run(benchmark, 5_000, workers, 400)["seconds"] for workers in (1, 2))
        return one / two

    benchmark.extra_info["speed-up of two workers"] = benchmark.pedantic(compare, rounds=1)


@pytest.mark.parametrize("sequences", [1_000, 10_000])
def test_memory_of_many_sequences(benchmark, sequences):
    found = benchmark.pedantic(run, (benchmark, sequences, 2), rounds=1)
    for name, value in found.items():
        benchmark.extra_info[f"{sequences} sequences, {name}"] = value
