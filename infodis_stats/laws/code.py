"""Laws of codes: tokens that determine one another across a distance, by a checksum or as copies."""

from __future__ import annotations

import math
from typing import ClassVar, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from estimators.errors import InputError
from infodis_stats.laws.cyclic_sums import cyclic_sums
from infodis_stats.laws.forward_backward import fold, normalised
from infodis_stats.laws.law import Law

__all__ = ["CodeLaw", "Rule"]

Rule = Literal["checksum", "copies"]
"""What holds for the tokens of a group: they sum to 0 modulo the number of symbols, or they are equal."""

RULES: tuple[Rule, ...] = get_args(Rule)
MOST_TOKENS = 2**20  # in a word


class CodeLaw(Law):
    """The uniform law on the words of a code, in which the tokens of each group determine one another.

    A mask hides this dependence almost entirely: as long as two tokens of a checksum are masked, each of them costs
    ``log(vocabulary_size)`` nats, as under independence, and as soon as only one is masked, it costs nothing. Intervals
    that rest on the losses of a few mask sizes can therefore miss it.

    Parameters
    ----------
    length : int
        Tokens in a word, a multiple of ``group``.
    group : int
        Tokens in a group. Groups are interleaved: with ``count = length / group`` groups, group ``g`` holds the
        positions ``g, g + count, g + 2 * count, ...``, so neighbours within a group are ``count`` positions apart.
    rule : {"checksum", "copies"}
        Under ``"checksum"``, the tokens of each group sum to 0 modulo ``vocabulary_size``: the last token of a group is
        determined by its others. With two symbols and ``group = length``, this is the parity law. Under ``"copies"``,
        all tokens of a group are equal.
    alphabet : str
        Distinct symbols.

    Attributes
    ----------
    group : int
    rule : str
        The parameters.

    Raises
    ------
    InputError
        If the length is not a positive multiple of ``group`` or exceeds 2**20, or there is no such rule.

    Notes
    -----
    Given evidence about each position, the posterior of a group of copies is the product of its evidence over the
    group, computed in logarithms. That of a checksum follows from cyclic convolutions along a binary tree over the
    group, which is the sum-product algorithm [1]_ on the tree of partial sums. Results are exact up to rounding, about
    1e-15 per position. Partial sums with a probability below 1e-300 underflow to 0.

    References
    ----------
    .. [1] F. R. Kschischang, B. J. Frey and H.-A. Loeliger (2001), Factor graphs and the sum-product algorithm, IEEE
       Transactions on Information Theory 47, section III.

    Examples
    --------
    >>> import torch
    >>> law = CodeLaw(length=4, group=4)
    >>> law
    <code of length 4 over AB with one checksum>
    >>> law.nll(law.encode(["ABBA", "ABBB"])).round(4)
    array([2.0794,    inf])
    >>> law.token_nll(torch.tensor([[0, 1, 1, 0]] * 2), torch.tensor([[True, False, False, False], [True] * 4]))
    tensor([[0.0000, 0.0000, 0.0000, 0.0000],
            [0.6931, 0.6931, 0.6931, 0.6931]], dtype=torch.float64)
    >>> CodeLaw(length=6, group=2, rule="copies", alphabet="ACGT").decode([[0, 1, 2, 0, 1, 2]])
    ['ACGACG']
    """

    name: ClassVar[str] = "code"

    def __init__(self, length: int, group: int, rule: Rule = "checksum", alphabet: str = "AB") -> None:
        super().__init__(alphabet)
        for what, value in (("length", length), ("group", group)):
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise InputError(f"{what} must be a positive integer, got {value!r}")
        if length > MOST_TOKENS:
            raise InputError(f"length must be at most {MOST_TOKENS}, got {length}")
        if length % group:
            raise InputError(f"length must be a multiple of group, got length {length} and group {group}")
        if rule not in RULES:
            raise InputError(f"rule must be {' or '.join(map(repr, RULES))}, got {rule!r}")
        self._length: Final = int(length)
        self.group: Final = int(group)
        self.rule: Final = rule
        self._parameters: Final = np.array([length, group, RULES.index(rule)], dtype=np.int64)
        self._parameters.setflags(write=False)

    @property
    def length(self) -> int:
        """Length of every word."""
        return self._length

    def describe(self) -> str:
        """Return a short description."""
        what = {
            "checksum": "one checksum" if self.group == self.length else f"a checksum for each {self.group} tokens",
            "copies": f"{self.group} copies of each token",
        }
        return f"code of length {self.length} over {self.alphabet} with {what[self.rule]}"

    def _arrays(self) -> tuple[NDArray[np.generic], ...]:
        return (self._parameters,)

    def _posterior(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        members = evidence.reshape(self.group, -1, *evidence.shape[1:])  # (member, group, symbol, row)
        posterior = self._given_checksums if self.rule == "checksum" else self._given_copies
        log_evidence, marginals = posterior(members)
        total = fold(log_evidence)
        return total, marginals.reshape(evidence.shape).masked_fill(total.isneginf(), 0.0)

    def _given_checksums(self, members: Tensor) -> tuple[Tensor, Tensor]:
        totals = fold(members.permute(2, 0, 1, 3))  # over symbols
        alone = normalised(members.flatten(0, 1)).view(members.shape)  # what each token would be without the checksum
        completes, others = cyclic_sums(alone)
        log_evidence = fold((totals / self.vocabulary_size).log()) + (completes * self.vocabulary_size).log()
        return log_evidence, normalised((alone * others).flatten(0, 1))

    def _given_copies(self, members: Tensor) -> tuple[Tensor, Tensor]:
        log_joint = fold(members.log())
        peak = log_joint.amax(dim=1, keepdim=True)
        peak = peak.masked_fill(peak.isneginf(), 0.0)
        weights = (log_joint - peak).exp()
        log_evidence = peak[:, 0] + (fold(weights.transpose(0, 1)) / self.vocabulary_size).log()
        return log_evidence, normalised(weights).expand(members.shape)

    def _bytes_per_row(self, length: int) -> int:
        return 8 * 12 * length * self.vocabulary_size

    def _draw(self, rng: np.random.Generator, size: int, length: int) -> NDArray[np.int64]:
        free = 1 if self.rule == "copies" else self.group - 1
        uniform = rng.random((size, free, length // self.group))
        tokens = (uniform * self.vocabulary_size).astype(np.int64)
        if self.rule == "copies":
            tokens = np.tile(tokens, (1, self.group, 1))
        else:
            last = -tokens.sum(axis=1, keepdims=True) % self.vocabulary_size
            tokens = np.concatenate([tokens, last], axis=1)
        return tokens.reshape(size, length)

    def _entropy(self, length: int) -> float:
        free = 1 if self.rule == "copies" else self.group - 1
        return length // self.group * free * math.log(self.vocabulary_size)
