"""Mixed noise: uniform noise and masking, in proportions that change with the amount of noise."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators.errors import InputError
from estimators.noise.process import Redrawn, excess

__all__ = ["Mixed"]


@dataclass(frozen=True)
class Mixed(Redrawn):
    """Noise that redraws a position, at rate 1, uniformly over all symbols at first, and as a mask in the end.

    At time ``t`` of its own schedule a position is clean with probability ``(1 - t) / C``, masked with ``t / C``, and a
    uniformly drawn symbol with ``c / C``, where ``c = B sqrt(t (1 - t))``, ``C = 1 + c`` and ``B = 2 share / (1 -
    share)``. Total noise is minus the logarithm of the first. The mask is the last of ``symbols + 1`` states; it can
    change back into a symbol.

    Parameters
    ----------
    share : float
        Share of uniformly drawn symbols at time 1/2, in (0, 1). With a share of 0 the noise would be `Absorbing`.

    Raises
    ------
    InputError
        If the share is outside (0, 1).

    References
    ----------
    D. von Rütte et al., *Generalized interpolating discrete diffusion* (GIDD), arXiv 2503.04482: mixed noise.

    Examples
    --------
    >>> noise, half = Mixed(0.2), -torch.log(torch.tensor([0.4], dtype=torch.float64))
    >>> noise.time(half), noise.kernel(half, symbols=2)[0]
    (tensor([0.5000], dtype=torch.float64), tensor([[0.5000, 0.1000],
            [0.1000, 0.5000],
            [0.4000, 0.4000]], dtype=torch.float64))
    """

    share: float

    def __post_init__(self) -> None:
        if not 0.0 < self.share < 1.0:
            raise InputError(f"mixed noise needs a share of uniform noise in (0, 1), got {self.share}")

    @property
    def name(self) -> str:
        """The name, with the share of uniform noise."""
        return f"mixed-{self.share:.12g}"

    @property
    def summary(self) -> str:
        """The noise in some words."""
        return f"a mixture of masking and a share of {self.share:g} uniform noise"

    @property
    def joins_all(self) -> bool:
        """Whether every state can become every other in one jump: True."""
        return True

    def time(self, total_noise: Tensor) -> Tensor:
        """Return the time, from 0 to 1, at which there is so much noise; of the shape of ``total_noise``."""
        return self._times(total_noise)[0]

    def total_noise(self, time: float) -> float:
        """Return how much noise there is at a time in (0, 1)."""
        return math.log1p(self._scale * math.sqrt(time * (1.0 - time))) - math.log1p(-time)

    def states(self, symbols: int) -> int:
        """Return one more than there are symbols."""
        return symbols + 1

    def rates(self, symbols: int) -> Tensor:
        """Refuse: no matrix has rates that change."""
        raise InputError("the rates of mixed noise change with the amount of noise, so they are not one matrix")

    def kernel(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the probability of each state given each symbol; see `Noise.kernel`."""
        tokens = torch.arange(symbols, device=total_noise.device).expand(len(total_noise), symbols)
        return self.log_kernel(tokens, total_noise, symbols).exp().transpose(1, 2)

    def log_kernel(self, tokens: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of each state given the tokens; see `Noise.log_kernel`."""
        logs = self._log_redrawn(total_noise, symbols)[:, None].repeat(1, tokens.shape[1], 1)
        kept = torch.logaddexp(logs.gather(2, tokens[..., None]), (-total_noise)[:, None, None])
        return logs.scatter_(2, tokens[..., None], kept)

    def inflow(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the same rate from each other state; see `Noise.inflow`."""
        rates = self._redraws(total_noise, symbols).gather(1, noised)[..., None].repeat(1, 1, symbols + 1)
        return rates.scatter_(2, noised[..., None], 0.0)

    def marginal_excess(self, kernel: Tensor, exponent: Tensor, total_noise: Tensor) -> Tensor:
        """Return the sum, which for a law that redraws separates into two; see `Noise.marginal_excess`."""
        redraws = self._redraws(total_noise, kernel.shape[2] - 1)[:, None]
        return (kernel * excess(exponent)).sum(dim=-1) + (redraws * excess(-exponent)).sum(dim=-1)

    def _redrawn(
        self, uniform: NDArray[np.float64], total_noise: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        masked, unmasked = (share.numpy()[:, None] for share in self._shares(torch.from_numpy(total_noise)))
        place = np.clip((uniform - masked) / unmasked, 0.0, 1.0) * symbols
        return np.where(uniform < masked, symbols, np.minimum(place.astype(np.int64), symbols - 1))

    def _log_redrawn(self, total_noise: Tensor, symbols: int) -> Tensor:
        chance, (masked, unmasked) = -torch.expm1(-total_noise), self._shares(total_noise)
        return _spread((chance * unmasked).log() - np.log(symbols), (chance * masked).log(), symbols)

    def _redraws(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the law that redraws just then: (row, state)."""
        time, left = self._times(total_noise)
        ratio = 0.5 * self._scale * torch.sqrt(left / time)
        return _spread(ratio / (1.0 + ratio) / symbols, 1.0 / (1.0 + ratio), symbols)

    def _shares(self, total_noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the shares of masks and of symbols among the positions that were redrawn by then."""
        masks, symbols = (part.sqrt() for part in self._times(total_noise))
        symbols = self._scale * symbols
        return masks / (masks + symbols), symbols / (masks + symbols)

    @property
    def _scale(self) -> float:
        return 2.0 * self.share / (1.0 - self.share)

    def _times(self, total_noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the time and what is left of it up to 1, both with all their digits."""
        kept, lost = torch.exp(-total_noise), -torch.expm1(-total_noise)
        square = (kept * self._scale) ** 2
        root = torch.sqrt(square * (square + 4.0 * kept * lost))
        time = 2.0 * lost**2 / (2.0 * lost + square + root)
        return time, (2.0 * kept + square + root) / (2.0 * (1.0 + square))


def _spread(symbol: Tensor, mask: Tensor, symbols: int) -> Tensor:
    """Return a row of states from the value (row,) of each symbol and that of the mask."""
    return torch.cat([symbol[:, None].expand(-1, symbols), mask[:, None]], dim=1)
