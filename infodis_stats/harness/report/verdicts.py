"""Verdicts on an evaluation."""

import numpy as np
import xarray as xr

from infodis_stats.diagnostics import Diagnosis, Verdict
from infodis_stats.diagnostics.construction import caution_verdicts
from infodis_stats.diagnostics.verdict import concise, counted
from infodis_stats.harness.report.view import View, scores_of
from infodis_stats.results.validity import CAUTIONS

__all__ = ["diagnose_evaluation", "noise_unknown"]


def diagnose_evaluation(view: View) -> Diagnosis:
    """Check the cautions of choices and documents, failures, and whether the noise of the masks is known."""
    return Diagnosis([*_cautions(view), *_failed(view), *_noise(view), *_undecided(view)])


def noise_unknown(view: View) -> list[str]:
    """Name the tasks and scores whose mask noise is not known, because estimates have no standard error."""
    return [
        f"{name}, {score}"
        for name, part in view.accuracies.items()
        for score in scores_of(part)
        if np.isnan(part["mask_stderr"].sel(score=score))
    ]


def _cautions(view: View) -> list[Verdict]:
    verdicts = []
    for key, caution in CAUTIONS.items():
        counts = {name: _cautioned(data, key) for name, data in view.known.items()}
        named = ", ".join(f"{count:,} in {name}" for name, count in counts.items() if count)
        if named:
            verdicts.append(Verdict(key, caution.verdict, caution.sentence, caution.advice, named))
    return verdicts or (caution_verdicts([]) if view.known else [])


def _cautioned(data: xr.Dataset, key: str) -> int:
    """Return for how many choices or documents a caution holds."""
    known = key in data["caution"].values
    return int(data["cautions"].sel(caution=key).sum()) if known else 0


def _failed(view: View) -> list[Verdict]:
    if not view.failures:
        return []
    names = [f"{task} {document}" for task, document, _ in view.failures]
    reason = f"the model failed on {counted(len(names), 'item')}, which all numbers leave out"
    return [Verdict("failed", "caution", reason, "fix the model, or leave these out", concise(names))]


def _noise(view: View) -> list[Verdict]:
    unknown = noise_unknown(view)
    if not unknown:
        return []
    reason = "the noise of the masks is not known, because estimates have no standard error"
    return [Verdict("mask noise", "caution", reason, "use auto, or more passes", concise(unknown))]


def _undecided(view: View) -> list[Verdict]:
    if not view.accuracies:
        return []
    undecided, questions = (
        sum(int(part[key]) for part in view.accuracies.values()) for key in ("undecided_by_any", "questions")
    )
    measured = f"{undecided:,} of {counted(questions, 'question')} undecided"
    return [Verdict("undecided questions", "fine", "the intervals include both outcomes of these", "", measured)]
