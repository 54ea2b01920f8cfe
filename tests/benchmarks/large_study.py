"""A large study with simulated estimates; as a module, run one step of it and print its peak memory and time.

Each step runs in its own process, whose peak memory no earlier step can mask. ``make`` writes the draws,
``summarise`` reads them cell by cell and stores the study, ``read`` opens it, ``report`` rewrites its report.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

import infodis_stats as ids
from infodis_stats.io.store import SCHEMA
from infodis_stats.results.validity import caution_variable
from infodis_stats.studies import rewrite_report
from infodis_stats.studies.comparison.summary import summarise
from tests.benchmarks.head_memory import proc

PASSES, REPLICATES = 100, 8
STEPS = ("make", "summarise", "read", "report")


def make(folder: Path, items: int, estimators: int) -> None:
    """Sequences and estimators of unequal variance, with skewed terms."""
    rng = np.random.default_rng(0)
    cell = ["item", "estimator", "passes"]
    coords = {
        "item": [f"made up/{index}" for index in range(items)],
        "group": ("item", ["made up"] * items),
        "estimator": [f"estimator {place}" for place in range(estimators)],
        "passes": [PASSES],
    }
    truth = rng.normal(100, 10, items)
    scale = rng.gamma(2.0, size=(items, 1, 1, 1)) * np.linspace(1, 3, estimators)[:, None, None]
    estimates = rng.gamma(4.0, size=(items, estimators, 1, REPLICATES))
    estimates -= 4.0
    estimates *= scale
    estimates += truth[:, None, None, None]
    grid = (items, estimators, 1)
    draws = {
        "estimate": ([*cell, "replicate"], estimates),
        "forward_passes": (cell, np.full(grid, float(PASSES * REPLICATES))),
        "khat": (cell, rng.random(grid)),
    }
    xr.Dataset(draws, coords).to_netcdf(folder / "draws.nc", engine="h5netcdf")
    known = {
        "truth": ("item", truth),
        "truth_se": ("item", np.zeros(items)),
        "exact_pass_variance": (["item", "estimator"], np.full(grid[:2], np.nan)),
        "effective_positions": ("item", np.full(items, 20.0)),
        "full_mask_ratio": ("item", np.ones(items)),
    }
    del coords["passes"]
    xr.Dataset(known, coords).to_netcdf(folder / "truth.nc", engine="h5netcdf")


def summarised(folder: Path) -> xr.DataTree:
    draws, truth = (xr.open_dataset(folder / name, engine="h5netcdf", cache=False) for name in ("draws.nc", "truth.nc"))
    summary = summarise(draws, truth, reference="estimator 0")
    summary["cautions"] = caution_variable(["group", "estimator"], [[]] * draws.sizes["estimator"], [1, -1])
    provenance = {
        "spec": "",
        "seed": 0,
        "model": "none",
        "versions": "{}",
        "forward_passes": 0,
        "failed": "{}",
        "not_run": "[]",
    }
    tree = xr.DataTree.from_dict(
        {"draws": draws, "truth": truth, "summary": summary, "provenance": xr.Dataset(attrs=provenance)}
    )
    tree.attrs = {"title": "Made up", "kind": "comparison", "schema": SCHEMA, "truth_passes": 0, "quantity": "nll"}
    return tree


def measured(step: str, folder: Path, items: int, estimators: int) -> dict[str, float]:
    before, started = proc("self/status", "VmRSS"), time.process_time()
    tree = None
    if step == "make":
        make(folder, items, estimators)
    elif step == "summarise":
        tree = summarised(folder)
    elif step == "read":
        ids.read_store(folder)
    else:
        rewrite_report(folder, folder / "out")
    found = {"MiB": proc("self/status", "VmHWM") - before, "seconds": time.process_time() - started}
    if tree is not None:
        ids.write_store(tree, folder / "study.nc")
    return found


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
