"""Schedules: how much noise there is at a time between 0 and 1.

The integral of the score entropy does not depend on the schedule. With times drawn uniformly, the schedule is the law
of the noised fraction: it says where an estimator spends its passes.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.errors import InputError

__all__ = ["Geometric", "LogLinear", "Polynomial", "Schedule"]

FIRST, LAST = 2.0**-53, 1.0 - 2.0**-53  # noise is positive after the first time, and finite before the last


class Schedule(Protocol):
    """How total noise grows with time.

    Examples
    --------
    >>> [schedule.order for schedule in (LogLinear(), Polynomial(), Geometric())]
    [1.0, 2.0, 1.0]
    """

    @property
    def name(self) -> str:
        """The schedule in the names of estimators, parameters included."""
        ...

    @property
    def order(self) -> float:
        """Noise begins as this power of time."""
        ...

    @property
    def final_noise(self) -> float:
        """Total noise at time 1; it may be infinite."""
        ...

    def total_noise(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the total noise at times from 0 to 1; times closer than 1e-16 to an end count as inside.

        Raises
        ------
        InputError
            If a time is outside.
        """
        ...

    def rate(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative of `total_noise`."""
        ...


def _times(time: ArrayLike) -> NDArray[np.float64]:
    times = np.asarray(time, dtype=np.float64)
    outside = ~((times >= 0) & (times <= 1))
    if outside.any():
        raise InputError(f"times of a schedule go from 0 to 1, got {times[outside].flat[0]:g}")
    return np.clip(times, FIRST, LAST)


@dataclass(frozen=True)
class LogLinear:
    """The noised fraction ``1 - exp(-total noise)``, under masking the masking rate, is ``(1 - eps) t``.

    Parameters
    ----------
    eps : float, default 0
        Share that is not noised at time 1.

    Raises
    ------
    InputError
        If ``eps`` is outside ``[0, 1)``.

    References
    ----------
    A. Lou, C. Meng, S. Ermon (SEDD), arXiv 2310.16834: the log-linear schedule. S. Sahoo et al. (MDLM), arXiv
    2406.07524: the linear one. Both have ``eps`` 0.001.

    Examples
    --------
    >>> LogLinear().total_noise([0.5]).round(4), LogLinear().rate([0.5])
    (array([0.6931]), array([2.]))
    """

    eps: float = 0.0

    order: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.eps < 1.0:
            raise InputError(f"log-linear needs eps in [0, 1), got {self.eps}")

    @property
    def name(self) -> str:
        """The name, parameters included."""
        return f"log-linear,eps={self.eps:.12g}" if self.eps else "log-linear"

    @property
    def final_noise(self) -> float:
        """Total noise at time 1."""
        return -float(np.log(self.eps)) if self.eps else np.inf

    def total_noise(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the total noise; see `Schedule.total_noise`."""
        noise: NDArray[np.float64] = -np.log1p(-(1.0 - self.eps) * _times(time))
        return noise

    def rate(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative of `total_noise`."""
        share = 1.0 - self.eps
        rate: NDArray[np.float64] = share / (1.0 - share * _times(time))
        return rate


@dataclass(frozen=True)
class Polynomial:
    """The noised fraction is ``t ** power``: many passes at low noise, which score entropies need.

    Parameters
    ----------
    power : float, default 2

    Raises
    ------
    InputError
        If the power is not positive and finite.

    References
    ----------
    J. Shi et al., *Simplified and generalized masked diffusion for discrete data* (MD4), arXiv 2406.04329.

    Examples
    --------
    >>> Polynomial().total_noise([0.5]).round(4)
    array([0.2877])
    """

    power: float = 2.0

    final_noise: ClassVar[float] = np.inf

    def __post_init__(self) -> None:
        if not 0.0 < self.power < np.inf:
            raise InputError(f"polynomial needs a positive power, got {self.power}")

    @property
    def name(self) -> str:
        """The name, parameters included."""
        return f"polynomial,power={self.power:.12g}" if self.power != 2 else "polynomial"

    @property
    def order(self) -> float:
        """The power."""
        return self.power

    def total_noise(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the total noise; see `Schedule.total_noise`."""
        times = _times(time)
        fraction = times**self.power
        # Near the end 1 - t^p has no digits, near the start the logarithm has none.
        start, end = -np.log1p(-np.minimum(fraction, 0.5)), -np.log(self._left(times))
        return np.where(fraction < 0.5, start, end)

    def rate(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative of `total_noise`."""
        times = _times(time)
        rate: NDArray[np.float64] = self.power * times ** (self.power - 1.0) / self._left(times)
        return rate

    def _left(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        left: NDArray[np.float64] = -np.expm1(self.power * np.log(times))
        return left


@dataclass(frozen=True)
class Geometric:
    """Total noise ``smallest ((1 + largest / smallest)^t - 1)``: nearly geometric, from nothing to the largest.

    SEDD's geometric schedule, ``smallest^(1 - t) largest^t``, starts with some noise already there, which its
    likelihood leaves out; this one starts clean.

    Parameters
    ----------
    smallest, largest : float
        Total noise from which on it is geometric, and at time 1; by default those of SEDD.

    Raises
    ------
    InputError
        Unless ``0 < smallest < largest < inf``.

    Examples
    --------
    >>> Geometric().total_noise([0.0, 0.5, 1.0]).round(4)
    array([ 0.    ,  0.0446, 20.    ])
    """

    smallest: float = 1e-4
    largest: float = 20.0

    order: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.smallest < self.largest < np.inf:
            raise InputError(f"geometric needs 0 < smallest < largest, got {self.smallest} and {self.largest}")

    @property
    def name(self) -> str:
        """The name, parameters included."""
        given = [f",smallest={self.smallest:.12g}"] * (self.smallest != 1e-4) + [f",largest={self.largest:.12g}"] * (
            self.largest != 20
        )
        return "geometric" + "".join(given)

    @property
    def final_noise(self) -> float:
        """Total noise at time 1."""
        return self.largest

    def total_noise(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the total noise; see `Schedule.total_noise`."""
        noise: NDArray[np.float64] = self.smallest * np.expm1(_times(time) * self._growth)
        return noise

    def rate(self, time: ArrayLike) -> NDArray[np.float64]:
        """Return the derivative of `total_noise`."""
        rate: NDArray[np.float64] = self.smallest * self._growth * np.exp(_times(time) * self._growth)
        return rate

    @property
    def _growth(self) -> float:
        return float(np.log1p(self.largest / self.smallest))
