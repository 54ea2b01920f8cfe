"""Designs: how the points in the unit cube are drawn, whatever they are used for.

A point has one coordinate for how much is masked, a *quantile* of its law, and one *key* for each scored position
(which positions are masked first). Every design keeps two rules, and the contract tests check them:

1. Averaged over the passes of a replicate, a point is uniform on the unit cube. Any unbiased mask map therefore stays
   unbiased under any design.
2. Coordinate ``i`` belongs to position ``i``: from one generator state and at one number of passes, fewer dimensions
   give the leading coordinates of more. Targets of different length that share a generator therefore share their
   uniforms.

Coordinates lie in ``[0, 1]``; both ends are allowed, because the reflection of 0 is 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from estimators.errors import InputError, PassesError

__all__ = [
    "IID",
    "Antithetic",
    "Dependence",
    "Design",
    "LatinHypercube",
    "Sobol",
    "Stratified",
    "Systematic",
    "draw_points",
    "spread",
]

DIGITS = 53  # binary digits of a float64 in [0, 1)
QUANTILE = 0  # the coordinate that says how much is masked; the others are the keys


Dependence = Literal["none", "pairs", "strata", "other"]
"""How passes depend on one another: not at all, in consecutive pairs, by one quantile in each of as many equal strata
as passes, or in any other way. It decides how the within-replicate variance is estimated."""


class Design(Protocol):
    """A way to draw the points of one replicate.

    Attributes
    ----------
    name, summary : str
    dependence : Dependence
    balanced : bool
        Whether each key is once in each of as many equal parts as passes: every position is masked about equally often.

    Examples
    --------
    >>> from estimators import PointEstimator, UniformCount
    >>> estimator = PointEstimator(UniformCount(), Stratified())
    >>> estimator.name
    'uniform-count+stratified'
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    dependence: ClassVar[Dependence]
    balanced: ClassVar[bool]

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate.

        Parameters
        ----------
        dimension : int
            ``1 + length``: the quantile and a key for each position.
        passes : int
            Number of points.
        rng : numpy.random.Generator
            The replicate's own stream.

        Returns
        -------
        array of float64, shape (passes, dimension)
        """
        ...


def draw_points(
    design: Design, length: int, passes: int, replicates: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the points of independent replicates, each from a child of ``rng``: (replicates, passes, 1 + length)."""
    if length < 1:
        raise InputError(f"a plan needs at least one scored position, got {length}")
    return np.stack([design.points(1 + length, passes, child) for child in rng.spawn(replicates)])


