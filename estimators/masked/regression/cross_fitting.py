"""Predict passes from all passes but those of a split, with the exact mean of the predictions.

A surrogate is fitted without the passes that it predicts. Given the shared coefficients ``beta``, the positions are
independent: at each, the losses of the passes that mask it are ``x' beta`` plus a Gaussian process of its own, whose
precision matrix ``Q`` over these passes is inverted once. To leave out the passes ``h`` of a split takes no further
fit: with ``r`` the losses less ``x' beta``, the held-out residuals are ``Q_hh^-1 (Q r)_h``, and a product ``a' Q b``
becomes ``a' Q b - (Q a)_h' Q_hh^-1 (Q b)_h``. Only the shared coefficients of nearby clusters are linked, so that
their precision matrix is block-tridiagonal. The cost is proportional to the positions. For
each it is that of the splits, and of an inversion that grows with the cube of the passes.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.masked.regression.lags import Lags, expected_terms, lag_terms
from estimators.masked.regression.prior import Prior, mean_products
from estimators.masked.regression.shared_coefficients import SharedSystem, shared_system, solve_tridiagonal

__all__ = ["HeldOut", "Passes", "Run", "held_out"]

FloatArray = NDArray[np.float64]

POSITIONS = 64  # fitted together: clusters across the border of two parts have a coefficient in each
TOGETHER = 256  # positions times splits of a batch: what it needs stays in the cache


class HeldOut(NamedTuple):
    """Predictions of the passes that each split holds out; 0 for the others. Linear in the losses, but `squares`.

    Attributes
    ----------
    predicted : array of float64, shape (splits, vectors, passes, blocks)
        The sum over the positions of a block of the weighted surrogate, less its mean.
    residual : array of float64, shape (splits, vectors, passes, blocks)
        The sum over positions of the weighted loss less the surrogate.
    squares : array of float64, shape (splits, vectors, passes, blocks)
        The sum over masked positions of the squared loss less the surrogate.
    """

    predicted: FloatArray
    residual: FloatArray
    squares: FloatArray


@dataclass(frozen=True, eq=False)
class Run:
    """Blocks of one length that follow one another; of a model without blocks, a single one.

    Attributes
    ----------
    length : int
        Positions of a block.
    count : int
        Number of blocks.
    shares : array of float64, shape (passes, length)
        Weight of each size ``1 .. length`` in the mean of a pass: the mean of its weighted surrogate ``b`` over its
        random mask is the sum over sizes of the share times the sum over positions of the mean of ``b(i, S)`` over
        masks of that size.
    """

    length: int
    count: int
    shares: FloatArray

    def parts(self) -> list[tuple[slice, slice]]:
        """Return blocks and positions that are fitted together: of whole blocks, or of a part of a long one."""
        pieces = -(-self.length // POSITIONS)
        together = max(1, POSITIONS // self.length)
        if pieces == 1:
            blocks = [slice(b, min(b + together, self.count)) for b in range(0, self.count, together)]
            return [(each, slice(each.start * self.length, each.stop * self.length)) for each in blocks]
        ends = [self.length * piece // pieces for piece in range(pieces + 1)]
        return [
            (slice(b, b + 1), slice(b * self.length + start, b * self.length + stop))
            for b in range(self.count)
            for start, stop in itertools.pairwise(ends)
        ]


@dataclass(frozen=True, eq=False)
class Passes:
    """The passes of a replicate and their losses.

    Attributes
    ----------
    masks : array of bool, shape (passes, length)
    weights : array of float64, shape (passes, length)
        0 where not masked.
    losses : array of float64, shape (vectors, passes, length)
        Of one or several targets or models under these masks, 0 where not masked. They share the expensive steps.
    runs : tuple of Run
        Its blocks.
    """

    masks: NDArray[np.bool_]
    weights: FloatArray
    losses: FloatArray
    runs: tuple[Run, ...]

    @property
    def is_of_blocks(self) -> bool:
        """Whether there are several blocks."""
        return sum(run.count for run in self.runs) > 1

    @cached_property
    def masked_shares(self) -> FloatArray:
        """Masked share of the block of each position: (passes, length)."""
        lengths = [run.length for run in self.runs for _ in range(run.count)]
        starts = np.cumsum([0, *lengths[:-1]])
        return np.repeat(np.add.reduceat(self.masks, starts, axis=1, dtype=np.int64) / lengths, lengths, axis=1)

    def of_runs(self) -> Iterator[tuple[Run, "Passes"]]:
        """Yield each run with the passes over its positions alone."""
        start = 0
        for run in self.runs:
            here = slice(start, start + run.count * run.length)
            yield run, Passes(self.masks[:, here], self.weights[:, here], self.losses[..., here], (run,))
            start = here.stop


def held_out(passes: Passes, splits: NDArray[np.bool_], prior: Prior, lags: Lags = ()) -> HeldOut:
    """Predict the passes that each split holds out from all other passes.

    Parameters
    ----------
    passes : Passes
    splits : array of bool, shape (splits, passes)
        The passes that each split holds out together.
    prior : Prior
    lags : tuple of int, default ()
        Distant lags of the surrogate.
    """
    count, blocks = len(passes.masks), sum(run.count for run in passes.runs)
    results = np.zeros((3, len(splits), len(passes.losses), count, blocks))
    before = 0  # blocks
    for run, here in passes.of_runs():
        means = mean_products(run.length, int(prior.orders.max())) @ run.shares.T
        padded = np.append(here.weights, np.zeros((1, here.weights.shape[1])), axis=0).T
        for of_blocks, inside in run.parts():
            part_of = _Part.of(here, run.length, inside, prior, lags)
            lag_means = expected_terms(run.length, inside, lags, run.shares) if lags else np.zeros((0, count))
            at = slice(before + of_blocks.start, before + of_blocks.stop)
            first = 0
            for fits in part_of.fits([part_of.without(held) for held in _batches(splits, len(padded[inside]))]):
                part = slice(first, first := first + len(fits.passes))
                means_of_passes = fits.coefficients.mT @ means + (fits.of_lags.mT @ lag_means)[:, None]
                results[:, part, ..., at] += fits.token_sums(padded[inside])
                results[0, part, ..., at] -= splits[part, None, :, None] * means_of_passes.transpose(0, 2, 3, 1)
        before += run.count
    return HeldOut(*results)


def _batches(splits: NDArray[np.bool_], positions: int) -> Iterator[NDArray[np.bool_]]:
    # Splits that hold out equally many passes, a few at a time.
    most = max(1, TOGETHER // positions)
    for _, equal in itertools.groupby(splits, np.count_nonzero):
        alike = np.stack(list(equal))
        yield from (alike[first : first + most] for first in range(0, len(alike), most))


class _Fits(NamedTuple):
    # Of some splits the passes held out, with predictions and residuals of their tokens, and the coefficients of the
    # fits, summed over the positions of each block: by order of the terms; and of the lags, which only one block has.
    passes: NDArray[np.int64]  # (splits, positions, slots)
    predictions: FloatArray  # (splits, positions, slots, vectors)
    residuals: FloatArray
    coefficients: FloatArray  # (splits, blocks, orders, vectors)
    of_lags: FloatArray  # (splits, lag terms, vectors)

    def token_sums(self, weights: FloatArray) -> FloatArray:
        """Sum predictions, residuals and squares over the tokens of each pass: (3, splits, vectors, passes, blocks).

        The weights have shape (positions, passes + 1).
        """
        splits, vectors, count = len(self.passes), self.residuals.shape[-1], weights.shape[1]
        blocks = self.coefficients.shape[1]
        weight = weights[np.arange(len(weights))[:, None], self.passes][..., None]
        block = np.arange(len(weights))[:, None] // (len(weights) // blocks)
        owner = (self.passes + count * (block + blocks * np.arange(splits)[:, None, None])).ravel()
        size, sums = splits * blocks * count, []
        for tokens in (weight * self.predictions, weight * self.residuals, self.residuals**2):
            by_pass = [np.bincount(owner, tokens[..., vector].ravel(), size) for vector in range(vectors)]
            sums.append(np.stack(by_pass).reshape(vectors, splits, blocks, count)[..., :-1].transpose(1, 0, 3, 2))
        return np.stack(sums)


class _Columns(NamedTuple):
    # Where the columns of a part are: losses, shared terms, terms of the lags, sums of a position's own by order.
    losses: slice
    shared: slice
    lags: slice
    orders: slice


@dataclass(frozen=True, eq=False)
class _Part:
    """Some positions, the passes that mask each (padded by a pass that masks nothing), and what all fits need."""

    prior: Prior
    blocks: int
    system: SharedSystem
    columns: _Columns
    passes: NDArray[np.int64]  # (positions, slots)
    losses: FloatArray  # (positions, passes + 1, vectors)
    precision: FloatArray  # Q: (positions, slots, slots)
    rows: FloatArray  # Q times the columns: (positions, slots, columns)
    products: FloatArray  # the columns times Q times the columns: (positions, columns, columns)

    @classmethod
    def of(cls, whole: Passes, length: int, inside: slice, prior: Prior, lags: Lags) -> "_Part":
        masks, losses = whole.masks, whole.losses
        count = len(masks)
        masked = np.append(masks, np.zeros((1, masks.shape[1]), dtype=bool), axis=0).T[inside]
        passes, present = _first(masked)
        passes[~present] = count
        terms = _terms(masks, length, inside, passes, prior)
        scaled = terms * prior.alone[:, None]
        covariance = torch.from_numpy(terms).mT @ torch.from_numpy(scaled)
        covariance.diagonal(dim1=-2, dim2=-1).add_(prior.noise)
        identity = torch.eye(passes.shape[1], dtype=torch.float64).expand_as(covariance)
        inverse = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), identity, upper=False)
        precision = inverse.mT @ inverse
        observed = np.append(losses, np.zeros((len(losses), 1, masks.shape[1])), axis=1).transpose(2, 1, 0)[inside]
        parts = [
            np.take_along_axis(observed, passes[..., None], axis=1),
            terms[:, 1 : 1 + len(prior.shape)].transpose(0, 2, 1),
            _lag_terms(masks, inside, passes, lags),
            scaled.transpose(0, 2, 1) @ prior.order_sums,
        ]
        ends = np.cumsum([0, *(part.shape[-1] for part in parts)]).tolist()
        columns = torch.from_numpy(np.concatenate(parts, axis=-1))
        rows = precision @ columns
        return cls(
            prior,
            max(1, len(passes) // length),
            shared_system(prior, len(passes)),
            _Columns(*itertools.starmap(slice, itertools.pairwise(ends))),
            passes,
            observed,
            precision.numpy(),
            rows.numpy(),
            (columns.mT @ rows).numpy(),
        )

    def without(self, held: NDArray[np.bool_]) -> "_Without":
        """Leave out the passes that each split holds out: (splits, passes)."""
        is_held = np.append(held, np.zeros((len(held), 1), dtype=bool), axis=1)[:, self.passes]
        slots, present = _first(is_held.reshape(-1, is_held.shape[-1]))
        position, count = np.tile(np.arange(len(self.passes)), len(held))[:, None], slots.shape[1]
        inner = self.precision[position[..., None], slots[:, :, None], slots[:, None, :]]
        inner *= present[:, :, None] & present[:, None, :]
        inner.reshape(len(slots), -1)[:, :: count + 1] += ~present
        factor = torch.linalg.cholesky(torch.from_numpy(inner))
        rows = torch.from_numpy(self.rows[position, slots] * present[..., None])
        rows = torch.linalg.solve_triangular(factor, rows, upper=False).numpy()

        def by_split(array: NDArray[Any]) -> NDArray[Any]:
            return array.reshape(len(held), -1, *array.shape[1:])

        products, columns = self.products - by_split(rows.transpose(0, 2, 1) @ rows), self.columns
        linked, sides = products[:, :, columns.shared], np.r_[columns.losses, columns.lags]
        return _Without(
            by_split(np.where(present, self.passes[position, slots], self.losses.shape[1] - 1)),
            by_split(factor.numpy()),
            by_split(rows),
            products[:, :, columns.orders],
            products[:, :, columns.lags].sum(axis=1),
            np.stack([self.system.matrix(split) for split in linked[..., columns.shared]]),
            np.stack([self.system.right_side(split) for split in linked[..., sides]]),
        )

    def fits(self, left_out: Sequence["_Without"]) -> Iterator[_Fits]:
        """Yield the fits without the passes left out."""
        matrices, sides = (
            np.concatenate([left.matrix for left in left_out]),
            np.concatenate([left.side for left in left_out]),
        )
        solved = solve_tridiagonal(matrices, sides)
        for left in left_out:
            part, solved = solved[: len(left.side)], solved[len(left.side) :]
            yield self._fit(left, part)

    def _fit(self, left: "_Without", solved: FloatArray) -> _Fits:
        losses, shared_terms, lags, _ = self.columns
        given, slopes = solved[..., losses], solved[..., losses.stop :]
        links = left.side[..., losses.stop :].mT
        reduced = np.eye(links.shape[1]) + left.lagged[..., lags] - links @ slopes
        of_lags = np.linalg.solve(reduced, left.lagged[..., losses] - links @ given).astype(np.float64, copy=False)
        shared = (given - slopes @ of_lags)[:, self.system.places]

        def unexplained(part: FloatArray) -> FloatArray:
            rest: FloatArray = part[..., losses] - part[..., shared_terms] @ shared
            return rest - part[..., lags] @ of_lags[:, None]

        factor, rest = torch.from_numpy(left.factor), torch.from_numpy(unexplained(left.rows))
        residuals = torch.linalg.solve_triangular(factor.mT, rest, upper=True).numpy()
        observed = self.losses[np.arange(len(self.passes))[:, None], left.passes]
        sums = self._by_block(unexplained(left.products))
        sums += self.prior.order_sums[1 : 1 + len(self.prior.shape)].T @ self._by_block(shared)
        return _Fits(left.passes, observed - residuals, residuals, sums, of_lags)

    def _by_block(self, values: FloatArray) -> FloatArray:
        # Sums over the positions of each block: (splits, positions, ...) to (splits, blocks, ...).
        total: FloatArray = values.reshape(len(values), self.blocks, -1, *values.shape[2:]).sum(axis=2)
        return total


class _Without(NamedTuple):
    # A part without the passes that some splits hold out.
    passes: NDArray[np.int64]  # held out: (splits, positions, slots)
    factor: FloatArray  # of their precision, lower triangular: (splits, positions, slots, slots)
    rows: FloatArray  # theirs, divided by the factor: (splits, positions, slots, columns)
    products: FloatArray  # of the sums by order with all columns: (splits, positions, orders, columns)
    lagged: FloatArray  # of the lags' terms with all columns, summed over positions: (splits, lag terms, columns)
    matrix: FloatArray  # of the shared coefficients
    side: FloatArray  # of the shared coefficients: losses, then lags


def _first(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    # The places of what is chosen in each row, in order, padded to the most of any row; and which are no padding.
    most = max(1, int(chosen.sum(axis=1).max()))
    places = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    return places, np.take_along_axis(chosen, places, axis=1)


def _terms(masks: NDArray[np.bool_], length: int, inside: slice, passes: NDArray[np.int64], prior: Prior) -> FloatArray:
    # Of the passes (positions, slots): (positions, terms, slots); 0 where a cluster leads out of its block.
    reach, (count, positions) = prior.reach, masks.shape
    number = np.arange(positions)
    place = reach + number + reach * (number // length)  # as many zeros between blocks as a cluster reaches
    signs = np.zeros((place[-1] + reach + 1, count + 1), dtype=np.int8)
    signs[place, :count] = np.where(masks.T, 1, -1)
    window = place[inside, None] + np.arange(-reach, reach + 1)
    near = signs[window[..., None], passes[:, None, :]]
    terms = np.empty((len(passes), len(prior.offsets), passes.shape[1]), dtype=np.int8)
    terms[:, prior.orders == 0] = passes[:, None] < count
    for order in range(1, int(prior.orders.max()) + 1):
        which = prior.orders == order
        first, *others = (np.array([offsets for offsets in prior.offsets if len(offsets) == order]) + reach).T
        product = near[:, first]
        for other in others:
            product *= near[:, other]
        terms[:, which] = product
    return terms.astype(np.float64)


def _lag_terms(masks: NDArray[np.bool_], inside: slice, passes: NDArray[np.int64], lags: Lags) -> FloatArray:
    if not lags:
        return np.zeros((*passes.shape, 0))
    terms = lag_terms(np.where(masks.T, 1.0, -1.0), lags)[inside]
    none = np.zeros((len(terms), 1, terms.shape[-1]))
    return np.take_along_axis(np.append(terms, none, axis=1), passes[..., None], axis=1)
