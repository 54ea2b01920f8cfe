"""The base class of exact laws: all methods derive from the posterior given per-position evidence."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr
from torch import Tensor

from estimators.arguments import check_count
from estimators.errors import InputError, TokenError
from estimators.noise.process import Noise
from estimators.target import scored_masks
from infodis_stats.laws.alphabet import check_alphabet, check_tokens, decode, encode, token_rows
from infodis_stats.laws.forward_backward import fold

__all__ = ["Law", "Seed"]

Seed = int | np.random.SeedSequence | np.random.Generator
"""Anything that `numpy.random.default_rng` accepts as a seed."""

WORKING_BYTES = 2**25  # per chunk of rows: small enough for the cache, large enough to keep calls few
MOST_STRINGS = 2**20  # that `joint` enumerates
MOST_AXES = 32
MOST_TOKENS = 2**28  # in a sample: 2 GiB
STRINGS_PER_CALL = 2**16


class Law(ABC):
    """An exact probability distribution of token sequences (abstract base class).

    A subclass implements one computation: the *posterior marginals and log evidence given per-position evidence*.
    One-hot or flat evidence is masking; soft evidence is any other noise that acts on each position independently. All
    else follows: the exact conditionals of a masked model (`token_nll`, so a law is a ``ConditionalModel``), the exact
    score ratios of a noised sequence (`log_ratios`, so a law is a ``ScoreModel``), and the exact negative
    log-likelihood that estimators target (`nll`).

    All arithmetic is float64 on the device of the input and elementwise over the rows of a batch, so the result of a
    row does not depend on its batch, bit for bit. Laws are immutable values: two laws are equal if their fingerprints
    are.

    Parameters
    ----------
    alphabet : str
        Distinct symbols, 1 to 4096; a token is the index of a symbol.

    Attributes
    ----------
    name : str
        The kind of law.
    consistent : bool
        True: the conditionals come from one joint distribution, so the chain rule is exact in any order. The estimator
        ``auto`` depends on this.
    alphabet : str

    Raises
    ------
    InputError
        If the alphabet is empty or too large, or repeats a symbol.

    Examples
    --------
    >>> from infodis_stats import MarkovChain
    >>> law = MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    >>> isinstance(law, Law)
    True
    >>> law.nll(law.encode(["GATTACA"])).round(4)
    array([8.5554])
    """

    name: ClassVar[str]
    consistent: ClassVar[bool] = True

    def __init__(self, alphabet: str) -> None:
        check_alphabet(alphabet)
        self.alphabet: Final = alphabet

    @property
    def vocabulary_size(self) -> int:
        """Number of symbols."""
        return len(self.alphabet)

    @property
    def length(self) -> int | None:
        """Length of all sequences; None if the law is defined for every length."""
        return None

    @abstractmethod
    def describe(self) -> str:
        """Return a short description."""

    @abstractmethod
    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return the arrays that define the law."""

    @abstractmethod
    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Compute `posterior` for evidence (length, symbol, row) in [0, 1]; return (row,) and (length, symbol, row)."""

    @abstractmethod
    def _bytes_per_row(self, length: int) -> int:
        """Return the working memory of `_posterior` in bytes per row."""

    @abstractmethod
    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        """Draw sequences (size, length)."""

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and self.fingerprint() == other.fingerprint()

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def fingerprint(self) -> str:
        """Return the SHA-256 of the kind, the alphabet and the parameters, in hexadecimal; stored results record it.

        Examples
        --------
        >>> from infodis_stats.laws import TableLaw
        >>> TableLaw(["AC", "CA"], [0.25, 0.75]).fingerprint()[:8]
        '0fe97d38'
        """
        digest = hashlib.sha256(f"{self.name}|{self.alphabet}".encode())
        for array in self._arrays():
            digest.update(f"|{array.dtype.kind}{array.shape}|".encode())
            digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log evidence and the posterior marginals given evidence about each position.

        With prior ``p`` and evidence ``e``, the evidence is ``Z = sum_x p(x) prod_i e_i(x_i)`` and the marginals are
        ``P(x_i = a | e) = sum_{x: x_i = a} p(x) prod_j e_j(x_j) / Z``.

        Parameters
        ----------
        evidence : Tensor of float64, shape (batch, length, vocabulary_size)
            ``e_i(a)``, finite and nonnegative, on any scale: one-hot for a known token, all ones for a masked one, or
            the likelihood of an observation, such as a noise kernel ``k_t(observed | a)``.

        Returns
        -------
        log_evidence : Tensor of float64, shape (batch,)
            ``log Z`` in nats, ``-inf`` if the evidence is impossible.
        marginals : Tensor of float64, shape (batch, length, vocabulary_size)
            They sum to 1 over symbols; all 0 in a row whose evidence is impossible.

        Raises
        ------
        InputError
            If the dtype, the shape or a value is not as above.

        Examples
        --------
        >>> import torch
        >>> from infodis_stats.laws import TableLaw
        >>> law = TableLaw(["AC", "CA"], [0.25, 0.75])
        >>> evidence = torch.tensor([[[0.75, 0.25], [1.0, 1.0]]], dtype=torch.float64)
        >>> log_evidence, marginals = law.posterior(evidence)
        >>> marginals[0, 0]
        tensor([0.5000, 0.5000], dtype=torch.float64)
        """
        size = self.vocabulary_size
        if evidence.dtype != torch.float64 or evidence.ndim != 3 or evidence.shape[2] != size:
            raise InputError(
                f"evidence must be float64 of shape (batch, length, {size}), "
                f"got {evidence.dtype} of shape {tuple(evidence.shape)}"
            )
        batch, length, _ = evidence.shape
        self._check_length(length)
        if not (torch.isfinite(evidence) & (evidence >= 0)).all():
            raise InputError("evidence must be finite and nonnegative")
        log_evidence = evidence.new_empty(batch)
        marginals = torch.empty_like(evidence)
        for rows in self._chunks(batch, length):
            part = evidence[rows].permute(1, 2, 0).contiguous()
            peak = part.amax(dim=1, keepdim=True)
            peak = torch.where(peak > 0, peak, 1.0)
            log_part, marginals_part = self._posterior(part / peak)
            log_evidence[rows] = log_part + fold(peak[:, 0].log())
            marginals[rows] = marginals_part.permute(2, 0, 1)
        return log_evidence, marginals

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the negative log-likelihood of each masked token given the unmasked tokens of its row.

        Parameters
        ----------
        tokens : Tensor of integers, shape (batch, length)
            Complete sequences, including the tokens under the masks.
        masked : Tensor of bool, shape (batch, length)
            Masked positions, on the same device.

        Returns
        -------
        Tensor of float64, shape (batch, length)
            ``-log p(tokens[b, i] | unmasked tokens of row b)`` in nats where ``masked[b, i]``; 0 elsewhere. It is
            ``inf`` where that probability is 0, and at every masked position of a row whose unmasked tokens have
            probability 0.

        Raises
        ------
        TokenError
            If a token, masked or not, is outside the alphabet; the message gives the row and the position.
        InputError
            If a dtype, shape or device is not as above.

        Examples
        --------
        >>> import torch
        >>> from infodis_stats.laws import TableLaw
        >>> law = TableLaw(["AC", "CA", "CC"], [0.25, 0.25, 0.5])
        >>> law.token_nll(torch.tensor([[0, 1]]), torch.tensor([[True, False]]))
        tensor([[1.0986, 0.0000]], dtype=torch.float64)
        """
        losses = torch.empty(tokens.shape, dtype=torch.float64, device=tokens.device)
        for rows, marginals in self._conditionals(tokens, masked):
            probabilities = marginals.gather(1, tokens[rows].long().T[:, None])[:, 0]
            losses[rows] = torch.where(masked[rows], 0.0 - probabilities.log().T, 0.0)
        return losses

    def token_log_probs(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the log-probabilities of all symbols at each masked position given the unmasked tokens of its row.

        Parameters
        ----------
        tokens, masked : Tensor, shape (batch, length)
            As in `token_nll`.

        Returns
        -------
        Tensor of float64, shape (number masked, vocabulary_size)
            Nats, row by row in the order of ``masked.nonzero()``. All are ``-inf`` in a row whose unmasked tokens have
            probability 0.

        Raises
        ------
        TokenError, InputError
            As `token_nll`.

        Examples
        --------
        >>> import torch
        >>> from infodis_stats.laws import TableLaw
        >>> law = TableLaw(["AC", "CA", "CC"], [0.25, 0.25, 0.5])
        >>> law.token_log_probs(torch.tensor([[0, 1]]), torch.tensor([[False, True]])).exp()
        tensor([[0., 1.]], dtype=torch.float64)
        """
        parts = [
            marginals.permute(2, 0, 1)[masked[rows]].log() for rows, marginals in self._conditionals(tokens, masked)
        ]
        empty = torch.empty(0, self.vocabulary_size, dtype=torch.float64, device=tokens.device)
        return torch.cat([empty, *parts])

    def _conditionals(self, tokens: Tensor, masked: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Check the arguments; yield rows with their marginals (length, symbol, row) given their unmasked tokens."""
        check_tokens(tokens, self.alphabet)
        self._check_length(tokens.shape[1])
        if masked.dtype != torch.bool or masked.shape != tokens.shape or masked.device != tokens.device:
            raise InputError(
                f"masked must be torch.bool of shape {tuple(tokens.shape)} on {tokens.device}, "
                f"got {masked.dtype} of shape {tuple(masked.shape)} on {masked.device}"
            )
        for rows in self._chunks(*tokens.shape):
            yield rows, self._posterior(self._hard_evidence(tokens[rows], ~masked[rows]))[1]

    def log_ratios(self, noised: Tensor, acts: Tensor, total_noise: Tensor, noise: Noise) -> Tensor:
        """Return the exact log score ratios of noised sequences.

        With the noise kernel ``k(y | a)`` and the posterior marginals ``P(a | x)`` of the clean symbol at position
        ``i``, ``p_t(y) / p_t(x) = sum_a P(a | x) k(y_i | a) / k(x_i | a)``, where ``y`` differs from ``x`` only at
        position ``i``. One forward-backward pass serves all neighbours ``y``.

        Parameters
        ----------
        noised : Tensor of int64, shape (batch, length)
            States of the noise process.
        acts : Tensor of bool, shape (batch, length)
            Positions on which noise acts; the other positions are clean.
        total_noise : Tensor of float64, shape (batch,)
            Positive and finite.
        noise : Noise
            The noise process.

        Returns
        -------
        Tensor of float64, shape (batch, length, states)
            ``log p_t(y) - log p_t(x)``: 0 for the present state and ``-inf`` for an impossible one. NaN at positions
            without noise, and for states that do not jump to the present one.

        Raises
        ------
        TokenError
            If a state is out of range; the message gives the row and the position.
        InputError
            If a shape, dtype or value is not as above.

        Examples
        --------
        >>> import torch
        >>> from estimators import Uniform
        >>> from infodis_stats.laws import TableLaw
        >>> law = TableLaw(["AC", "CA"], [0.25, 0.75])
        >>> seen, everywhere = torch.tensor([[0, 0]]), torch.tensor([[True, True]])
        >>> total_noise = torch.tensor([1.0], dtype=torch.float64)
        >>> law.log_ratios(seen, everywhere, total_noise, Uniform()).exp().round(decimals=3)
        tensor([[[1.0000, 1.7380],
                 [1.0000, 0.8880]]], dtype=torch.float64)
        """
        states = noise.states(self.vocabulary_size)
        self._check_noised(noised, acts, total_noise, states)
        kernel = noise.kernel(total_noise, self.vocabulary_size)
        rows = torch.arange(len(noised), device=noised.device)[:, None]
        seen = kernel[rows, noised]
        clean = torch.nn.functional.one_hot(noised, states)[..., : self.vocabulary_size].double()
        _, marginals = self.posterior(torch.where(acts[..., None], seen, clean))
        weights = torch.where(seen > 0, marginals / torch.where(seen > 0, seen, 1.0), 0.0)
        ratios = torch.zeros(*noised.shape, states, dtype=torch.float64, device=noised.device)
        for symbol in range(
            self.vocabulary_size
        ):  # in a fixed order, so that the rounding does not depend on the batch
            ratios += weights[..., symbol, None] * kernel[:, None, :, symbol]
        logs = ratios.log()
        asked = (noise.inflow(noised, total_noise, self.vocabulary_size) > 0) & acts[..., None]
        return torch.where(asked, logs, torch.nan).scatter_(2, noised[..., None], 0.0)

    def nll(self, tokens: ArrayLike, context: ArrayLike | None = None) -> NDArray[np.float64]:
        """Return the exact negative log-likelihood of sequences, or of their targets given their contexts.

        Parameters
        ----------
        tokens : array of integers, shape (sequence, length)
        context : int or array of bool, shape (sequence, length) or (length,), optional
            The given tokens: a number of leading tokens, or the positions marked True. All other tokens are scored.

        Returns
        -------
        array of float64, shape (sequence,)
            ``-log p(scored | given) = log p(given) - log p(all)`` in nats; ``inf`` for impossible tokens.

        Raises
        ------
        TokenError
            If a token is outside the alphabet; the message gives the sequence and the position.
        InputError
            If shapes do not match, no token is scored, or a context has probability 0, so that the conditional is
            undefined.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> law = MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], alphabet="AB")
        >>> law.nll([[0, 0, 1]]).round(4), law.nll([[0, 0, 1]], context=1).round(4)
        (array([3.1011]), array([2.4079]))
        """
        rows = torch.from_numpy(token_rows(tokens, self.alphabet))
        self._check_length(rows.shape[1])
        everything = self._log_probability(rows, torch.ones_like(rows, dtype=torch.bool))
        if context is None:
            return 0.0 - everything
        given = ~np.reshape(np.array(_scored(context, rows.shape), dtype=bool), rows.shape)
        conditions = self._log_probability(rows, torch.from_numpy(given))
        conditions[~given.any(axis=1)] = 0.0  # the empty context has probability 1, without rounding
        if np.isneginf(conditions).any():
            row = int(np.argmin(conditions))
            raise InputError(
                f"sequence {row}: the context has probability 0 under this law, so the conditional likelihood is "
                "undefined; use a context with positive probability"
            )
        return conditions - everything

    def sample(self, size: int, length: int | None = None, seed: Seed = 0) -> NDArray[np.int64]:
        """Draw independent sequences.

        Parameters
        ----------
        size : int
            Number of sequences. A larger sample begins with the same sequences.
        length : int, optional
            Tokens per sequence; required unless the law has a fixed `length`.
        seed : int, SeedSequence or Generator, default 0
            An integer gives the same sequences in every call; a generator advances.

        Returns
        -------
        array of int64, shape (size, length)

        Raises
        ------
        InputError
            If the size or the length is out of range.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> law = MarkovChain.random(order=2, alphabet="ACGT", seed=0)
        >>> law.sample(3, length=8, seed=1).shape
        (3, 8)
        """
        length = self._checked_length(length, "sample")
        if size < 0:
            raise InputError(f"size must be at least 0, got {size}")
        if size * length > MOST_TOKENS:
            raise InputError(f"a sample must have at most {MOST_TOKENS} tokens, got {size} x {length}")
        return self._draw(np.random.default_rng(seed), size, length)

    def joint(self, length: int | None = None) -> NDArray[np.float64]:
        """Return the probability of every string.

        Parameters
        ----------
        length : int, optional
            Tokens per sequence; required unless the law has a fixed `length`.

        Returns
        -------
        array of float64, shape (vocabulary_size,) * length

        Raises
        ------
        InputError
            If there are more than 2**20 strings, or the length is out of range.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], alphabet="AB").joint(2)
        array([[0.45, 0.05],
               [0.05, 0.45]])
        """
        length = self._checked_length(length, "joint")
        if length > MOST_AXES or (count := self.vocabulary_size**length) > MOST_STRINGS:
            raise InputError(
                f"there are {self.vocabulary_size}^{length} strings of length {length} over {self.alphabet}, "
                f"more than the {MOST_STRINGS} that can be enumerated"
            )
        place = self.vocabulary_size ** np.arange(length)[::-1]
        parts = (np.arange(start, min(start + STRINGS_PER_CALL, count)) for start in range(0, count, STRINGS_PER_CALL))
        losses = [self.nll(part[:, None] // place % self.vocabulary_size) for part in parts]
        return np.exp(-np.concatenate(losses)).reshape((self.vocabulary_size,) * length)

    def entropy(self, length: int | None = None) -> float:
        """Return the Shannon entropy of the law's sequences in nats: their expected negative log-likelihood.

        Parameters
        ----------
        length : int, optional
            Tokens per sequence; required unless the law has a fixed `length`.

        Raises
        ------
        InputError
            If the length is out of range, or the law needs to enumerate more than 2**20 strings.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> law = MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], alphabet="AB")
        >>> round(law.entropy(1), 4), round(law.entropy(100), 4)
        (0.6931, 32.8764)
        """
        return self._entropy(self._checked_length(length, "entropy"))

    def encode(self, strings: Sequence[str]) -> NDArray[np.int64]:
        """Convert strings of equal length to tokens.

        Parameters
        ----------
        strings : sequence of str

        Returns
        -------
        array of int64, shape (len(strings), length)

        Raises
        ------
        InputError
            If there is no string, lengths differ, or a symbol is outside the alphabet; the message gives the string
            and the position.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> MarkovChain.random(order=1, alphabet="ACGT", seed=0).encode(["GATT", "ACCA"]).tolist()
        [[2, 0, 3, 3], [0, 1, 1, 0]]
        """
        return encode(strings, self.alphabet)

    def decode(self, tokens: ArrayLike) -> list[str]:
        """Convert tokens to strings.

        Parameters
        ----------
        tokens : array of integers, shape (sequence, length)

        Returns
        -------
        list of str

        Raises
        ------
        TokenError
            If a token is outside the alphabet; the message gives the sequence and the position.
        InputError
            If the tokens are not integers of that shape.

        Examples
        --------
        >>> from infodis_stats.laws import MarkovChain
        >>> MarkovChain.random(order=1, alphabet="ACGT", seed=0).decode([[2, 0, 3, 3]])
        ['GATT']
        """
        return decode(tokens, self.alphabet)

    def _entropy(self, length: int) -> float:
        """Return the entropy for a valid length."""
        return float(entr(self.joint(length)).sum())

    def _checked_length(self, length: int | None, what: str) -> int:
        if length is None:
            length = self.length
        if length is None:
            raise InputError(f"{what} needs a length, because this law is defined for every length")
        self._check_length(length)
        return length

    def _check_length(self, length: int) -> None:
        check_count("length", length, least=0)
        if self.length is not None and length != self.length:
            raise InputError(f"sequences must have length {self.length} under this law, got length {length}")
        if length < 1:
            raise InputError(f"sequences must have a length of at least 1, got {length}")
        if length > MOST_TOKENS:
            raise InputError(f"sequences must have a length of at most {MOST_TOKENS}, got {length}")

    def _check_noised(self, noised: Tensor, acts: Tensor, total_noise: Tensor, states: int) -> None:
        if noised.dtype != torch.int64 or noised.ndim != 2:
            raise InputError(
                f"noised must be int64 of shape (batch, length), got {noised.dtype} of shape {tuple(noised.shape)}"
            )
        if acts.dtype != torch.bool or acts.shape != noised.shape or total_noise.shape != noised.shape[:1]:
            raise InputError(
                f"for noised of shape {tuple(noised.shape)}, acts must be torch.bool of the same shape and total_noise "
                f"must have shape ({len(noised)},), got {acts.dtype} of shape {tuple(acts.shape)} and shape "
                f"{tuple(total_noise.shape)}"
            )
        self._check_length(noised.shape[1])
        outside = ((noised < 0) | (noised >= torch.where(acts, states, self.vocabulary_size))).nonzero()
        if len(outside):
            row, position = outside[0].tolist()
            known = (
                f"{states} states"
                if acts[row, position]
                else f"{self.vocabulary_size} symbols, and no noise acts at this position"
            )
            raise TokenError(row, position, f"state {int(noised[row, position])} is not one of {known}")
        if total_noise.dtype != torch.float64 or not (torch.isfinite(total_noise) & (total_noise > 0)).all():
            raise InputError("total_noise must be float64, positive and finite")

    def _chunks(self, batch: int, length: int) -> Iterator[slice]:
        rows = max(1, WORKING_BYTES // self._bytes_per_row(length))
        return (slice(start, start + rows) for start in range(0, batch, rows))

    def _hard_evidence(self, tokens: Tensor, given: Tensor) -> Tensor:
        """Return the evidence (length, symbol, row) of the given tokens: one-hot where given, ones elsewhere."""
        symbols = torch.arange(self.vocabulary_size, device=tokens.device)[:, None]
        matches = tokens.T.contiguous()[:, None] == symbols
        return (matches | ~given.T.contiguous()[:, None]).double()

    def _log_probability(self, tokens: Tensor, given: Tensor) -> NDArray[np.float64]:
        """Return ``log p(given tokens)`` of each row."""
        result = np.empty(len(tokens))
        for rows in self._chunks(*tokens.shape):
            result[rows] = self._posterior(self._hard_evidence(tokens[rows], given[rows]))[0].numpy()
        return result


def _scored(context: ArrayLike, shape: tuple[int, ...]) -> list[NDArray[np.bool_]]:
    if not isinstance(context, int | np.integer):
        context = np.asarray(context)
        if context.ndim == 1:
            context = np.broadcast_to(context, (shape[0], *context.shape))
        if context.ndim != 2:
            raise InputError(
                f"context must be an int or an array of bool (sequence, length), got shape {context.shape}"
            )
    return scored_masks(context, [shape[1]] * shape[0])
