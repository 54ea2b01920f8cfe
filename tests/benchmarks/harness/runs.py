"""The runs: the harness on local tasks, under published ways to count and under ours, with many seeds.

What a run found is kept in its own folder; a run whose folder is there is not repeated.
"""

import contextlib
import functools
import itertools
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import xarray as xr

import infodis_stats as ids
from estimators import Estimator, estimator
from infodis_stats.harness.evaluation import LoadedTasks, evaluate_tasks
from infodis_stats.harness.language_model import DiffusionLM
from tests.benchmarks.harness.copies import Copied
from tests.benchmarks.measure import ROOT

MODEL = "austen-bpe"
TASKS = ("austen_endings", "austen_pairs", "austen_letters")
QUESTIONS = 60  # of each task: the first ones

REFERENCE_PASSES, REFERENCE_SEED = 1024, 1000
SEEDS = {1: 16, 4: 8, 8: 8, 16: 8, 32: 6, 128: 6}
RACE_SEEDS, OTHER_SEEDS = 8, 4


@dataclass(frozen=True, eq=False)
class Setting:
    """A way to count, with its seeds."""

    key: str
    words: str
    seeds: Sequence[int]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passes(self) -> int | None:
        """Passes for each choice, where they are fixed."""
        return self.options.get("passes")


def copied(who: str, scheme: str, batch: int, every: Mapping[int, int]) -> list[Setting]:
    settings = []
    for passes, seeds in every.items():
        size = min(batch, passes)
        how: Estimator = Copied(estimator(scheme), size)
        key = f"{scheme}-{size}-{passes}"
        words = f"{who}, {'one batch' if size == passes else f'batches of {size}'}"
        settings.append(Setting(key, words, range(seeds), {"estimator": how, "passes": passes}))
    return settings


PUBLISHED = {passes: SEEDS[passes] for passes in (1, 8, 32, 128)}
LLADA = copied("LLaDA", "published-llada", 32, PUBLISHED)
DREAM = copied("Dream", "published-dream", 32, PUBLISHED)
OTHER_BATCHES = [
    *copied("LLaDA", "published-llada", 1, {128: OTHER_SEEDS}),
    *copied("Dream", "published-dream", 1, {128: OTHER_SEEDS}),
]
FIXED = [
    Setting(f"auto-{passes}", "auto, fixed passes", range(SEEDS[passes]), {"passes": passes})
    for passes in (4, 8, 16, 32)
]
RACES = [
    Setting(f"race-{error:g}", f"race, error={error:g}", range(RACE_SEEDS), {"error": error}) for error in (0.01, 0.05)
]
REFERENCE = Setting("reference", "reference", [REFERENCE_SEED], {"passes": REFERENCE_PASSES})
SETTINGS = [REFERENCE, *RACES, *FIXED, *LLADA, *DREAM, *OTHER_BATCHES]


@dataclass(frozen=True, eq=False)
class Run:
    """What one seed of a setting found: the harness' own numbers and the questions, by task."""

    results: dict[str, dict[str, Any]]
    tasks: dict[str, xr.Dataset]


@functools.cache
def loaded() -> tuple[Any, LoadedTasks]:
    torch.set_num_threads(1)
    return ids.load_model(MODEL), LoadedTasks(TASKS, ROOT / "reports" / "tasks")


def folder_of(cache: Path, setting: Setting, seed: int) -> Path:
    return cache / setting.key / str(seed)


def evaluate(folder: Path, options: Mapping[str, Any], seed: int, most: int) -> str:
    """Run all tasks with one seed and keep what was found."""
    network, tasks = loaded()
    started = time.perf_counter()
    model = DiffusionLM(network, seed=seed, **options)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        evaluation = evaluate_tasks(model, tasks, limit=most, log_samples=False)
    assert evaluation is not None
    part.mkdir(parents=True)
    evaluation.write(part)
    part.rename(folder)
    return f"{folder.parent.name} {seed}: {time.perf_counter() - started:.0f} s"


def run_all(cache: Path, processes: int, seeds: int | None, most: int) -> Iterator[str]:
    """Run what is not there yet; fewer seeds and questions than planned are for trials."""
    chosen = [(setting, seed) for setting in SETTINGS for seed in itertools.islice(setting.seeds, seeds)]
    waiting = [(setting, seed) for setting, seed in chosen if not folder_of(cache, setting, seed).exists()]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        done = [
            pool.submit(evaluate, folder_of(cache, setting, seed), setting.options, seed, most)
            for setting, seed in waiting
        ]
        for each in done:
            yield each.result()


def read(cache: Path, setting: Setting) -> list[Run]:
    """Return the runs of a setting, in the order of the seeds, as far as they are there."""
    folders = [folder_of(cache, setting, seed) for seed in setting.seeds]
    return [_run(folder) for folder in folders if folder.exists()]


def _run(folder: Path) -> Run:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]
    with xr.open_datatree(folder / "questions.nc", engine="h5netcdf") as tree:
        tasks = {name: tree[name].to_dataset().drop_vars(["residual", "cautions"], errors="ignore") for name in TASKS}
        return Run(results, {name: data.load() for name, data in tasks.items()})
