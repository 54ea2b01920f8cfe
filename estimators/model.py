"""Models as estimators see them: the protocols, and the capabilities that a model may declare."""

from typing import Protocol, TypeGuard, TypeVar

import torch

from estimators.blocks import Blocks
from estimators.noise.process import Noise
from estimators.target import Pair, Target

__all__ = [
    "BlockModel",
    "ConditionalModel",
    "ContextualModel",
    "DistributionModel",
    "Model",
    "PaddedModel",
    "ScoreModel",
    "blocks_of",
    "forward_passes_per_row",
    "gives_distributions",
    "gives_ratios",
    "in_blocks",
    "is_consistent",
    "needs_context",
    "noise_of",
    "prices_masks",
    "takes_padding",
    "trained_noise_of",
]


Item = TypeVar("Item", bound=Target | Pair)


class ConditionalModel(Protocol):
    """Anything that prices masked tokens: an exact law, a network, a user's wrapper.

    One call is one forward pass for each of its rows. Masks are boolean arrays and never inferred from token ids, so a
    sequence may contain any token; mask ids, shifted logits and time arguments are the wrapper's business.

    A model whose conditionals come from one joint law, as those of an exact law do, may declare it by an attribute
    ``consistent = True``: chains are then exact, and ``auto`` takes them. A trained network's conditionals disagree.

    Examples
    --------
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> Fair().token_nll(torch.tensor([[0, 1]]), torch.tensor([[True, False]])).round(decimals=4)
    tensor([[0.6931, 0.0000]], dtype=torch.float64)
    """

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Price the masked tokens of each row given its unmasked ones.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            Complete sequences: the tokens under the mask are the ones to price.
        masked : Tensor of bool, shape (batch, length)
            The masked positions: the model must not use their tokens.

        Returns
        -------
        Tensor of floating point, shape (batch, length)
            ``-log p(tokens[b, i] | unmasked tokens of row b)`` in nats where ``masked[b, i]``; 0 elsewhere.
        """
        ...


class ContextualModel(Protocol):
    """A `ConditionalModel` whose losses depend on which visible tokens are context, as under guidance.

    Attributes
    ----------
    needs_context : bool
        True: `token_nll` is called with the context. A `ConditionalModel` need not declare it.
    """

    needs_context: bool

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Price the masked tokens as `ConditionalModel.token_nll` does.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
        masked : Tensor of bool, shape (batch, length)
        context : Tensor of bool, shape (batch, length)
            The given positions: never masked, never scored.
        """
        ...


class BlockModel(Protocol):
    """A `ConditionalModel` that generates blocks from left to right, and masks tokens within a block: block diffusion.

    The loss at a position depends on the masks of its own block alone, and on all tokens of the earlier blocks, whether
    they are masked or not; later blocks are not seen. Estimators then plan each block for itself, and one pass scores
    all blocks of a sequence, each under its own mask.

    Attributes
    ----------
    block_size : int
        Positions of a block. A `ConditionalModel` need not declare it; None is as good as nothing.
    block_start : int, default 0
        A position at which a block begins: blocks begin at ``block_start + n * block_size``.

    Examples
    --------
    >>> class Pairs:  # the second token of a pair repeats the first
    ...     block_size = 2
    ...     def token_nll(self, tokens, masked):
    ...         second = torch.arange(tokens.shape[1]) % 2 == 1
    ...         known = second & ~masked.roll(1, dims=1) | ~second & ~masked.roll(-1, dims=1)
    ...         return (masked & ~known) * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> from estimators import estimator
    >>> estimator("exhaustive").sample(Pairs(), [[0, 0, 1, 1, 0, 0]], passes=3, replicates=1, rng=0).round(4)
    array([[2.0794]])
    """

    block_size: int

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Price the masked tokens as `ConditionalModel.token_nll` does."""
        ...


class PaddedModel(Protocol):
    """A `ConditionalModel`, or one with context, whose calls may have rows of different lengths, padded on the right.

    Attributes
    ----------
    takes_padding : bool
        True: where the rows of a call differ in length, `token_nll` is called with ``lengths``, and padding changes no
        loss beyond rounding. A model that does not declare it gets rows of one length.
    """

    takes_padding: bool

    def token_nll(
        self, tokens: torch.Tensor, masked: torch.Tensor, *, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Price the masked tokens as `ConditionalModel.token_nll` does.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            0 in the padding, which does not stand for a token.
        masked : Tensor of bool, shape (batch, length)
            False in the padding.
        lengths : Tensor of int64, shape (batch,), optional
            Number of tokens of each row; what follows them is padding. None: no row has any.
        """
        ...


