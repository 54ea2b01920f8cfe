"""Data sets of what was scored: one per task, over its questions and choices or over its documents."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from infodis_stats.analysis import Estimates
from infodis_stats.analysis.variance_components import satterthwaite
from infodis_stats.estimates.questions import Finish
from infodis_stats.harness.requests import Document
from infodis_stats.harness.scored import Scored
from infodis_stats.models import TextModel
from infodis_stats.results.estimands import estimand_of_model
from infodis_stats.results.labels import Variable, describe
from infodis_stats.results.provenance import model_conventions, model_fingerprint, versions
from infodis_stats.results.validity import CAUTIONS, caution_variable

__all__ = ["evaluation_attributes", "task_data"]

VARIABLES = {
    "nll": Variable("nat", "negative log-likelihood"),
    "nll_se": Variable("nat", "standard error of the negative log-likelihood over masks"),
    "degrees": Variable("1", "degrees of freedom of the standard error"),
    "forward_passes": Variable("1", "forward passes run; those of equal choices count for the first"),
    "length": Variable("1", "scored tokens"),
    "dropped": Variable("1", "tokens of the context that did not fit into the model"),
    "choices": Variable("1", "number of choices"),
    "sizes": Variable("1", "what the log-likelihood of a choice is divided by"),
    "leader": Variable("1", "choice with the best score"),
    "p_value": Variable("1", "p-value of the claim that the leader is the model's own winner"),
    "answer_p_value": Variable(
        "1", "p-value of the claim that the model's own winner is right, or wrong, as the leader"
    ),
    "settled": Variable("1", "whether that p-value is at most the error of the race"),
    "win": Variable("1", "probability that a choice is the model's own winner"),
    "gold": Variable("1", "whether a choice is right"),
    "right": Variable("1", "whether the leader is right"),
    "residual": Variable("nat", "how far each pass moves the estimate off; the error is that of their mean"),
    "windows": Variable("1", "windows in which the text was scored"),
    "words": Variable("1", "words, as the harness counts them"),
    "bytes": Variable("1", "UTF-8 bytes"),
    "texts": Variable("1", "texts"),
    "failed": Variable("1", "why there is no estimate; empty where there is one"),
}


def evaluation_attributes(model: TextModel, settings: Mapping[str, Any], level: float) -> dict[str, Any]:
    """Return the attributes that all data sets of an evaluation share.

    Parameters
    ----------
    model : TextModel
    settings : mapping
        Estimator, budget and seed; None is left out.
    level : float
        Confidence level.
    """
    return {name: value for name, value in settings.items() if value is not None} | {
        "estimand": estimand_of_model(model),
        "model": model.describe(),
        "model_fingerprint": model_fingerprint(model),
        "model_conventions": model_conventions(model),
        "versions": json.dumps(versions()),
        "ci_prob": level,
    }


def task_data(
    name: str,
    task: Any,
    scored: Sequence[Scored],
    failed: Mapping[int, str],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Return the data set of a task.

    Parameters
    ----------
    name : str
    task : lm_eval.api.task.Task
    scored : sequence of Scored
        Of the documents that were scored; their numbers are the harness' own.
    failed : mapping of int to str
        Of other documents, why they were not.
    attributes : mapping
        Of `evaluation_attributes`.

    Returns
    -------
    xarray.Dataset
        Its attribute ``kind`` is ``"choices"`` if the task chooses among continuations, ``"perplexity"`` if it has
        texts, or one continuation per document, and ``"likelihoods"`` if it makes something else of several
        likelihoods. Choices: over ``question``, ``choice`` and ``score``, padded over choices. Texts: over
        ``document``.
    """
    documents = sorted(scored, key=lambda each: each.document.doc_id)
    ids = [each.document.doc_id for each in documents]
    rows: list[Scored | None] = [*documents, *[None] * len(failed)]
    index = np.array([*ids, *failed], dtype=np.int64)
    problems = [*[""] * len(documents), *failed.values()]
    if any(each.document.sizes for each in documents):
        data, kind, unit = _choices(task, rows), "choices", "question"
    elif task.OUTPUT_TYPE == "multiple_choice" or any(len(each.document.numbers) > 1 for each in documents):
        data, unit = _likelihoods(rows), "question"
        kind = "likelihoods" if documents else "choices"
    else:
        data, kind, unit = _texts(task, rows), "perplexity", "document"
    data = data.assign_coords({unit: index})
    data["failed"] = unit, np.array(problems, dtype=object).astype(str)
    described = describe(data.sortby(unit), VARIABLES)
    described.attrs = {"kind": kind, "task": name, **attributes}
    return described


