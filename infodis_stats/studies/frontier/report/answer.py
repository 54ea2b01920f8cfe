"""The answer of a study of the frontier in words, each sentence with its number."""

from collections import Counter

import numpy as np
import xarray as xr
from scipy.stats import norm

from infodis_stats import analysis
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.numbers import band, significant
from infodis_stats.studies.frontier.report.cells import autos
from infodis_stats.studies.view import Study

__all__ = ["answer"]

QUOTED = (32, 128)  # passes


def answer(study: Study) -> list[str]:
    """Return the findings: which estimators win, by how much, the regret of auto, and significant biases."""
    summary, subjects = study.summary, study["subjects"]
    return [
        _overall(summary),
        *(_auto(summary, name) for name in autos(summary)),
        *_missed(summary),
        *(_subject(summary, subjects.sel(subject=name)) for name in subjects["subject"].values.tolist()),
    ]


def _overall(summary: xr.Dataset) -> str:
    """Count the wins over the whole study."""
    wins = Counter(filter(None, summary["winner"].values.ravel().tolist()))
    listed = ", ".join(f"{name} in {count}" for name, count in wins.most_common(4))
    others = summary["tied"] & ~summary["exact"] & (summary["estimator"] != summary["winner"])
    others = others.where(summary["winner"] != "", other=False)
    tied = int(others.any("estimator").sum())
    often = Counter({str(one["estimator"].item()): int(one.sum()) for one in others.transpose("estimator", ...)})
    names = ", ".join(f"{name} {count}" for name, count in often.most_common(3) if count)
    ties = f"; in {tied} of them others are not significantly different, most often {names}" if tied else ""
    return f"Of {counted(wins.total(), 'cell')}, the estimator with the least variance is {listed}{ties}."


def _subject(summary: xr.Dataset, averages: xr.Dataset) -> str:
    """Name the most frequent winner on a subject, and how many times less variance the best has than each rival."""
    name = str(averages["subject"].item())
    part = summary.isel(group=summary["subject"].values == name)
    wins = Counter(filter(None, part["winner"].values.ravel().tolist()))
    if not wins:
        return f"{name}: nothing could be run."
    most = max(wins.values())
    winners = " and ".join(winner for winner, count in wins.items() if count == most)
    often = "wins most often" if list(wins.values()).count(most) == 1 else "win equally often"
    passes = summary["passes"].values.tolist()
    quoted = [count for count in QUOTED if count in passes] or passes[-1:]
    gains = [_gains(averages.sel(passes=count)) for count in quoted]
    quotes = "".join(f"; at {counted(count, 'pass')} {gain}" for count, gain in zip(quoted, gains, strict=True) if gain)
    return f"{name}: {winners} {often} ({most} of {counted(wins.total(), 'cell')}){quotes}."


def _gains(averages: xr.Dataset) -> str:
    """Return the mean gain of the best over each rival in words; empty where it is unknown."""
    groups = int(averages["groups"])
    known: list[str] = []
    for rival in averages["rival"].values.tolist():
        part = averages.sel(estimator=rival)
        exact = int(part["regret_infinite"])
        if groups and exact == groups:
            return "the best is exact"
        if part["mean_regret"].notnull():
            words = "times less variance than" if not known else "than"
            known.append(f"{band(float(part['mean_regret']), *part['mean_regret_ci'].values.tolist())} {words} {rival}")
    of_exact = f" ({exact} of {counted(groups, 'group')} exact)" if exact else ""
    return f"the best has {', '.join(known)}{of_exact}" if known else ""


def _auto(summary: xr.Dataset, name: str) -> str:
    """Return the regret of auto in words, on average and at worst."""
    part = summary.sel(estimator=name)
    regret, ends = part["regret"], part["regret_ci"]
    with np.errstate(divide="ignore"):
        compared = np.isfinite(np.log(ends.values)).all(axis=-1)
    if not compared.any():
        return f"{name}: nothing to compare it with."
    logs = np.log(ends.values[compared])
    errors = (logs[:, 1] - logs[:, 0]) / (2 * norm.ppf((1 + summary.attrs["ci_prob"]) / 2))
    mean = analysis.geometric_mean(np.log(regret.values[compared]), errors, summary.attrs["ci_prob"])
    worst = regret.where(compared).argmax(["group", "passes"])
    largest, bounds = regret[worst], ends[worst].values.tolist()
    missed, alone = int(np.isposinf(regret).sum()), int((regret == 0).sum())
    exact = f"; another estimator is exact and it is not in {counted(missed, 'cell')}" if missed else ""
    exact += f"; it is exact and no other is in {counted(alone, 'cell')}" if alone else ""
    return (
        f"{name}: its variance is on average {band(float(mean.mean), float(mean.lower), float(mean.upper))} times that "
        f"of the best other estimator over {counted(int(compared.sum()), 'cell')}, at most "
        f"{band(float(largest), *bounds)} ({largest['group'].item()}, "
        f"{counted(int(largest['passes']), 'pass')}){exact}."
    )


def _missed(summary: xr.Dataset) -> list[str]:
    """Name the significantly biased estimators, where exact values are known."""
    p_values = summary["bias_p"].transpose("group", "estimator", "passes")
    known = int(p_values.notnull().sum())
    if not known:
        return []
    off = (p_values < 0.05).values
    if not off.any():
        largest = float(np.abs(summary["bias_z"]).max())
        return [
            f"No estimator is significantly biased: the largest |z| of {counted(known, 'cell')} is "
            f"{significant(largest, 2)} (Holm, 5 % family-wise)."
        ]
    names = Counter(p_values["estimator"].values[row] for _, row, _ in np.argwhere(off).tolist())
    listed = ", ".join(f"{name} in {count}" for name, count in names.most_common())
    return [
        f"Significantly biased (Holm, 5 % family-wise, {counted(known, 'cell')}): {listed}; those that are unbiased by "
        "construction have missed what carries the loss; none of these cells counts as a win."
    ]
