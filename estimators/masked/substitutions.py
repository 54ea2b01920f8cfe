"""Single substitutions: the mutants of a sequence under one plan, for far fewer passes than separate runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError
from estimators.evaluate import Evaluation, Job, evaluate
from estimators.masked.plan import MaskPlan
from estimators.model import ConditionalModel, blocks_of
from estimators.target import Target

__all__ = ["evaluate_substitutions"]


def evaluate_substitutions(
    model: ConditionalModel,
    target: Target,
    plan: MaskPlan,
    positions: ArrayLike,
    symbols: ArrayLike,
    *,
    batch_size: int | None = None,
    device: torch.device | str = "cpu",
) -> Iterator[Evaluation]:
    """Run one plan on a sequence and on its mutants, each of which differs from it in one token.

    The losses are those of `evaluate` with a job for the sequence and one for every mutant. A model does not see masked
    tokens, which saves passes twice. If the substituted position is masked, the model sees the mutant as it sees the
    original: only the price of that token is new. And one pass prices a new token at every masked position at once, so
    with ``A`` alternatives per position, ``A`` passes per mask serve all mutants whose substitution it masks. What
    remains are the masks that reveal the substitution, about half of them for each mutant. Later blocks of a
    block-diffusion model see what is masked: nothing is saved there, unless the substitution is in the last block.

    Parameters
    ----------
    model : ConditionalModel
    target : Target
        The original.
    plan : MaskPlan
        For the target's scored positions; all mutants share it.
    positions : array of int, shape (mutant,)
        Where each mutant differs, as indices into the target's tokens; scored positions.
    symbols : array of int, shape (mutant,)
        The token that stands there instead.
    batch_size, device
        See `evaluate`.

    Yields
    ------
    Evaluation
        The original's, then the mutants' in order. ``forward_passes`` of the first counts the passes that price masked
        substitutions too; those of a mutant are its own.

    Raises
    ------
    InputError
        If a position is not scored, a symbol is negative or the one that stands there anyway, or as in `evaluate`.
    ModelError
        See `evaluate`.

    Examples
    --------
    >>> import torch
    >>> from estimators import estimator, make_targets
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> (target,), exhaustive = make_targets([[0, 1, 1]]), estimator("exhaustive")
    >>> plan = exhaustive.plan(3, passes=7, replicates=1, rng=np.random.default_rng())
    >>> original, mutant = evaluate_substitutions(Fair(), target, plan, positions=[1], symbols=[0])
    >>> original.forward_passes, mutant.forward_passes
    (11, 3)
    >>> mutant.target.tokens.tolist(), exhaustive.reduce(plan, mutant.losses).round(6)
    ([0, 0, 1], array([2.079442]))
    """
    places = np.asarray(positions, dtype=np.int64).reshape(-1)
    substitutes = np.asarray(symbols, dtype=np.int64).reshape(-1)
    _check(target, places, substitutes)
    columns = np.searchsorted(target.scored, places)
    blocks = blocks_of(model)
    scored = np.zeros(target.length) if blocks is None else blocks.numbers(target.scored)
    hidden = scored[columns] == scored[-1]  # where it is masked
    masks, inverse = np.unique(plan.masks.reshape(-1, plan.length), axis=0, return_inverse=True)
    inverse = inverse.reshape(plan.masks.shape[:2])
    # Layer k holds the k-th substitution of every position; a row prices what its mask has of one layer.
    seen: Counter[int] = Counter()
    layers = np.empty(len(places), dtype=np.int64)
    for mutant, place in enumerate(places.tolist()):
        layers[mutant] = seen[place]
        seen[place] += 1
    priced = [
        (layer, row, chosen)
        for layer in range(max(seen.values(), default=0))
        for row, mask in enumerate(masks)
        if (chosen := (layers == layer) & mask[columns] & hidden).any()
    ]

    def jobs() -> Iterator[Job]:
        yield Job(target, _weightless(masks))
        for _, row, chosen in priced:
            mutant = _substituted(target, places[chosen], substitutes[chosen])
            yield Job(replace(mutant, label=f"{target.label} with substitutions"), _weightless(masks[[row]]))
        for place, symbol, column, is_hidden in zip(places, substitutes, columns, hidden, strict=True):
            mutant = _substituted(target, place, symbol)
            label = f"{target.label} with token {symbol} at position {place}"
            shown = masks & ~(masks[:, [column]] & is_hidden)
            yield Job(replace(mutant, label=label), _weightless(shown))

    evaluations = evaluate(model, jobs(), batch_size=batch_size, device=device)
    original = next(evaluations)
    losses = original.losses[0]
    prices = np.zeros((max(seen.values(), default=0), *masks.shape))
    forward_passes = original.forward_passes
    for (depth, row, _), price in zip(priced, islice(evaluations, len(priced)), strict=True):
        prices[depth, row] = price.losses[0, 0]
        forward_passes += price.forward_passes
    yield Evaluation(target, plan, losses[inverse], forward_passes)
    for column, layer, is_hidden, shown in zip(columns, layers, hidden, evaluations, strict=True):
        masked = masks[:, column] & is_hidden  # where the mutant's losses are the original's, but for the new token's
        mutant_losses = np.where(masked[:, None], losses, shown.losses[0])
        mutant_losses[masked, column] = prices[layer, masked, column]
        yield Evaluation(shown.target, plan, mutant_losses[inverse], shown.forward_passes)


def _check(target: Target, positions: NDArray[np.int64], symbols: NDArray[np.int64]) -> None:
    if len(positions) != len(symbols):
        raise InputError(f"substitutions need a symbol for each position, got {len(positions)} and {len(symbols)}")
    for position, symbol in zip(positions.tolist(), symbols.tolist(), strict=True):
        if position not in target.scored:
            raise InputError(f"position {position} of {target.label} is not scored, so nothing is substituted there")
        if symbol < 0 or symbol == target.tokens[position]:
            raise InputError(
                f"token {symbol} is no substitution at position {position} of {target.label}, "
                f"where {target.tokens[position]} stands"
            )


def _substituted(
    target: Target, positions: NDArray[np.int64] | np.int64, symbols: NDArray[np.int64] | np.int64
) -> Target:
    tokens = target.tokens.copy()
    tokens[positions] = symbols
    return replace(target, tokens=tokens)


def _weightless(masks: NDArray[np.bool_]) -> MaskPlan:
    # The losses are wanted; the weights are those of the plan that they are put back into.
    return MaskPlan(masks[None], np.zeros((1, *masks.shape)))
