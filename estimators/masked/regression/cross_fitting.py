"""Predict passes from all passes but those of a split, with the exact mean of the predictions.

A surrogate is fitted without the passes that it predicts. Given the shared coefficients ``beta``, the positions are
independent: at each, the losses of the passes that mask it are ``x' beta`` plus a Gaussian process of its own, whose
precision matrix ``Q`` over these passes is inverted once. To leave out the passes ``h`` of a split takes no further
fit: with ``r`` the losses less ``x' beta``, the held-out residuals are ``Q_hh^-1 (Q r)_h``, and a product ``a' Q b``
becomes ``a' Q b - (Q a)_h' Q_hh^-1 (Q b)_h``. The shared coefficients of nearby clusters alone are linked, so that
their precision matrix is block-tridiagonal. The cost is proportional to positions and splits, and, with the inversion,
to the square of the passes.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.masked.regression.lags import Lags, expected_terms, lag_terms
from estimators.masked.regression.prior import Prior, mean_products
from estimators.masked.regression.shared_coefficients import SharedSystem, shared_system, solve_tridiagonal

__all__ = ["HeldOut", "Passes", "held_out"]

FloatArray = NDArray[np.float64]

POSITIONS = 64  # fitted together: clusters across the border of two blocks have a coefficient in each
TOGETHER = 256  # positions times splits of a batch: what it needs stays in the cache


class HeldOut(NamedTuple):
    """Predictions of the passes that each split holds out; 0 for the others. Linear in the losses, but `squares`.

    Attributes
    ----------
    predicted : array of float64, shape (splits, replicates, vectors, passes)
        The sum over positions of the weighted surrogate, less its mean.
    residual : array of float64, shape (splits, replicates, vectors, passes)
        The sum over positions of the weighted loss less the surrogate.
    squares : array of float64, shape (splits, replicates, vectors, passes)
        The sum over masked positions of the squared loss less the surrogate.
    """

    predicted: FloatArray
    residual: FloatArray
    squares: FloatArray


@dataclass(frozen=True, eq=False)
class Passes:
    """The passes of some replicates and their losses.

    Attributes
    ----------
    masks : array of bool, shape (replicates, passes, length)
    weights : array of float64, shape (replicates, passes, length)
        0 where not masked.
    losses : array of float64, shape (replicates, vectors, passes, length)
        Of one or several targets or models under these masks, 0 where not masked. They share the expensive steps.
    shares : array of float64, shape (passes, length)
        Weight of each size ``1 .. L`` in the mean of a pass: the mean of its weighted surrogate ``b`` over its random
        mask is the sum over sizes of the share times the sum over positions of the mean of ``b(i, S)`` over masks of
        that size.
    """

    masks: NDArray[np.bool_]
    weights: FloatArray
    losses: FloatArray
    shares: FloatArray

    def of(self, replicates: NDArray[np.int64]) -> "Passes":
        """Return the passes of some replicates."""
        return Passes(self.masks[replicates], self.weights[replicates], self.losses[replicates], self.shares)


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
    replicates, count, length = passes.masks.shape
    results = np.zeros((3, len(splits), replicates, passes.losses.shape[1], count))
    blocks = -(-length // POSITIONS)
    ends = [length * block // blocks for block in range(blocks + 1)]
    means = mean_products(length, int(prior.orders.max())) @ passes.shares.T
    for inside in itertools.starmap(slice, itertools.pairwise(ends)):
        lag_means = expected_terms(length, inside, lags, passes.shares) if lags else np.zeros((0, count))
        for some in _alike(passes.masks[:, :, inside]):
            part = passes.of(some)
            block, weights = _Block.of(part, inside, prior, lags), _by_position(part.weights[..., None], inside)[..., 0]
            left_out = [block.without(held) for held in _batches(splits, len(block.passes))]
            sums, of_means = [], []
            for fits in block.fits(left_out):
                sums.append(fits.token_sums(weights))
                of_means.append(fits.coefficients.mT @ means + fits.of_lags.mT @ lag_means)
            shape = len(splits), len(some), *results.shape[3:]
            results[:, :, some] += np.concatenate(sums, axis=1).reshape(3, *shape)
            results[0][:, some] -= splits[:, None, None] * np.concatenate(of_means).reshape(shape)
    return HeldOut(*results)


def _alike(masks: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    # Replicates with equally many passes at most at a position, a few at a time: the rounding of a replicate must not
    # depend on the others.
    slots = masks.sum(axis=1).max(axis=1)
    most = max(1, TOGETHER // masks.shape[2])
    for number in np.unique(slots):
        alike = np.flatnonzero(slots == number)
        yield from (alike[first : first + most] for first in range(0, len(alike), most))


def _batches(splits: NDArray[np.bool_], positions: int) -> Iterator[NDArray[np.bool_]]:
    # Splits that hold out equally many passes, a few at a time.
    most = max(1, TOGETHER // positions)
    for _, equal in itertools.groupby(splits, np.count_nonzero):
        alike = np.stack(list(equal))
        yield from (alike[first : first + most] for first in range(0, len(alike), most))


class _Fits(NamedTuple):
    # Of some fits (splits x replicates) the passes held out, with predictions and residuals of their tokens, and the
    # coefficients, summed over positions: by order of the terms, and of the lags.
    passes: NDArray[np.int64]  # (fits, positions, slots)
    predictions: FloatArray  # (fits, positions, slots, vectors)
    residuals: FloatArray
    coefficients: FloatArray  # (fits, orders, vectors)
    of_lags: FloatArray  # (fits, lag terms, vectors)

    def token_sums(self, weights: FloatArray) -> FloatArray:
        """Sum predictions, residuals and squares over the tokens of each pass: (3, fits, vectors, passes).

        The weights have shape (all positions, passes + 1).
        """
        fits, vectors, count = len(self.passes), self.residuals.shape[-1], weights.shape[-1]
        weight = weights[_all_positions(self.passes, len(weights)), self.passes][..., None]
        owner = (self.passes + count * np.arange(fits)[:, None, None]).ravel()
        sums = []
        for tokens in (weight * self.predictions, weight * self.residuals, self.residuals**2):
            by_pass = [np.bincount(owner, tokens[..., vector].ravel(), fits * count) for vector in range(vectors)]
            sums.append(np.stack(by_pass).reshape(vectors, fits, count)[..., :-1].swapaxes(0, 1))
        return np.stack(sums)


class _Columns(NamedTuple):
    # Where the columns of a block are: losses, shared terms, terms of the lags, sums of a position's own by order.
    losses: slice
    shared: slice
    lags: slice
    orders: slice


@dataclass(frozen=True, eq=False)
class _Block:
    """Some positions, the passes that mask each (padded by a pass that masks nothing), and what all fits need.

    The first axis of all arrays is that of the positions of one replicate, then those of the next.
    """

    prior: Prior
    system: SharedSystem
    columns: _Columns
    passes: NDArray[np.int64]  # (all positions, slots)
    losses: FloatArray  # (all positions, passes + 1, vectors)
    precision: FloatArray  # Q: (all positions, slots, slots)
    rows: FloatArray  # Q times the columns: (all positions, slots, columns)
    products: FloatArray  # the columns times Q times the columns: (all positions, columns, columns)

    @classmethod
    def of(cls, data: Passes, inside: slice, prior: Prior, lags: Lags) -> "_Block":
        replicates, count, _ = data.masks.shape
        masked = _by_position(data.masks[..., None], inside)[..., 0]
        passes, present = _first(masked, max(1, int(masked.sum(axis=1).max())))
        passes[~present] = count
        terms = _terms(data.masks, inside, passes, prior)
        scaled = terms * prior.alone[:, None]
        covariance = torch.from_numpy(terms).mT @ torch.from_numpy(scaled)
        covariance.diagonal(dim1=-2, dim2=-1).add_(prior.noise)
        identity = torch.eye(passes.shape[1], dtype=torch.float64).expand_as(covariance)
        inverse = torch.linalg.solve_triangular(torch.linalg.cholesky(covariance), identity, upper=False)
        precision = inverse.mT @ inverse
        observed = _by_position(np.moveaxis(data.losses, 1, -1), inside)
        parts = [
            np.take_along_axis(observed, passes[..., None], axis=1),
            terms[:, 1 : 1 + len(prior.shape)].transpose(0, 2, 1),
            _lag_terms(data.masks, inside, passes, lags),
            scaled.transpose(0, 2, 1) @ prior.order_sums,
        ]
        ends = np.cumsum([0, *(part.shape[-1] for part in parts)]).tolist()
        columns = torch.from_numpy(np.concatenate(parts, axis=-1))
        rows = precision @ columns
        return cls(
            prior,
            shared_system(prior, len(passes) // replicates),
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
        most = min(max(1, int(np.count_nonzero(held[0]))), self.passes.shape[1])
        slots, present = _first(is_held.reshape(-1, is_held.shape[-1]), most)
        position, count = np.tile(np.arange(len(self.passes)), len(held))[:, None], slots.shape[1]
        inner = self.precision[position[..., None], slots[:, :, None], slots[:, None, :]]
        inner *= present[:, :, None] & present[:, None, :]
        inner.reshape(len(slots), -1)[:, :: count + 1] += ~present
        factor = torch.linalg.cholesky(torch.from_numpy(inner))
        rows = torch.from_numpy(self.rows[position, slots] * present[..., None])
        rows = torch.linalg.solve_triangular(factor, rows, upper=False).numpy()

        positions = len(self.system.places)

        def by_fit(array: NDArray[Any]) -> NDArray[Any]:
            return array.reshape(-1, positions, *array.shape[1:])

        columns = self.columns
        products = by_fit(rows.transpose(0, 2, 1) @ rows)
        products = self.products.reshape(-1, *products[0].shape) - products.reshape(len(held), -1, *products[0].shape)
        products = products.reshape(-1, *products.shape[2:])
        linked, sides = products[:, :, columns.shared], np.r_[columns.losses, columns.lags]
        return _Without(
            by_fit(np.where(present, self.passes[position, slots], self.losses.shape[1] - 1)),
            by_fit(factor.numpy()),
            by_fit(rows),
            products[:, :, columns.orders],
            products[:, :, columns.lags].sum(axis=1),
            self.system.matrix(linked[..., columns.shared]),
            self.system.right_side(linked[..., sides]),
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
        observed = self.losses[_all_positions(left.passes, len(self.losses)), left.passes]
        sums = unexplained(left.products).sum(axis=1)
        sums += self.prior.order_sums[1 : 1 + len(self.prior.shape)].T @ shared.sum(axis=1)
        return _Fits(left.passes, observed - residuals, residuals, sums, of_lags)


class _Without(NamedTuple):
    # A block without the passes that some splits hold out.
    passes: NDArray[np.int64]  # held out: (fits, positions, slots)
    factor: FloatArray  # of their precision, lower triangular: (fits, positions, slots, slots)
    rows: FloatArray  # theirs, divided by the factor: (fits, positions, slots, columns)
    products: FloatArray  # of the sums by order with all columns: (fits, positions, orders, columns)
    lagged: FloatArray  # of the lags' terms with all columns, summed over positions: (fits, lag terms, columns)
    matrix: FloatArray  # of the shared coefficients
    side: FloatArray  # of the shared coefficients: losses, then lags


def _all_positions(of_fits: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    # The number of each position among those of all replicates, for an array (fits, positions, slots).
    fits, positions, _ = of_fits.shape
    numbers: NDArray[np.int64] = np.arange(fits * positions).reshape(fits, positions, 1) % count
    return numbers


def _first(chosen: NDArray[np.bool_], most: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    # The places of what is chosen in each row, in order, padded to ``most``; and which are no padding.
    places = np.argsort(~chosen, axis=1, kind="stable")[:, :most]
    return places, np.take_along_axis(chosen, places, axis=1)


def _by_position(of_passes: NDArray[Any], inside: slice) -> NDArray[Any]:
    # (replicates, passes, length, ...) as (all positions, passes + 1, ...), 0 for the last pass.
    moved = of_passes[:, :, inside].swapaxes(1, 2)
    padded = np.zeros((*moved.shape[:2], moved.shape[2] + 1, *moved.shape[3:]), dtype=moved.dtype)
    padded[:, :, :-1] = moved
    return padded.reshape(-1, *padded.shape[2:])


def _terms(masks: NDArray[np.bool_], inside: slice, passes: NDArray[np.int64], prior: Prior) -> FloatArray:
    # Of the passes (all positions, slots): (all positions, terms, slots); 0 where a cluster leads out of the sequence.
    reach, (replicates, count, length) = prior.reach, masks.shape
    signs = np.zeros((replicates, length + 2 * reach, count + 1), dtype=np.int8)
    signs[:, reach : reach + length, :count] = np.where(masks.swapaxes(1, 2), 1, -1)
    replicate, position = np.divmod(np.arange(len(passes)), inside.stop - inside.start)
    window = inside.start + position[:, None] + np.arange(2 * reach + 1)
    near = signs[replicate[:, None, None], window[..., None], passes[:, None, :]]
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
    replicates, count, length = masks.shape
    terms = lag_terms(np.where(masks, 1.0, -1.0).transpose(2, 0, 1).reshape(length, -1), lags)
    of_passes = terms.reshape(length, replicates, count, -1).transpose(1, 2, 0, 3)
    return np.take_along_axis(_by_position(of_passes, inside), passes[..., None], axis=1)
