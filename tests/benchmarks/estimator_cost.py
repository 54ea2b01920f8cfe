"""Processor time of estimators: planning and reducing, per pass and row of one replicate."""

from collections.abc import Iterable

import numpy as np

from estimators import PassesError, estimator, estimator_names
from tests.benchmarks.measure import Row, cost

REGRESSION = [(4, 6), (16, 16), (32, 32), (64, 64), (64, 128), (64, 256), (256, 256), (512, 64), (1024, 16)]
REGRESSION += [(1024, 128), (2048, 128)]
LOSSES = 16  # arrays of losses of one plan, as the substitutes of one position give
LONG, FEW = 4096, 16


def planned(name, length, passes, count=1):
    rng = np.random.default_rng(0)
    plan = estimator(name).plan(length, passes, 1, rng)
    return plan, [plan.masks * rng.gamma(1.0, 1.0, plan.masks.shape) for _ in range(count)]


def regression() -> Iterable[Row]:
    """The reduction of `regression`, from few short passes to many long ones."""
    one, section = estimator("regression"), "Reduction by regression, per pass and row"
    for length, passes in REGRESSION:
        plan, (losses,) = planned("regression", length, passes)
        yield Row(section, f"({length:,}, {passes})", cost(lambda: one.reduce(plan, losses)) / passes)
    for length, passes in [(64, 64), (256, 64)]:
        plan, several = planned("regression", length, passes, LOSSES)
        if hasattr(one, "reductions"):
            seconds = cost(lambda: one.reductions(plan, several))
        else:
            seconds = cost(lambda: [(one.reduce(plan, each), one.within_variance(plan, each)) for each in several])
        yield Row(section, f"({length}, {passes}), {LOSSES} arrays of losses of one plan", seconds / passes / LOSSES)


def all_estimators() -> Iterable[Row]:
    """Planning of long sequences, and a replicate of usual size: plan, estimate and within-replicate variance."""
    for name in estimator_names():
        one, rng = estimator(name), np.random.default_rng(0)
        try:
            one.plan(LONG, FEW, 1, rng)
        except PassesError:
            continue
        if name != "auto" and not name.startswith("published"):
            seconds = cost(lambda: one.plan(LONG, FEW, 1, rng)) / FEW
            yield Row(f"Plan of {LONG:,} positions and {FEW} passes, per pass and row", name, seconds)
    for name in estimator_names():
        one, rng = estimator(name), np.random.default_rng(0)
        if one.family != "masked":
            continue
        try:
            plan, (losses,) = planned(name, 128, 64)
        except PassesError:
            continue

        def replicate():
            drawn = one.plan(128, 64, 1, rng)
            return one.reduce(plan, losses), one.within_variance(plan, losses), drawn

        yield Row("A replicate of 128 positions and 64 passes, per pass and row", name, cost(replicate) / 64)
    uniform = estimator("uniform-count+stratified")
    for length in (64, 1024):
        rng = np.random.default_rng(0)
        seconds = cost(lambda: uniform.plan(length, 128, 8, rng)) / (128 * 8)
        yield Row(
            "Plan of 8 replicates of 128 passes, per pass and row", f"{uniform.name}, {length:,} positions", seconds
        )
