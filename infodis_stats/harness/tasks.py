"""What the harness' tasks make of likelihoods: accuracies, what they divide by, and what likelihoods do not say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators import InputError

__all__ = ["Scoring", "metrics_beyond_likelihoods", "needs_greedy", "scoring_of"]

DIVISORS: dict[str, Callable[[str], float]] = {
    "acc": lambda _: 1.0,
    "acc_norm": lambda choice: float(len(choice)),
    "acc_bytes": lambda choice: float(len(choice.encode(errors="surrogatepass"))),
    "acc_mutual_info": lambda _: 1.0,
}
OF_ACC = ("acc", "f1", "mcc")  # computed from the choice with the largest log-likelihood
GREEDY = {"loglikelihood": ("acc",), "multiple_choice": ("exact_match",)}


@dataclass(frozen=True, eq=False)
class Scoring:
    """How the likelihoods of a document's requests become scores of its choices.

    Attributes
    ----------
    sizes : mapping of str to array of float64, shape (choice,)
        By accuracy, what the log-likelihood of each choice is divided by; empty where nothing is decided.
    needs_values : bool
        Whether a metric needs the log-likelihoods themselves.
    """

    sizes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    needs_values: bool = True

    def matrix(self, name: str, parts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the matrix (choice, target) of a score, given which target each request asks for."""
        sizes = self.sizes[name]
        conditional = parts[: len(sizes)]
        if name == "acc_mutual_info":
            return conditional - parts[len(sizes) :]
        return conditional / sizes[:, None]


def scoring_of(task: Any, requests: Sequence[Any]) -> Scoring:
    """Return how the requests of a document are scored.

    Parameters
    ----------
    task : lm_eval.api.task.Task or None
        None if it is not known: then several requests are choices, by all accuracies.
    requests : sequence of Request
        In order of their ``idx``.

    Raises
    ------
    InputError
        If a choice is empty and its log-likelihood would be divided by its length.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> requests = [SimpleNamespace(args=("It is", text), idx=idx, doc={}) for idx, text in enumerate([" so", " true"])]
    >>> scoring = scoring_of(None, requests)
    >>> {name: sizes.tolist() for name, sizes in scoring.sizes.items()}
    {'acc': [1.0, 1.0], 'acc_norm': [2.0, 4.0], 'acc_bytes': [2.0, 4.0]}
    """
    if [request.idx for request in requests] != list(range(len(requests))):
        return Scoring()  # the harness' cache has answered some of the choices
    metrics: Mapping[str, Any] | None = getattr(task, "_metric_fn_list", None)
    if metrics is None:
        return _guessed(requests)
    if task.OUTPUT_TYPE != "multiple_choice" or callable(task.config.process_results):
        return Scoring()
    choices = task.doc_to_choice(requests[0].doc)
    wanted = [name for name in DIVISORS if name in metrics]
    if "acc" not in wanted and any(name in metrics for name in OF_ACC):
        wanted.insert(0, "acc")
    if len(requests) != len(choices) * (2 if "acc_mutual_info" in wanted else 1):
        return Scoring()
    others = [name for name in metrics if name not in (*DIVISORS, *OF_ACC)]
    return Scoring(_sizes(wanted, choices), needs_values=bool(others) or not wanted)


def metrics_beyond_likelihoods(task: Any) -> tuple[str, ...]:
    """Return the metrics of a task that need generated text, or whether greedy decoding would give the continuation.

    Parameters
    ----------
    task : lm_eval.api.task.Task
        Of one that computes its results with a function of its own, nothing is known: the answer is empty.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> lambada = SimpleNamespace(
    ...     OUTPUT_TYPE="loglikelihood",
    ...     _metric_fn_list={"perplexity": None, "acc": None},
    ...     config=SimpleNamespace(process_results=None),
    ... )
    >>> metrics_beyond_likelihoods(lambada)
    ('acc',)
    """
    metrics = tuple(getattr(task, "_metric_fn_list", ()))
    if task.OUTPUT_TYPE == "generate_until":
        return metrics
    if callable(getattr(getattr(task, "config", None), "process_results", None)):
        return ()
    return tuple(name for name in metrics if name in GREEDY.get(task.OUTPUT_TYPE, ()))


def needs_greedy(task: Any, requests: int) -> bool:
    """Return whether a metric may use what greedy decoding would give.

    Parameters
    ----------
    task : lm_eval.api.task.Task or None
        Of several requests of a task that is not known, the answer is False: they are choices.
    requests : int
        Number of requests of one document.

    Examples
    --------
    >>> needs_greedy(None, 1), needs_greedy(None, 4)
    (True, False)
    """
    metrics = getattr(task, "_metric_fn_list", None)
    if metrics is None:
        return requests == 1
    return bool(
        task.OUTPUT_TYPE != "multiple_choice" or callable(task.config.process_results) or "exact_match" in metrics
    )


def _guessed(requests: Sequence[Any]) -> Scoring:
    if len(requests) < 2:
        return Scoring()
    contexts, continuations = zip(*(request.args[:2] for request in requests), strict=True)
    count = len(requests)
    half = count // 2
    mutual = (
        count % 2 == 0
        and continuations[:half] == continuations[half:]
        and all(contexts[:half])
        and not any(contexts[half:])
    )
    texts = continuations[:half] if mutual else continuations
    first, last = min(texts), max(texts)  # what these share, all share
    space = next((i for i, symbol in enumerate(first) if not symbol.isspace() or last[i] != symbol), len(first))
    names = [name for name in DIVISORS if mutual or name != "acc_mutual_info"]
    return Scoring(_sizes(names, [text[space:] for text in texts]), needs_values=False)


def _sizes(names: Sequence[str], choices: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    sizes = {name: np.array([DIVISORS[name](choice) for choice in choices]) for name in names}
    for name, values in sizes.items():
        if not values.all():
            raise InputError(
                f"choice {int(values.argmin())} is an empty text, by whose length {name} divides; give it a text, or "
                "leave that metric out"
            )
    return sizes
