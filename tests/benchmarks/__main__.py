"""Measure speed and memory, and write them as one table: ``python -m tests.benchmarks [after]``.

The argument names the run; its numbers are kept in ``reports/speed/NAME.csv``, and ``reports/speed.md`` shows the run
``before`` beside ``after``. Nothing is asserted.
"""

import sys
import time

import torch

from tests.benchmarks import estimator_cost, evaluation_cost, law_cost, network_cost, startup_cost, study_cost
from tests.benchmarks.measure import yardsticks
from tests.benchmarks.table import write_run, write_table

BENCHMARKS = (
    yardsticks,
    estimator_cost.regression,
    estimator_cost.all_estimators,
    evaluation_cost.shares,
    evaluation_cost.mixed_lengths,
    evaluation_cost.memory,
    law_cost.conditionals,
    law_cost.against_plain_loops,
    network_cost.against_bare_passes,
    network_cost.large_head,
    network_cost.against_a_plain_loop,
    network_cost.accelerated,
    startup_cost.startup,
    study_cost.runs,
    study_cost.summaries,
)


def main(name: str = "after") -> None:
    torch.set_num_threads(1)
    rows = []
    for benchmark in BENCHMARKS:
        started = time.perf_counter()
        rows += list(benchmark())
        words = f"{benchmark.__module__.rpartition('.')[2]}.{benchmark.__name__}"
        print(f"{words}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    write_run(rows, name)
    print(f"The table is {write_table()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
