"""A deterministic decoder as a value: its rule, how many positions a step reveals, and its blocks."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from estimators.arguments import check_choice, check_count
from estimators.blocks import Blocks
from estimators.errors import InputError
from estimators.masked.decoding.rules import SCORES
from estimators.model import blocks_of, in_blocks
from estimators.target import Target

__all__ = ["FIXED", "Decoder", "Schedule"]

FIXED = ("left-to-right", "right-to-left")
"""Rules that do not look at the model."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """In which parts a decoder reveals the scored positions of a target.

    Attributes
    ----------
    lanes : array of int64, shape (length,)
        Lanes are decoded side by side, a step of each in one pass: the blocks of a model that has its own.
    stages : array of int64, shape (length,)
        Stages of a lane are decoded one after the other: the blocks of a decoder.
    """

    lanes: NDArray[np.int64]
    stages: NDArray[np.int64]

    def steps(self, ranks: NDArray[np.int64], tokens_per_step: int) -> NDArray[np.int64]:
        """Return the step at which each position is revealed, if those of a stage have the order of their ranks.

        Examples
        --------
        >>> import numpy as np
        >>> Schedule(np.zeros(5, dtype=int), np.array([0, 0, 0, 1, 1])).steps(np.arange(5), tokens_per_step=2)
        array([0, 0, 1, 2, 2])
        """
        steps = np.empty(len(ranks), dtype=np.int64)
        for lane in np.unique(self.lanes):
            first = 0
            for stage in np.unique(self.stages[self.lanes == lane]):
                here = np.flatnonzero((self.lanes == lane) & (self.stages == stage))
                steps[here[np.argsort(ranks[here])]] = first + np.arange(len(here)) // tokens_per_step
                first += -(-len(here) // tokens_per_step)
        return steps


@dataclass(frozen=True)
class Decoder:
    """A decoder that chooses positions by what is revealed alone, not by the tokens that it draws.

    At each step it reveals the positions with the largest score under the rule, given the tokens that are revealed:
    ``confidence`` is the largest log-probability of the distribution at a position, ``entropy`` minus its entropy,
    ``margin`` the difference of its two largest probabilities. Scores within 1e-4 of the one that decides count as
    equal, and of equal ones the lowest positions are revealed.

    Parameters
    ----------
    rule : str or tuple of int, default "confidence"
        ``confidence``, ``entropy``, ``margin``, ``left-to-right``, ``right-to-left``, or an order: a permutation of the
        positions of the sequence, in which given positions are skipped.
    tokens_per_step : int, default 1
        Positions that a step reveals; their tokens are drawn independently, each from its own distribution. The last
        step of a block reveals what is left.
    block : int, optional
        Positions of a block: blocks are decoded from left to right, the first begins at the first scored position.
        None: the blocks of a block-diffusion model, else no blocks.

    Raises
    ------
    InputError
        If there is no such rule, the order is not a permutation or has blocks, or a number is not a positive integer.

    References
    ----------
    DUEL, arXiv 2603.01367: the exact likelihood of decoders that choose positions deterministically.

    Examples
    --------
    >>> Decoder("entropy", tokens_per_step=4, block=16).name
    'sampler(entropy, tokens_per_step=4, block=16)'
    >>> Decoder("left-to-right").name, Decoder((1, 0)).name
    ('left-to-right', 'order(4cbbd8ca5215)')
    """

    rule: str | tuple[int, ...] = "confidence"
    tokens_per_step: int = 1
    block: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.rule, str):
            check_choice("rule", self.rule, (*SCORES, *FIXED))
        else:
            object.__setattr__(self, "rule", _permutation(self.rule))
        check_count("tokens_per_step", self.tokens_per_step)
        if self.block is not None:
            check_count("block", self.block)
            if not isinstance(self.rule, str):
                raise InputError("block= is for rules: an order says itself which positions come first")

    @property
    def looks(self) -> bool:
        """Whether it looks at the distributions of the model."""
        return self.rule in SCORES

    @property
    def name(self) -> str:
        """The name of its likelihood as an estimand."""
        every_position_in_turn = self.rule == "left-to-right" and self.tokens_per_step == 1
        options = {
            "tokens_per_step": self.tokens_per_step if self.tokens_per_step > 1 else None,
            "block": None if every_position_in_turn else self.block,
        }
        shown = [f"{option}={value}" for option, value in options.items() if value is not None]
        if self.looks:
            return f"sampler({', '.join([str(self.rule), *shown])})"
        if isinstance(self.rule, str):
            return self.rule + (f"({', '.join(shown)})" if shown else "")
        digest = hashlib.sha256(np.array(self.rule, dtype="<i8").tobytes()).hexdigest()[:12]
        return f"order({', '.join([digest, *shown])})"

    def settled(self, model: object) -> "Decoder":
        """Return the decoder as it decodes a model: in the model's blocks, if it has some.

        Raises
        ------
        InputError
            If the decoder has other blocks than the model.
        """
        own = blocks_of(model)
        if own is None or not isinstance(self.rule, str):
            return self
        if self.block not in {None, own.size}:
            raise InputError(
                f"block must be that of the model, {own.size}, or be left out, got {self.block}: a block-diffusion "
                "model sees all tokens of its earlier blocks"
            )
        return replace(self, block=own.size)

    def schedule(self, target: Target, model: object) -> Schedule:
        """Return the parts in which the positions of a target are revealed.

        Raises
        ------
        InputError
            If the model does not see some of the context, or an order is not one of the target's positions, or does not
            have those of the model's earlier blocks first.
        """
        none = np.zeros(target.length, dtype=np.int64)
        if not isinstance(self.rule, str) and len(self.rule) != len(target.tokens):
            raise InputError(
                f"{target.label} has {len(target.tokens)} positions, the order has {len(self.rule)}; an order is a "
                "permutation of all positions of a sequence"
            )
        if (own := blocks_of(model)) is not None:
            in_blocks(target, model)  # refuses context that the model does not see
            lanes = own.numbers(target.scored)
            if not isinstance(self.rule, str) and (np.diff(lanes[np.argsort(self.ranks(target))]) < 0).any():
                raise InputError(
                    f"{target.label}: the order needs the positions of earlier blocks first, because the model has "
                    f"{own} and sees all tokens of earlier ones"
                )
            return Schedule(lanes, none)
        if self.block is None:
            return Schedule(none, none)
        return Schedule(none, Blocks(self.block, int(target.scored[0])).numbers(target.scored))

    def ranks(self, target: Target) -> NDArray[np.int64]:
        """Return the place of each scored position in a fixed order; from left to right for a rule that looks."""
        if not isinstance(self.rule, str):
            return np.argsort(self.rule)[target.scored]
        return -target.scored if self.rule == "right-to-left" else target.scored


def _permutation(order: Sequence[Any]) -> tuple[int, ...]:
    try:
        positions = np.asarray(order)
        fits = positions.ndim == 1 and positions.size > 0 and positions.dtype.kind in "iu"
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise InputError(
            f"rule must be one of {', '.join((*SCORES, *FIXED))}, or an order, a one-dimensional array of integers, "
            f"got {type(order).__name__}"
        )
    if not np.array_equal(np.sort(positions), np.arange(len(positions))):
        raise InputError(f"an order must have each of the positions 0 to {len(positions) - 1} once")
    return tuple(positions.tolist())