# -- choices


def _likelihoods(rows: Sequence[Scored | None]) -> xr.Dataset:
    most = max((len(row.document.numbers) for row in rows if row is not None), default=1)
    floats = {name: np.full((len(rows), most), np.nan) for name in ("nll", "nll_se", "degrees")}
    counts = {name: np.zeros((len(rows), most), dtype=np.int64) for name in ("forward_passes", "length", "dropped")}
    cautions: list[list[Any]] = [[] for _ in range(len(rows) * most)]
    longest = max((len(part) for row in rows if row is not None for part in row.finishes[0].residuals), default=0)
    residual = np.full((len(rows), most, longest), np.nan)
    requests = np.zeros(len(rows), dtype=np.int64)
    for number, row in enumerate(rows):
        if row is None:
            continue
        finish, target_of = row.finishes[0], row.document.parts.argmax(axis=1)
        requests[number] = len(target_of)
        first = np.array([target_of.tolist().index(target) == at for at, target in enumerate(target_of)])
        here = number, slice(len(target_of))
        for name, values in floats.items():
            values[here] = getattr(finish, name)[target_of]
        counts["forward_passes"][here] = finish.forward_passes[target_of] * first
        counts["length"][here] = finish.length[target_of]
        counts["dropped"][here] = row.document.dropped
        for at, target in enumerate(target_of):
            cautions[number * most + at] = [CAUTIONS[key] for key in finish.cautions[target]]
            own = finish.residuals[target]
            residual[number, at, : len(own)] = own
    variables = {name: (("question", "choice"), values) for name, values in (floats | counts).items()}
    data = xr.Dataset(variables)
    data["choices"] = "question", requests
    data["residual"] = ("question", "choice", "pass"), residual
    data["cautions"] = caution_variable(["question", "choice"], cautions, [len(rows), most])
    return data


def _choices(task: Any, rows: Sequence[Scored | None]) -> xr.Dataset:
    data = _likelihoods(rows)
    documents = [row.document for row in rows if row is not None]
    names = list(next(document.sizes for document in documents if document.sizes))
    most = max(document.choices for document in documents)
    data = _without_unconditional(data, rows, most)
    shape = len(rows), len(names)
    sizes, win = np.full((len(names), len(rows), most), np.nan), np.full((*shape, most), np.nan)
    leader = np.full(shape, -1, dtype=np.int64)
    p_value, answer_p_value = np.full((2, *shape), np.nan)
    settled, right = np.zeros((2, *shape), dtype=bool)
    gold = np.zeros((len(rows), most), dtype=bool)
    choices = np.zeros(len(rows), dtype=np.int64)
    for number, row in enumerate(rows):
        if row is None:
            continue
        document, finish = row.document, row.finishes[0]
        count = choices[number] = document.choices
        gold[number, :count] = _gold(task, document, count)
        for at, name in enumerate(names):
            sizes[at, number, :count] = document.sizes[name]
            win[number, at, :count] = finish.win[name]
            leader[number, at], p_value[number, at] = finish.leaders[name], finish.p_values[name]
            settled[number, at] = finish.settled[name]
            right[number, at] = gold[number, finish.leaders[name]]
            # All choices of the other kind must be rejected: where the leader is wrong, the right ones alone.
            other = gold[number, :count] != right[number, at]
            answer_p_value[number, at] = finish.rejected[name][other].max(initial=0.0)
    data["choices"] = "question", choices
    data["gold"] = ("question", "choice"), gold
    data["sizes"] = ("score", "question", "choice"), sizes
    data["win"] = ("question", "score", "choice"), win
    of_scores = {
        "leader": leader,
        "p_value": p_value,
        "answer_p_value": answer_p_value,
        "settled": settled,
        "right": right,
    }
    data = data.assign({name: (("question", "score"), values) for name, values in of_scores.items()})
    return data.assign_coords(score=names)


