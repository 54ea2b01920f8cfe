"""Synthetic data sets of tasks of the evaluation harness: models whose own likelihoods are known, and mask noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special, stats

from infodis_stats.results.validity import CAUTIONS

FloatArray = NDArray[np.float64]

NODES, MASSES = np.polynomial.hermite_e.hermegauss(24)
LOOKS = (8, 16, 32, 64, 128)
SCORES = ("acc", "acc_norm")
CHARACTERS = 20


@dataclass(frozen=True, eq=False)
class Task:
    """A model's own negative log-likelihoods of the choices of a task.

    Parameters
    ----------
    nll : array of float64, shape (question, choice)
        Nats.
    gold : array of int64, shape (question,)
    noise : float
        Standard deviation of one pass, nats.
    characters : array of int64, shape (question, choice)
    """

    nll: FloatArray
    gold: NDArray[np.int64]
    noise: float
    characters: NDArray[np.int64]

    @classmethod
    def draw(cls, questions: int, choices: int, seed: int, *, spread: float = 3.0, noise: float = 4.0) -> "Task":
        """Draw a task: normal likelihoods, and a right choice that the model prefers."""
        rng = np.random.default_rng(seed)
        nll = 30 + spread * rng.normal(size=(questions, choices))
        preferred = stats.norm.rvs(size=nll.shape, random_state=rng) - nll / spread
        characters = rng.integers(CHARACTERS - 4, CHARACTERS + 5, nll.shape)
        return cls(nll, np.asarray(preferred.argmax(axis=1)), noise, characters)

    @cached_property
    def sizes(self) -> FloatArray:
        """Divisors of the scores, shape (score, question, choice)."""
        return np.stack([np.ones(self.nll.shape), self.characters / CHARACTERS])

    @cached_property
    def own_right(self) -> NDArray[np.bool_]:
        """Whether the model's own answer is right, shape (score, question)."""
        return np.asarray((self.nll / self.sizes).argmin(axis=-1) == self.gold)


