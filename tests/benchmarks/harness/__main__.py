"""How much do accuracies vary with the seed, and what do races cost? Writes `reports/harness.md`.

``python -m tests.benchmarks.harness [--cache out/harness]`` runs what is not in the cache yet, and writes the page.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.benchmarks.harness.fullness import kept
from tests.benchmarks.harness.page import write_page
from tests.benchmarks.harness.runs import QUESTIONS, SETTINGS, read, run_all
from tests.benchmarks.measure import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.harness", description=__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "harness")
    parser.add_argument("--out", type=Path, default=ROOT / "reports")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seeds", type=int, help="fewer seeds than planned, for a trial")
    parser.add_argument("--questions", type=int, default=QUESTIONS, help="of each task")
    options = parser.parse_args()
    for line in run_all(options.cache, options.processes, options.seeds, options.questions):
        print(line, file=sys.stderr, flush=True)
    runs = {setting.key: read(options.cache, setting) for setting in SETTINGS}
    page = write_page(runs, kept(options.cache, options.questions), options.out)
    print(f"The page is {page}")


if __name__ == "__main__":
    main()