def _without_unconditional(data: xr.Dataset, rows: Sequence[Scored | None], most: int) -> xr.Dataset:
    # Requests without context, for mutual information, follow the choices; their passes are those of the choices.
    passes = data["forward_passes"].values
    for number, row in enumerate(rows):
        if row is not None:
            count = row.document.choices
            passes[number, :count] += passes[number, count : 2 * count] if passes.shape[1] >= 2 * count else 0
    return data.isel(choice=slice(most))


def _gold(task: Any, document: Document, count: int) -> NDArray[np.bool_]:
    """Return which choices are right, as the harness reads the task."""
    answer = task.doc_to_text(document.doc) if task.multiple_input else task.doc_to_target(document.doc)
    choices = task.doc_to_choice(document.doc) if any(isinstance(each, str) for each in _listed(answer)) else []
    known = [each for each in _listed(answer) if not isinstance(each, str) or each in choices]
    indices = [choices.index(each) if isinstance(each, str) else int(each) for each in known]
    gold = np.zeros(count, dtype=bool)
    gold[[index for index in indices if 0 <= index < count]] = True
    return gold


def _listed(answer: object) -> list[Any]:
    return list(answer) if isinstance(answer, list | tuple) else [answer]


# -- texts


def _texts(task: Any, rows: Sequence[Scored | None]) -> xr.Dataset:
    rolling = task.OUTPUT_TYPE == "loglikelihood_rolling"
    columns: dict[str, list[float]] = {name: [] for name in ("nll", "nll_se", "degrees")}
    counts: dict[str, list[int]] = {name: [] for name in ("forward_passes", "windows", "length", "dropped")}
    counts |= {name: [] for name in (("words", "bytes") if rolling else ("texts",))}
    cautions: list[list[Any]] = []
    for row in rows:
        finishes: tuple[Finish, ...] = () if row is None else row.finishes
        nll, error, degrees = _summed(finishes)
        columns["nll"].append(nll)
        columns["nll_se"].append(error)
        columns["degrees"].append(degrees)
        counts["forward_passes"].append(sum(int(finish.forward_passes.sum()) for finish in finishes))
        counts["windows"].append(len(finishes))
        counts["length"].append(sum(int(finish.length.sum()) for finish in finishes))
        counts["dropped"].append(0 if row is None else int(row.document.dropped.sum()))
        if not rolling:
            counts["texts"].append(1)
        else:
            text = "" if row is None else task.doc_to_target(row.document.doc)
            counts["words"].append(task.count_words(text) if row is not None else 0)
            counts["bytes"].append(task.count_bytes(text) if row is not None else 0)
        keys = {key for finish in finishes for of_target in finish.cautions for key in of_target}
        cautions.append([CAUTIONS[key] for key in sorted(keys)])
    data = xr.Dataset({name: ("document", np.array(values)) for name, values in (columns | counts).items()})
    data["cautions"] = caution_variable(["document"], cautions, [len(rows)])
    return data


def _summed(finishes: Sequence[Finish]) -> tuple[float, float, float]:
    """Return the sum over independent windows, its standard error and its degrees of freedom."""
    if not finishes:
        return np.nan, np.nan, np.nan
    nll, error, degrees = (
        np.array([getattr(finish, name)[0] for finish in finishes]) for name in ("nll", "nll_se", "degrees")
    )
    if np.isnan(error).any():
        return float(nll.sum()), np.nan, np.nan
    return float(nll.sum()), float(np.sqrt((error**2).sum())), satterthwaite(Estimates(nll, error, degrees))