def win_chances(scores: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the probability that each choice has the least score, for independent normal errors (..., choice)."""
    draws = scores[..., None] + errors[..., None] * NODES
    above = special.ndtr((scores[..., None, :, None] - draws[..., :, None, :]) / errors[..., None, :, None])
    own = np.eye(scores.shape[-1], dtype=bool)[..., None]
    chances = np.where(own, 1.0, above).prod(axis=-2) @ (MASSES / MASSES.sum())
    return np.asarray(chances / chances.sum(axis=-1, keepdims=True))


def run(
    task: Task, seed: int, *, error: float | None = 0.01, passes: int = 128, se_factor: float = 1.0, bias: float = 0.0
) -> dict[str, NDArray[np.generic]]:
    """Score a task with mask noise: races that stop when both winners are settled, or fixed passes.

    Parameters
    ----------
    task : Task
    seed : int
    error : float, optional
        Error of a race; None: fixed passes.
    passes : int
        Most passes per choice.
    se_factor : float
        Control: what the stated standard errors are multiplied by.
    bias : float
        Control: nats that the right choice's estimate is too low.
    """
    rng = np.random.default_rng(seed)
    questions, choices = task.nll.shape
    looks = [passes] if error is None else [look for look in LOOKS if look <= passes]
    total, done = np.zeros(task.nll.shape), 0
    own = np.arange(choices) == task.gold[:, None]
    spent = np.zeros(questions, dtype=np.int64)
    settled = np.zeros((len(SCORES), questions), dtype=bool)
    final: dict[str, NDArray[np.generic]] = {}
    open_questions = np.ones(questions, dtype=bool)
    for look in looks:
        total += rng.normal(0, task.noise * np.sqrt(look - done), task.nll.shape)
        done = look
        nll = task.nll + total / look - bias * own
        error_of = np.full(nll.shape, se_factor * task.noise / np.sqrt(look))
        scores, errors = nll / task.sizes, error_of / task.sizes
        leader = scores.argmin(axis=-1)
        best = np.take_along_axis(scores, leader[..., None], -1)
        best_error = np.take_along_axis(errors, leader[..., None], -1)
        z = np.where(
            np.arange(choices) == leader[..., None], np.inf, (scores - best) / np.sqrt(errors**2 + best_error**2)
        )
        # Over all looks and all other choices: valid for a race that stops.
        p_value = np.minimum(1.0, len(looks) * (choices - 1) * special.ndtr(-z.min(axis=-1)))
        settled = p_value <= (0.05 if error is None else error)
        state = {
            "nll": nll,
            "nll_se": error_of,
            "leader": leader,
            "p_value": p_value,
            "settled": settled,
            "win": win_chances(scores, errors),
        }
        for name, value in state.items():
            axis = 0 if value.shape[0] == questions and name in ("nll", "nll_se") else 1
            shape = [1] * value.ndim
            shape[axis] = questions
            final[name] = np.where(open_questions.reshape(shape), value, final.get(name, value))
        spent[open_questions] = look
        open_questions &= ~settled.all(axis=0)
    final["right"] = final["leader"] == task.gold
    final["forward_passes"] = np.broadcast_to(spent[:, None], task.nll.shape)
    return final


def choices_dataset(
    task: Task, scored: Mapping[str, NDArray[np.generic]], name: str = "synthetic", *, error: float | None = 0.01
) -> xr.Dataset:
    """Label a run as the data set of a multiple-choice task."""
    questions, choices = task.nll.shape
    by_choice, by_score = ["question", "choice"], ["question", "score"]
    win = np.moveaxis(np.asarray(scored["win"]), 0, 1)
    return xr.Dataset(
        {
            "nll": (by_choice, scored["nll"]),
            "nll_se": (by_choice, scored["nll_se"]),
            "forward_passes": (by_choice, scored["forward_passes"]),
            "length": (by_choice, np.maximum(1, task.characters // 4)),
            "sizes": (["score", *by_choice], task.sizes),
            "choices": ("question", np.full(questions, choices)),
            "leader": (by_score, np.asarray(scored["leader"]).T),
            "p_value": (by_score, np.asarray(scored["p_value"]).T),
            "answer_p_value": (by_score, np.asarray(scored["p_value"]).T),  # at most as large
            "settled": (by_score, np.asarray(scored["settled"]).T),
            "win": (["question", "score", "choice"], win),
            "gold": (by_choice, np.arange(choices) == task.gold[:, None]),
            "right": (by_score, np.asarray(scored["right"]).T),
            "cautions": ([*by_choice, "caution"], np.zeros((questions, choices, len(CAUTIONS)), dtype=bool)),
            "failed": ("question", np.full(questions, "", dtype="<U120")),
        },
        coords={"question": np.arange(questions), "score": list(SCORES), "caution": list(CAUTIONS)},
        attrs={"kind": "choices", "task": name, "estimator": "auto", "seed": 0, "most_passes": 128}
        | ({} if error is None else {"error": error})
        | {"model": "a synthetic model", "versions": "{}"},
    )


def with_failure(data: xr.Dataset, rows: Sequence[int], reason: str = "the model gave NaN") -> xr.Dataset:
    """Return a data set in which the model has failed on some questions or documents."""
    (unit,) = data["failed"].dims
    failed = data.copy(deep=True)
    at = {unit: list(rows)}
    failed["failed"][at] = reason
    for name in set(failed.data_vars) & {"nll", "nll_se", "p_value", "answer_p_value", "win"}:
        failed[name][at] = np.nan
    for name in set(failed.data_vars) & {"right", "settled"}:
        failed[name][at] = False
    return failed


def perplexity_dataset(documents: int, seed: int, *, name: str = "rolling", mask_seed: int = 0) -> xr.Dataset:
    """Return the data set of a perplexity task whose documents have about 2.5 nats per token."""
    rng, masks = np.random.default_rng(seed), np.random.default_rng(mask_seed)
    length = rng.integers(40, 400, documents)
    own = length * rng.normal(2.5, 0.3, documents)
    error = 0.3 * np.sqrt(length)
    return xr.Dataset(
        {
            "nll": ("document", own + masks.normal(0, error)),
            "nll_se": ("document", error),
            "degrees": ("document", np.full(documents, np.inf)),
            "forward_passes": ("document", 32 * (1 + length // 128)),
            "windows": ("document", 1 + length // 128),
            "length": ("document", length),
            "words": ("document", np.maximum(1, (length * 0.75).astype(np.int64))),
            "bytes": ("document", length * 4),
            "own_nll": ("document", own),
            "cautions": (["document", "caution"], np.zeros((documents, len(CAUTIONS)), dtype=bool)),
            "failed": ("document", np.full(documents, "", dtype="<U120")),
        },
        coords={"document": np.arange(documents), "caution": list(CAUTIONS)},
        attrs={"kind": "perplexity", "task": name, "estimator": "auto", "seed": 0, "passes": 32, "most_passes": 128}
        | {"model": "a synthetic model", "versions": "{}"},
    )


def harness_results(
    tasks: Mapping[str, xr.Dataset], groups: Mapping[str, Sequence[str]] | None = None, *, by_size: bool = True
) -> dict[str, Any]:
    """Return what the harness would return for tasks, with groups of multiple-choice tasks of the same metrics."""
    entries = {name: _entry(name, data) for name, data in tasks.items()}
    children = {name: list(names) for name, names in (groups or {}).items()}

    def leaves(name: str) -> list[str]:
        return [leaf for child in children[name] for leaf in (leaves(child) if child in children else [child])]

    merged = {name: _group(name, [entries[leaf] for leaf in leaves(name)], by_size=by_size) for name in children}
    names = [*entries, *merged]
    better = {"acc": True, "acc_norm": True, "word_perplexity": False, "byte_perplexity": False, "bits_per_byte": False}
    return {
        "results": {**{name: dict(entry) for name, entry in merged.items()}, **entries},
        **({"groups": merged} if merged else {}),
        "group_subtasks": children,
        "configs": {name: {"task": name} for name in entries},
        "versions": dict.fromkeys(names, 1.0),
        "n-shot": dict.fromkeys(names, 0),
        "higher_is_better": {name: dict(better) for name in names},
        "n-samples": {name: {"original": entry["sample_len"]} for name, entry in entries.items()},
    }


def _entry(name: str, data: xr.Dataset) -> dict[str, Any]:
    (unit,) = data["failed"].dims  # the harness is asked again without what has failed
    data = data.isel({unit: data["failed"].values == ""})
    entry: dict[str, Any] = {"name": name, "alias": name, "sample_len": data["failed"].size}
    if data.attrs["kind"] == "choices":
        for score in data["score"].values.tolist():
            right = data["right"].sel(score=score).values
            entry |= {f"{score},none": float(right.mean()), f"{score}_stderr,none": float(stats.sem(right))}
        return entry
    nll, units = float(data["nll"].sum()), {"word_perplexity": "words", "byte_perplexity": "bytes"}
    for metric, unit in units.items():
        entry |= {f"{metric},none": float(np.exp(nll / float(data[unit].sum()))), f"{metric}_stderr,none": "N/A"}
    entry |= {"bits_per_byte,none": float(nll / float(data["bytes"].sum()) / np.log(2))}
    return entry | {"bits_per_byte_stderr,none": "N/A"}


def _group(name: str, entries: Sequence[Mapping[str, Any]], *, by_size: bool) -> dict[str, Any]:
    sizes = np.array([entry["sample_len"] for entry in entries], dtype=np.float64)
    weights = sizes / sizes.sum() if by_size else np.full(len(sizes), 1 / len(sizes))
    group: dict[str, Any] = {"name": name, "alias": name, "sample_len": int(sizes.sum())}
    for score in SCORES:
        values, errors = (
            np.array([entry[f"{score}{part},none"] for entry in entries], dtype=np.float64) for part in ("", "_stderr")
        )
        pooled = np.sqrt(((sizes - 1) * errors**2 * sizes).sum() / (sizes.sum() - len(sizes)) / sizes.sum())
        equal = np.sqrt((errors**2).sum()) / len(errors)
        group |= {
            f"{score},none": float(weights @ values),
            f"{score}_stderr,none": float(pooled if by_size else equal),
        }
    return group
