"""Any noise over a small number of states, given by its rate matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from estimators.errors import InputError
from estimators.noise.process import Noise, excess

__all__ = ["MOST_STATES", "RateMatrix"]

MOST_STATES = 256
TOLERANCE = 1e-9  # of a column's sum, beside its largest rate
STEP = 0.5  # expected jumps of the piece that is summed as a series
LONGEST = 1e300  # expected jumps: more change nothing
TERMS = 18  # of that series: the remainder is below 1e-21 of it
ALIGNED = 8  # states: products of aligned matrices have the same bits in every batch


@dataclass(frozen=True, eq=False)
class RateMatrix(Noise):
    """Noise with any rates.

    Parameters
    ----------
    matrix : array of float, shape (states, states)
        ``matrix[y, x]`` is the rate of the jump from ``x`` to ``y``; columns sum to 0 within 1e-9 of their largest
        rate. Clean symbols are the first states; there may be more states than symbols.
    title : str, default "rate-matrix"
        Its name in tables.

    Raises
    ------
    InputError
        If it is not such a matrix, never forgets where it started, or has not 2 to 256 states.

    Notes
    -----
    Kernels are sums and products of nonnegative numbers (uniformization, then squaring), so that even tiny
    probabilities have all their digits.

    Examples
    --------
    >>> noise = RateMatrix([[-1.0, 0.5], [1.0, -0.5]])
    >>> noise.slowest_rate
    1.5
    >>> noise.kernel(torch.tensor([0.1], dtype=torch.float64), symbols=2)[0].round(decimals=4)
    tensor([[0.9071, 0.0464],
            [0.0929, 0.9536]], dtype=torch.float64)
    """

    matrix: ArrayLike
    title: str = "rate-matrix"

    summary: ClassVar[str] = "noise of a given rate matrix"

    def __post_init__(self) -> None:
        matrix = _checked(self.matrix)
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)
        if self.slowest_rate <= TOLERANCE * np.abs(matrix).max():
            raise InputError(
                "this noise never forgets where it started: its rate matrix has more than one stationary law"
            )

    @property
    def name(self) -> str:
        """The title."""
        return self.title

    @property
    def slowest_rate(self) -> float:
        """The smallest rate of decay among the matrix's own."""
        return float(np.sort(-np.linalg.eigvals(self._rates).real)[1])

    @property
    def joins_all(self) -> bool:
        """Whether all rates between states are positive."""
        return bool((self._rates[~np.eye(len(self._rates), dtype=bool)] > 0).all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RateMatrix) and np.array_equal(self._rates, other._rates)

    def __hash__(self) -> int:
        return hash(self._rates.tobytes())

    @property
    def _rates(self) -> NDArray[np.float64]:
        return np.asarray(self.matrix, dtype=np.float64)

    def states(self, symbols: int) -> int:
        """Return the number of states. Raises `InputError` if there are more symbols."""
        count = len(self._rates)
        if symbols > count:
            raise InputError(f"this noise has {count} states, fewer than the {symbols} symbols of the model")
        return count

    def rates(self, symbols: int) -> Tensor:
        """Return the matrix."""
        self.states(symbols)
        return torch.from_numpy(self._rates.copy())

    def kernel(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the probability of each state given each symbol; see `Noise.kernel`."""
        rates = self.rates(symbols).to(total_noise.device)
        states, added = len(rates), -len(rates) % ALIGNED
        rates = torch.nn.functional.pad(rates, (0, added, 0, added))
        fastest = float(-rates.diagonal().min())
        power = torch.eye(len(rates), dtype=torch.float64, device=rates.device)
        jump = rates / fastest + power
        expected = (total_noise * fastest).clamp(max=LONGEST)
        halvings = torch.ceil(torch.log2(expected / STEP)).clamp(min=0)
        step = (expected / 2**halvings)[:, None, None]
        weight = torch.exp(-step)
        kernel = weight * power
        for order in range(1, TERMS):
            power, weight = power @ jump, weight * (step / order)
            kernel = kernel + weight * power
        for done in range(int(halvings.max().item()) if len(halvings) else 0):
            square = kernel @ kernel
            square = square / (torch.ones_like(power) @ square)  # else the rounding of the sums doubles each time
            kernel = torch.where((halvings > done)[:, None, None], square, kernel)
        return kernel[:, :states, :symbols]

    def log_kernel(self, tokens: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of each state given the tokens; see `Noise.log_kernel`."""
        by_symbol = self.kernel(total_noise, symbols).transpose(1, 2).log()
        return by_symbol.gather(1, tokens[..., None].expand(-1, -1, by_symbol.shape[2]))

    def inflow(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the row of the matrix of each state; see `Noise.inflow`."""
        return self.rates(symbols).fill_diagonal_(0.0).to(noised.device)[noised]

    def drawn(
        self, tokens: NDArray[np.int64], total_noise: NDArray[np.float64], keys: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        """Invert the distribution functions, the own symbol last; see `Noise.drawn`."""
        kernel = self.kernel(torch.from_numpy(total_noise), symbols).numpy()
        chances = np.take_along_axis(kernel.swapaxes(1, 2), tokens[..., None], axis=1)
        np.put_along_axis(chances, tokens[..., None], 0.0, axis=2)
        place = (chances.cumsum(axis=2) <= keys[..., None]).sum(axis=2)
        return np.where(place < chances.shape[2], place, tokens)

    def marginal_excess(self, kernel: Tensor, exponent: Tensor, total_noise: Tensor) -> Tensor:
        """Return the sum over all pairs of states; see `Noise.marginal_excess`."""
        rates = torch.from_numpy(self._rates.copy()).to(kernel.device).fill_diagonal_(0.0)
        gaps = torch.where(rates > 0, exponent[..., None, :] - exponent[..., :, None], 0.0)
        return torch.einsum("zy,...y,...zy->...", rates, kernel, excess(gaps))


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    try:
        matrix = np.asarray(values, dtype=np.float64).copy()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a rate matrix must be an array of numbers: {error}") from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not 2 <= len(matrix) <= MOST_STATES:
        raise InputError(f"a rate matrix needs shape (states, states), 2 to {MOST_STATES} states; got {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError("a rate matrix needs finite rates")
    negative = np.argwhere((matrix < 0) & ~np.eye(len(matrix), dtype=bool))
    if len(negative):
        after, before = negative[0]
        raise InputError(
            f"the rate from state {before} to state {after} is {matrix[after, before]:g}; it is at least 0"
        )
    with np.errstate(over="ignore"):  # an infinite sum is not 0 either
        sums, scale = matrix.sum(axis=0), np.abs(matrix).max(axis=0)
    off = np.flatnonzero(np.abs(sums) > TOLERANCE * scale)
    if len(off):
        raise InputError(
            f"column {off[0]} of the rate matrix sums to {sums[off[0]]:.6g}, not 0: "
            "matrix[y, x] is the rate from x to y, and matrix[x, x] is minus the sum of the rates out of x"
        )
    return matrix
