"""Processor time to start: of the command line, relative to the import of torch, in new processes."""

import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.measure import ROOT, Row

SECTION = "Start-up, import of torch = 1"


def processor_time(*arguments: str) -> float:
    """Return the median over three processes, system calls included."""

    def used() -> float:
        total = resource.getrusage(resource.RUSAGE_CHILDREN)
        return total.ru_utime + total.ru_stime

    found = []
    for _ in range(3):
        before = used()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
        found.append(used() - before)
    return statistics.median(found)


def startup() -> Iterable[Row]:
    torch = processor_time("-c", "import torch")
    yield Row("Yardsticks", "import of torch in a new process", torch)
    with tempfile.TemporaryDirectory() as folder:
        sequence = Path(folder) / "sequence.txt"
        sequence.write_text("ACGT" * 8 + "\n")
        for cell, arguments in (
            ("--help", ["--help"]),
            ("study --help", ["study", "--help"]),
            ("estimators", ["estimators"]),
            ("schema", ["schema"]),
            ("nll of a sequence of 32 symbols under a Markov chain", ["nll", "reports/dna_markov.toml", str(sequence)]),
        ):
            yield Row(SECTION, cell, processor_time("-m", "infodis_stats", *arguments) / torch, "ratio")
