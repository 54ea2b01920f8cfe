"""Run a study of many short sequences; as a module, print its cost: ``study_run SEQUENCES WORKERS``.

It runs in its own process, whose peak memory no earlier work can mask.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import infodis_stats as ids
from tests.benchmarks.head_memory import proc

DESIGNS = ("", "+antithetic", "+stratified", "+latin-hypercube", "+sobol")
ESTIMATORS = [f"{sizes}{design}" for sizes in ("time-integral", "time-free", "uniform-count") for design in DESIGNS]
ESTIMATORS += ["systematic", "chain", "chain+antithetic", "block-chain+antithetic", "auto"]

STUDY = """
title = "many sequences"
seed = 0
passes = [32]
replicates = 4
interval_replicates = 4
reference = "time-free"
estimators = {estimators}
[law]
kind = "markov-chain"
order = 1
alphabet = "ACGT"
seed = 0
[[targets]]
name = "many"
count = {sequences}
length = 16
"""


def measured(sequences: int, workers: int) -> dict[str, float]:
    """Return wall-clock seconds of the study and of its report, peak MiB of this process, and passes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(STUDY.format(sequences=sequences, estimators=json.dumps(ESTIMATORS)), encoding="utf-8")
        started = time.perf_counter()
        tree = ids.run_study(path, ledger=Path(folder) / "ledger", workers=workers)
        ran = time.perf_counter()
        ids.write_report(tree, Path(folder) / "out")
        written = time.perf_counter()
    return {
        "seconds": ran - started,
        "seconds of the report": written - ran,
        "MiB": proc("self/status", "VmHWM"),
        "MiB of the largest worker": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        "passes": float(tree["provenance"].attrs["forward_passes"]),
    }


if __name__ == "__main__":
    print(json.dumps(measured(*map(int, sys.argv[1:]))))