def spread(points: NDArray[np.float64], dependence: Dependence, rng: np.random.Generator) -> NDArray[np.float64]:
    """Spread the quantiles of blocks evenly: of each pass, one in each of as many equal strata as there are blocks.

    The points of each block keep their law, but how much is masked varies less in the sum over blocks. The order of the
    quantiles stays, so that blocks which share generators keep nearly equal ones.

    Parameters
    ----------
    points : array of float64, shape (blocks, passes, 1 + length)
        Independent blocks.
    dependence : Dependence
        Of the passes of a block: the quantiles of each stratum are spread inside it, those of pairs with both halves.
    rng : numpy.random.Generator

    Returns
    -------
    array of float64, shape (blocks, passes, 1 + length)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> points = draw_points(IID(), length=3, passes=1, replicates=4, rng=rng)
    >>> np.sort(spread(points, "none", rng)[:, 0, 0] * 4).astype(int)
    array([0, 1, 2, 3])
    """
    blocks, passes, _ = points.shape
    quantiles = points[..., QUANTILE]
    strata = passes if dependence == "strata" else 1
    stratum = np.minimum((quantiles * strata).astype(np.int64), strata - 1)
    ranks = (quantiles * strata - stratum).argsort(axis=0, kind="stable").argsort(axis=0)
    evenly = (stratum + (ranks + rng.random((blocks, passes))) / blocks) / strata
    if dependence == "pairs":
        evenly[:, 1::2] = 1.0 - evenly[:, : passes // 2 * 2 : 2]
    result = points.copy()
    result[..., QUANTILE] = evenly
    return result


def _uniforms(dimension: int, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    # Drawn coordinate by coordinate: fewer dimensions are then a prefix of more.
    return rng.random((dimension, count)).T


@dataclass(frozen=True)
class IID:
    """Independent uniform points: plain Monte Carlo.

    Examples
    --------
    >>> IID().points(dimension=3, passes=2, rng=np.random.default_rng(0)).round(2)
    array([[0.64, 0.04, 0.81],
           [0.27, 0.02, 0.91]])
    """

    name: ClassVar[str] = "iid"
    summary: ClassVar[str] = "independent points"
    dependence: ClassVar[Dependence] = "none"
    balanced: ClassVar[bool] = False

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        return _uniforms(dimension, passes, rng)


@dataclass(frozen=True)
class Antithetic:
    """Pairs ``u, 1 - u`` in all coordinates; with an odd number of passes the last point has no partner.

    The partner of a threshold mask is its complement; the partner of the ``m`` smallest keys is the ``L + 1 - m``
    largest ones.

    References
    ----------
    J. M. Hammersley, K. W. Morton, *A new Monte Carlo technique: antithetic variates*, Mathematical Proceedings of the
    Cambridge Philosophical Society 52 (1956).

    Examples
    --------
    >>> Antithetic().points(dimension=3, passes=2, rng=np.random.default_rng(0)).sum(axis=0)
    array([1., 1., 1.])
    """

    name: ClassVar[str] = "antithetic"
    summary: ClassVar[str] = "pairs u and 1 - u: a mask and its complement"
    dependence: ClassVar[Dependence] = "pairs"
    balanced: ClassVar[bool] = False

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        first = _uniforms(dimension, (passes + 1) // 2, rng)
        pairs = np.stack([first, 1.0 - first], axis=1)
        return pairs.reshape(-1, dimension)[:passes]


@dataclass(frozen=True)
class Stratified:
    """One quantile in each of ``passes`` equal strata, uniform within it; independent keys.

    References
    ----------
    W. G. Cochran, *Sampling Techniques*, 3rd edition, Wiley 1977, chapter 5.

    Examples
    --------
    >>> Stratified().points(dimension=3, passes=4, rng=np.random.default_rng(0))[:, 0].round(2)
    array([0.16, 0.32, 0.51, 0.75])
    """

    name: ClassVar[str] = "stratified"
    summary: ClassVar[str] = "one quantile in each of as many equal strata as passes; independent keys"
    dependence: ClassVar[Dependence] = "strata"
    balanced: ClassVar[bool] = False

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        points = _uniforms(dimension, passes, rng)
        points[:, QUANTILE] = (np.arange(passes) + points[:, QUANTILE]) / passes
        return points


@dataclass(frozen=True)
class Systematic:
    """Levels on a grid of spacing ``1 / passes`` with one common random offset; independent keys.

    The error that the offset contributes does not show within a replicate: on 54 characters of text with 16 passes,
    intervals from the strata were 0.84 times as wide as they should be.

    References
    ----------
    W. G. Madow, L. H. Madow, *On the theory of systematic sampling, I*, Annals of Mathematical Statistics 15 (1944).

    Examples
    --------
    >>> Systematic().points(dimension=3, passes=4, rng=np.random.default_rng(0))[:, 0].round(2)
    array([0.16, 0.41, 0.66, 0.91])
    """

    name: ClassVar[str] = "systematic"
    summary: ClassVar[str] = "quantiles on a grid with one common offset; independent keys"
    dependence: ClassVar[Dependence] = "other"
    balanced: ClassVar[bool] = False

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        points = _uniforms(dimension, passes, rng)
        points[:, QUANTILE] = (np.arange(passes) + points[0, QUANTILE]) / passes
        return points


@dataclass(frozen=True)
class LatinHypercube:
    """Each coordinate, quantile and keys alike, once in each of ``passes`` equal strata, in an order of its own.

    Every position is then masked about as often as any other, and the variance that is additive in the coordinates
    vanishes.

    References
    ----------
    M. D. McKay, R. J. Beckman, W. J. Conover, *A comparison of three methods for selecting values of input variables in
    the analysis of output from a computer code*, Technometrics 21 (1979).

    Examples
    --------
    >>> points = LatinHypercube().points(dimension=3, passes=4, rng=np.random.default_rng(0))
    >>> np.sort((points * 4).astype(int), axis=0).T
    array([[0, 1, 2, 3],
           [0, 1, 2, 3],
           [0, 1, 2, 3]])
    """

    name: ClassVar[str] = "latin-hypercube"
    summary: ClassVar[str] = "quantile and every key once in each of as many equal strata as passes"
    dependence: ClassVar[Dependence] = "strata"
    balanced: ClassVar[bool] = True

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`."""
        order, jitter = rng.random((dimension, 2, passes)).swapaxes(0, 1)
        points: NDArray[np.float64] = ((order.argsort(axis=-1) + jitter) / passes).T
        return points


@dataclass(frozen=True)
class Sobol:
    """A Sobol net, scrambled anew for each replicate; the number of passes must be a power of two.

    The scramble is a random linear matrix scramble and a digital shift, coordinate by coordinate, so that both rules
    hold; the scramble of torch's own engine would break the second.

    References
    ----------
    I. M. Sobol, *On the distribution of points in a cube and the approximate evaluation of integrals*, USSR
    Computational Mathematics and Mathematical Physics 7 (1967). J. Matousek, *On the L2-discrepancy for anchored
    boxes*, Journal of Complexity 14 (1998).

    Examples
    --------
    >>> points = Sobol().points(dimension=3, passes=4, rng=np.random.default_rng(0))
    >>> np.sort((points * 4).astype(int), axis=0).T
    array([[0, 1, 2, 3],
           [0, 1, 2, 3],
           [0, 1, 2, 3]])
    """

    name: ClassVar[str] = "sobol"
    summary: ClassVar[str] = "a scrambled Sobol net; needs 2^k passes"
    dependence: ClassVar[Dependence] = "other"  # what the net gains does not show in its quantiles
    balanced: ClassVar[bool] = True

    def points(self, dimension: int, passes: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the points of one replicate; see `Design.points`.

        Raises
        ------
        PassesError
            If the number of passes is not a power of two.
        InputError
            If there are more positions than Sobol's direction numbers reach.
        """
        most = torch.quasirandom.SobolEngine.MAXDIM
        if dimension > most:
            raise InputError(
                f"a Sobol net has at most {most - 1} scored positions, got {dimension - 1}; use another design"
            )
        depth = passes.bit_length() - 1
        if passes != 2**depth:
            fitting = f"{2**depth} or {2 ** (depth + 1)}"
            raise PassesError(f"passes must be a power of two for a Sobol net, got {passes}; use {fitting}")
        cells = _sobol_cells(dimension, passes)
        digits = np.repeat(_digits(rng.random((dimension, 1))).T, passes, axis=0)
        below = _digits(rng.spawn(1)[0].random((dimension, depth)))
        for place in range(depth):
            column = 1 << (DIGITS - 1 - place) | below[:, place] >> (1 + place)
            digits ^= (cells >> (depth - 1 - place) & 1) * column
        points: NDArray[np.float64] = np.ldexp(digits, -DIGITS)
        return points


@lru_cache(maxsize=16)
def _sobol_cells(dimension: int, passes: int) -> NDArray[np.int64]:
    # Unscrambled: which of `passes` equal cells of each coordinate a point is in.
    net = torch.quasirandom.SobolEngine(dimension).draw(passes, dtype=torch.float64)  # type: ignore[no-untyped-call]
    cells: NDArray[np.int64] = (net.numpy() * passes).astype(np.int64)
    cells.flags.writeable = False
    return cells


def _digits(uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ldexp(uniforms, DIGITS).astype(np.int64)
