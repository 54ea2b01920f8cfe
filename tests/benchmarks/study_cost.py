"""Studies: wall-clock time and memory, each measurement in a new process.

``python -m tests.benchmarks.study_run 100000 2`` and ``python -m tests.benchmarks.large_study`` measure larger ones.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.large_study import STEPS
from tests.benchmarks.measure import Row, in_new_process

SECTION = "Studies"
SEQUENCES = 300
ITEMS, ESTIMATORS = 3_000, 20


def runs() -> Iterable[Row]:
    """20 estimators, 4 replicates of 32 passes each, under an exact law."""
    one, two = (in_new_process("study_run", SEQUENCES, workers) for workers in (1, 2))
    cell = f"{SEQUENCES:,} sequences x 20 estimators x 4 replicates of 32 passes"
    yield Row(SECTION, f"{cell}: two workers", two["seconds"], "wall-clock seconds")
    yield Row(
        SECTION, f"{cell}: speed of two workers with their start, one = 1", one["seconds"] / two["seconds"], "ratio"
    )
    yield Row(SECTION, f"{cell}: the report", two["seconds of the report"], "wall-clock seconds")
    yield Row(SECTION, f"{cell}: peak", two["MiB"], "MiB")
    yield Row(SECTION, f"{cell}: peak of the largest worker", two["MiB of the largest worker"], "MiB")


def summaries() -> Iterable[Row]:
    """Summary and report of a study of many sequences, from draws on disk."""
    cell = f"{ITEMS:,} sequences x {ESTIMATORS} estimators x 8 replicates"
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            found = in_new_process("large_study", step, folder, ITEMS, ESTIMATORS)
            if step != "make":
                yield Row(SECTION, f"{cell}: {step}", found["seconds"])
                yield Row(SECTION, f"{cell}: {step}, peak", found["MiB"], "MiB")
        page = Path(folder) / "out" / "report.html"
        yield Row(SECTION, f"{cell}: report.html", page.stat().st_size / 2**20, "MiB")
