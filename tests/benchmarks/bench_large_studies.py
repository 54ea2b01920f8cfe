"""Time and peak memory of each step of a study of 100,000 sequences after its forward passes."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from tests.benchmarks.large_study import PASSES, REPLICATES, STEPS

ROOT = Path(__file__).parents[2]


def test_summary_and_report_of_a_large_study(benchmark, tmp_path):
    """100,000 sequences x 20 estimators x 8 replicates of 100 passes, starting from draws on disk (takes minutes)."""
    items, estimators = 100_000, 20

    def measured(step):
        command = [sys.executable, "-m", "tests.benchmarks.large_study", step, tmp_path, str(items), str(estimators)]
        return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)

    costs = benchmark.pedantic(lambda: {step: measured(step) for step in STEPS}, rounds=1)
    table = pd.read_csv(tmp_path / "out" / "tables" / "summary.csv")
    assert len(table) == estimators
    assert "500 of" in (tmp_path / "out" / "figures" / "estimates.svg").read_text()
    size = f"{items} sequences x {estimators} estimators x {REPLICATES} replicates of {PASSES} passes"
    benchmark.extra_info["size"] = size
    benchmark.extra_info["MiB of estimates"] = items * estimators * REPLICATES * 8 / 2**20
    for step in STEPS[1:]:
        benchmark.extra_info |= {f"{step}, {unit}": costs[step][unit] for unit in ("MiB", "seconds")}
    benchmark.extra_info["report.html, MiB"] = (tmp_path / "out" / "report.html").stat().st_size / 2**20
