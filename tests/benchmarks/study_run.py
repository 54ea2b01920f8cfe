"""Run a study of many short sequences; as a script, print what it took: ``study_run.py SEQUENCES WORKERS``.

A process of its own, since the peak memory of another one would hide its own.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import infodis_stats as ids
from benchmarks.head_memory import proc

STUDY = """
title = "many sequences"
seed = 0
passes = [{passes}]
replicates = 4
interval_replicates = 4
reference = "time-free"
estimators = ["time-free", "time-free+stratified", "uniform-count", "uniform-count+stratified"]
[law]
kind = "markov-chain"
order = 2
alphabet = "ACGT"
seed = 0
[[targets]]
name = "many"
count = {sequences}
length = 24
"""


def measured(sequences: int, workers: int, passes: int = 25) -> dict[str, float]:
    """Return seconds of the clock, and peak MiB of this process and of the largest of its workers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(STUDY.format(sequences=sequences, passes=passes), encoding="utf-8")
        started = time.perf_counter()
        tree = ids.run_study(path, ledger=Path(folder) / "ledger", workers=workers)
        seconds = time.perf_counter() - started
        ids.write_report(tree, Path(folder) / "out")
    return {
        "seconds": seconds,
        "MiB": proc("self/status", "VmHWM"),
        "MiB of a worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "passes": float(tree["provenance"].attrs["forward_passes"]),
    }


if __name__ == "__main__":
    print(json.dumps(measured(*map(int, sys.argv[1:]))))
