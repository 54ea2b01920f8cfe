"""Estimands: which likelihood, or other quantity, a number estimates."""

from collections.abc import Mapping
from typing import Any

from estimators import Cell, Model
from estimators.estimator import estimator_of
from estimators.model import noise_of, prices_masks
from estimators.names import parse

__all__ = ["ESTIMANDS", "estimand_in_words", "estimand_notes", "estimand_of_cell", "estimand_of_model"]

ESTIMANDS = {
    "any-order": "the mean over orders of -log p(x | order), an upper bound on the order-marginal value",
    "order-marginal": "-log p(x) of generation in a random order, where p(x) is the mean over orders of p(x | order)",
    "sampler": "-log of the probability that a decoder generates x if it chooses positions by this rule",
    "left-to-right": "-log p(x | order) of the order from left to right",
    "right-to-left": "-log p(x | order) of the order from right to left",
    "order": "-log p(x | order) of one given order",
    "score-entropy": "the score-entropy bound on -log p(x) under this noise",
    "order-gap": "the any-order value minus the order-marginal one",
    "order-swap": "the change of -log p(x | order) when two neighbours of the order are swapped",
    "mutual-information": "the information that a noised sequence has of the clean one",
}
"""Every estimand by its name, which may have arguments in parentheses, in one phrase.

The order-marginal value is at most the any-order value. For a model whose conditionals come from one joint law they are
equal, and equal to the value of every decoder that writes one token per step. The orders of a block-diffusion model are
orders of each block.
"""


def estimand_in_words(estimand: str) -> str:
    """Return an estimand with what it is.

    Examples
    --------
    >>> estimand_in_words("order-gap")
    'order-gap, the any-order value minus the order-marginal one'
    >>> estimand_in_words("sampler(entropy, tokens_per_step=2)").partition(", -log")[0]
    'sampler(entropy, tokens_per_step=2)'
    """
    name = parse(estimand)
    words = ESTIMANDS.get(name.kind) if name else None
    return estimand if words is None else f"{estimand}, {words}"


def estimand_notes(attributes: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return what a result says of its estimand: a sentence, or none if it was stored before results named it.

    Examples
    --------
    >>> estimand_notes({"estimand": "order-gap"}), estimand_notes({})
    (('Estimand: order-gap, the any-order value minus the order-marginal one.',), ())
    """
    names = str(attributes.get("estimand", "")).split("; ")
    return tuple(f"Estimand: {estimand_in_words(name)}." for name in names if name)


def estimand_of_cell(cell: Cell, model: Model) -> str:
    """Return what a cell estimates: of a pair, on each side.

    Examples
    --------
    >>> from estimators import estimator, make_targets
    >>> from infodis_stats.laws import MarkovChain
    >>> law = MarkovChain.random(order=1, alphabet="AB", seed=0)
    >>> (target,) = make_targets([[0, 1]])
    >>> [estimand_of_cell(Cell(estimator(name), target, 4, 1), law) for name in ("auto", "score-entropy(uniform)")]
    ['any-order', 'score-entropy(uniform)']
    """
    estimator = estimator_of(cell.sampler)
    noise = None if estimator is None else estimator.noise
    return estimand_of_model(model) if noise is None else f"score-entropy({noise.name})"


def estimand_of_model(model: Model) -> str:
    """Return what estimates under a model are of by default: the any-order value if it prices masked tokens."""
    noise = noise_of(model)
    return "any-order" if prices_masks(model) or noise is None else f"score-entropy({noise.name})"
