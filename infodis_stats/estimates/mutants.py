"""Mutants by name: listed substitutions of a sequence, each mutant against the original."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import Estimator, InputError, Model
from estimators.evaluate import Progress
from infodis_stats.estimates.log_ratio import estimate_log_ratio
from infodis_stats.estimates.settings import Device
from infodis_stats.models.vocabulary import printed_symbols, symbol_tokens

__all__ = ["score_mutants"]


def score_mutants(
    model: Model,
    tokens: ArrayLike,
    mutants: Sequence[str],
    estimator: str | Estimator = "auto",
    *,
    context: int = 0,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    level: float = 0.95,
    interval: str = "auto",
    simultaneous: bool = False,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``log p(mutant | context) - log p(original | context)`` of mutants that are given by name.

    Parameters
    ----------
    model : Model
        A law or a text model, which knows the symbols.
    tokens : array of int, shape (length,)
        The original.
    mutants : sequence of str
        Substitutions such as ``"K2A"``: the symbol of the original, its position from 1, the symbol of the mutant.
        Several of one mutant are joined by colons, ``"Y5F:I6V"``.
    context : int, default 0
        The number of leading tokens that are given; they cannot be substituted.
    estimator, passes, replicates, seed, level, interval, simultaneous, batch_size, device, progress
        As in `estimate_log_ratio`.

    Returns
    -------
    xarray.Dataset
        As `estimate_log_ratio`'s, over ``pair``, the mutants: the first side is the mutant and the second the original,
        under the same masks. `decide` says which mutants are significantly likelier.

    Raises
    ------
    InputError
        If a mutant is malformed, its original symbol is not the one that stands there, or as in `estimate_log_ratio`.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = score_mutants(law, law.encode(["GATTACA"])[0], ["A2C", "T3G:T4G"], passes=16)
    >>> result["pair"].values.tolist()
    ['A2C', 'T3G:T4G']
    """
    original = np.asarray(tokens)
    if original.ndim != 1 or original.dtype.kind not in "iu":
        raise InputError(f"tokens must be integers of shape (length,), got shape {original.shape}")
    if isinstance(mutants, str) or not all(isinstance(mutant, str) for mutant in mutants) or not len(mutants):
        raise InputError(f"mutants must be a list of names such as 'K2A', at least one, got {mutants!r}")
    if len(set(mutants)) < len(mutants):
        raise InputError("mutants must differ, but one is repeated")
    rows = np.stack([_mutated(model, original, mutant, context) for mutant in mutants])
    result = estimate_log_ratio(
        model,
        rows,
        np.tile(original, (len(rows), 1)),
        estimator,
        context=context,
        passes=passes,
        replicates=replicates,
        seed=seed,
        level=level,
        interval=interval,
        simultaneous=simultaneous,
        batch_size=batch_size,
        device=device,
        progress=progress,
    )
    return result.assign_coords(pair=list(mutants))


def _mutated(model: Model, original: NDArray[np.int64], mutant: str, context: int) -> NDArray[np.int64]:
    tokens, seen = original.copy(), set()
    for part in mutant.split(":"):
        match = re.fullmatch(r"\s*(\D+?)(\d+)(\D+?)\s*", part)
        if match is None:
            raise InputError(f"mutant {mutant!r}: {part!r} is not a substitution such as 'K2A'")
        before, position, after = match[1], int(match[2]), match[3]
        if not context < position <= len(original):
            scored = f"{context + 1} to {len(original)}"
            raise InputError(f"mutant {mutant!r}: position {position} is outside the scored positions, {scored}")
        if position in seen:
            raise InputError(f"mutant {mutant!r} substitutes position {position} twice")
        seen.add(position)
        stands = original[position - 1]
        if symbol_tokens(model, [before])[0] != stands:
            (symbol,) = printed_symbols(model, original[position - 1 : position])
            raise InputError(f"mutant {mutant!r}: position {position} is {symbol}, not {before}")
        tokens[position - 1] = symbol_tokens(model, [after])[0]
        if tokens[position - 1] == stands:
            raise InputError(f"mutant {mutant!r}: {part.strip()!r} changes nothing")
    return tokens