class DistributionModel(Protocol):
    """Anything that gives the distribution over the vocabulary at masked positions, as decoders look at it.

    It is declared by the method alone, beside those of a `ConditionalModel`, whose losses are minus the log-probability
    of the true token. A model that declares ``takes_padding`` may give its method the argument ``lengths`` too, as that
    of `PaddedModel`; it then gets rows of different lengths in one call.

    Examples
    --------
    >>> class Even:
    ...     def token_log_probs(self, tokens, masked):
    ...         return torch.full((int(masked.sum()), 2), 0.5, dtype=torch.float64).log()
    >>> Even().token_log_probs(torch.tensor([[0, 1, 0]]), torch.tensor([[True, False, True]])).exp()
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]], dtype=torch.float64)
    """

    def token_log_probs(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities of all tokens at each masked position given the unmasked tokens of its row.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            Complete sequences.
        masked : Tensor of bool, shape (batch, length)
            The masked positions: the model must not use their tokens.

        Returns
        -------
        Tensor of floating point, shape (number masked, vocabulary)
            Nats; ``-inf`` for a token that is impossible. Row by row, in the order of ``masked.nonzero()``.
        """
        ...


class ScoreModel(Protocol):
    """Anything that gives the score of noised sequences: an exact law, a network trained on score entropies.

    One call is one forward pass for each of its rows. A model that was made for one noise has it as an attribute
    ``noise``, and is then never asked for another; an exact law answers for any. A network may declare as
    ``trained_noise`` the least and the most total noise that it was trained for: schedules that are elsewhere most of
    the time are then refused.

    Attributes
    ----------
    vocabulary_size : int
        Number of clean symbols.

    Examples
    --------
    >>> class Even:  # all sequences are equally likely
    ...     vocabulary_size = 2
    ...     def log_ratios(self, noised, acts, total_noise, noise):
    ...         return torch.zeros(*noised.shape, noise.states(2), dtype=torch.float64)
    >>> from estimators import estimator
    >>> score_entropy = estimator("score-entropy(uniform,polynomial)")
    >>> score_entropy.sample(Even(), [[0, 1]], passes=512, replicates=1, rng=0).round(1)  # log 4 is 1.4
    array([[1.4]])
    """

    @property
    def vocabulary_size(self) -> int:
        """Number of clean symbols."""
        ...

    def log_ratios(
        self, noised: torch.Tensor, acts: torch.Tensor, total_noise: torch.Tensor, noise: Noise
    ) -> torch.Tensor:
        """Return the log score ratios of all sequences that differ in one position.

        Parameters
        ----------
        noised : Tensor of int64, shape (batch, length)
            States: symbols, and what else the noise has.
        acts : Tensor of bool, shape (batch, length)
            Where noise acts; the other positions are context and clean.
        total_noise : Tensor of float64, shape (batch,)
            How much noise there was: the integral of its rate.
        noise : Noise

        Returns
        -------
        Tensor of floating point, shape (batch, length, states)
            ``log p_t(y) - log p_t(x)`` where ``y`` is the row ``x`` with the position in that state, and ``p_t`` the
            law of noised sequences given the context; 0 for the state that is there. Only what is read matters: where
            noise acts, for states that change into the present one in one jump.
        """
        ...


Model = ConditionalModel | ContextualModel | BlockModel | PaddedModel | ScoreModel
"""Anything that an estimator can evaluate."""


def prices_masks(model: object) -> TypeGuard[ConditionalModel | ContextualModel | BlockModel | PaddedModel]:
    """Return whether a model prices masked tokens: whether it is a `ConditionalModel`.

    Examples
    --------
    >>> class Fair:
    ...     def token_nll(self, tokens, masked):
    ...         return masked * torch.log(torch.tensor(2.0, dtype=torch.float64))
    >>> prices_masks(Fair()), gives_ratios(Fair()), is_consistent(Fair())
    (True, False, False)
    """
    return hasattr(model, "token_nll")


def gives_distributions(model: object) -> TypeGuard[DistributionModel]:
    """Return whether a model gives distributions over the vocabulary: whether it is a `DistributionModel`."""
    return hasattr(model, "token_log_probs")


def gives_ratios(model: object) -> TypeGuard[ScoreModel]:
    """Return whether a model gives score ratios of noised sequences: whether it is a `ScoreModel`."""
    return hasattr(model, "log_ratios")


def is_consistent(model: object) -> bool:
    """Return whether a model declares that its conditionals come from one joint law (``consistent = True``)."""
    return bool(getattr(model, "consistent", False))


def needs_context(model: object) -> TypeGuard[ContextualModel]:
    """Return whether a model declares that its losses depend on which tokens are context (``needs_context = True``)."""
    return bool(getattr(model, "needs_context", False))


def takes_padding(model: object) -> TypeGuard[PaddedModel]:
    """Return whether a model declares that its rows may be padded (``takes_padding = True``)."""
    return bool(getattr(model, "takes_padding", False))


def blocks_of(model: object) -> Blocks | None:
    """Return the blocks that a model declares (``block_size``, ``block_start``); None if it declares none.

    Raises
    ------
    InputError
        If the size is not a positive integer, or the start not an integer.
    """
    size = getattr(model, "block_size", None)
    return None if size is None else Blocks(size, getattr(model, "block_start", 0))


def in_blocks(item: Item, model: object) -> Item:
    """Return a target, or a pair, that knows the blocks of a model; the item itself if the model declares none.

    Raises
    ------
    InputError
        If the model declares blocks of no size, or does not see some of the context.
    """
    blocks = blocks_of(model)
    return item if blocks is None else blocks.of(item)


def forward_passes_per_row(model: object) -> int:
    """Return how many forward passes a model runs for a row: its ``forward_passes_per_row``, by default 1."""
    return int(getattr(model, "forward_passes_per_row", 1))


def noise_of(model: object) -> Noise | None:
    """Return the noise that a model declares it was made for (``noise``); None where it declares none."""
    noise: Noise | None = getattr(model, "noise", None)
    return noise


def trained_noise_of(model: object) -> tuple[float, float] | None:
    """Return the ends of the total noise that a model says it was trained for (``trained_noise``); None by default."""
    trained: tuple[float, float] | None = getattr(model, "trained_noise", None)
    return trained
