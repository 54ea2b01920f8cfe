"""Noise: continuous-time Markov processes that act on every position by itself.

Time is measured in *total noise*, the integral of the noise's rate; a schedule says how much of it there is at which
time. A clean symbol is a number below ``symbols``; a noised position is in one of ``states`` states, the first of which
are the symbols.

References
----------
Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Section 3. A. Lou, C.
Meng, S. Ermon, *Discrete diffusion modeling by estimating the ratios of the data distribution* (SEDD), arXiv
2310.16834: absorbing and uniform noise.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators.errors import InputError

__all__ = ["Absorbing", "Noise", "Redrawn", "Uniform", "excess"]


def excess(exponent: Tensor) -> Tensor:
    """Return ``exp(d) - 1 - d``: at least 0, the term of the Bregman divergence behind the score entropy."""
    finite = exponent.clamp(max=torch.finfo(exponent.dtype).max)  # infinity less itself would be NaN
    return (torch.expm1(exponent) - finite).clamp(min=0.0)


class Noise(ABC):
    """A noise process, as a value.

    Examples
    --------
    >>> isinstance(Absorbing(), Noise), Absorbing() == Absorbing()
    (True, True)
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The noise in the names of estimators."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """The noise in some words."""

    @property
    @abstractmethod
    def joins_all(self) -> bool:
        """Whether every state can become every other in one jump."""

    @property
    def slowest_rate(self) -> float:
        """The information about the start decays as ``exp(-slowest_rate * total_noise)``."""
        return 1.0

    @abstractmethod
    def states(self, symbols: int) -> int:
        """Return the number of states for an alphabet of ``symbols``; raise `InputError` if there is no such number."""

    @abstractmethod
    def rates(self, symbols: int) -> Tensor:
        """Return the rate of each jump: (state after, state before), float64; columns sum to 0."""

    @abstractmethod
    def kernel(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the probability of each state given each symbol: (row, state, symbol), float64."""

    @abstractmethod
    def log_kernel(self, tokens: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of each state given the tokens (row, position): (row, position, state)."""

    def log_likelihood(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of the states ``noised`` given each symbol: (row, position, symbol)."""
        rows = torch.arange(len(noised), device=noised.device)[:, None]
        return self.kernel(total_noise, symbols)[rows, noised].log()

    def log_mixture(self, log_weights: Tensor, total_noise: Tensor) -> Tensor:
        """Return ``log sum_a w(a) k(y | a)`` of each state y for log weights of symbols (row, position, symbol)."""
        largest = log_weights.amax(dim=2, keepdim=True)
        weights = (log_weights - largest).double().exp()
        kernel = self.kernel(total_noise, log_weights.shape[2])
        return (weights @ kernel.transpose(1, 2)).log() + largest

    @abstractmethod
    def inflow(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the rate of the jump from each state to that of ``noised`` (row, position): (row, position, state).

        Per unit of total noise, of which there is ``total_noise`` (row,). 0 for a state that has no such jump, and for
        the state that is there.
        """

    @abstractmethod
    def drawn(
        self, tokens: NDArray[np.int64], total_noise: NDArray[np.float64], keys: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        """Turn tokens (row, position) into noised states, by total noise (row,) and uniform keys (row, position).

        The smaller the key, the more it changes: positions of equal token and key become equal.
        """

    def without_loss(self, total_noise: NDArray[np.float64], keys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows (row,) have a loss of 0 whatever the model, so that they need no pass."""
        return np.zeros(total_noise.shape, dtype=bool)

    @abstractmethod
    def marginal_excess(self, kernel: Tensor, exponent: Tensor, total_noise: Tensor) -> Tensor:
        """Return ``sum_{z, y} rate(y -> z) kernel(y) (exp(u_y - u_z) - 1 - u_y + u_z)`` over the last dimension.

        Where ``sum_y kernel(y) exp(u_y)`` is 1.
        """

    def largest_divergence(self, total_noise: float, symbols: int) -> NDArray[np.float64]:
        """Return the largest divergence of the noised state of each symbol from another symbol's: (symbol,), nats."""
        kernel = self.kernel(torch.tensor([total_noise], dtype=torch.float64), symbols)[0].numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(kernel)
            terms = kernel[:, :, None] * (logs[:, :, None] - logs[:, None, :])
        largest: NDArray[np.float64] = np.where(kernel[:, :, None] > 0, terms, 0.0).sum(axis=0).max(axis=1)
        return largest


class Redrawn(Noise):
    """Noise that redraws a position, at rate 1, from a law that is even over symbols, whatever the position's state."""

    def drawn(
        self, tokens: NDArray[np.int64], total_noise: NDArray[np.float64], keys: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        """Redraw where the key is below the probability of that; see `Noise.drawn`."""
        chance = -np.expm1(-total_noise)[:, None]
        redrawn = keys < chance
        share = np.divide(keys, chance, out=np.zeros_like(keys), where=redrawn)
        return np.where(redrawn, self._redrawn(share, total_noise, symbols), tokens)

    def log_likelihood(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of the states given each symbol, without a kernel; see `Noise.log_likelihood`."""
        others = self._log_redrawn(total_noise, symbols).gather(1, noised)[..., None]
        own = torch.arange(symbols, device=noised.device) == noised[..., None]
        kept = torch.logaddexp(others, (-total_noise)[:, None, None])
        return torch.where(own, kept, others)

    def log_mixture(self, log_weights: Tensor, total_noise: Tensor) -> Tensor:
        """Return ``log(redrawn(y) sum_a w(a) + kept w(y))``, without a kernel; see `Noise.log_mixture`."""
        symbols, kind = log_weights.shape[2], log_weights.dtype
        redrawn = self._log_redrawn(total_noise, symbols).to(kind)[:, None] + log_weights.logsumexp(dim=2, keepdim=True)
        kept = log_weights - total_noise[:, None, None].to(kind)
        added = self.states(symbols) - symbols
        return torch.logaddexp(redrawn, torch.nn.functional.pad(kept, (0, added), value=-torch.inf))

    def largest_divergence(self, total_noise: float, symbols: int) -> NDArray[np.float64]:
        """Return the divergence of any two symbols, in closed form; see `Noise.largest_divergence`."""
        amount = torch.tensor([total_noise], dtype=torch.float64)
        kept, redrawn = torch.exp(-amount), self._log_redrawn(amount, symbols)[0, :symbols].exp()
        divergence: NDArray[np.float64] = (kept * torch.log1p(kept / redrawn)).numpy()
        return divergence if symbols > 1 else np.zeros(1)

    @abstractmethod
    def _redrawn(
        self, uniform: NDArray[np.float64], total_noise: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        """Turn uniform numbers (row, position) into the states that were redrawn by then, by total noise (row,)."""

    @abstractmethod
    def _log_redrawn(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability that a position was redrawn by then, and is now in each state: (row, state)."""


@dataclass(frozen=True)
class Absorbing(Redrawn):
    """Masking: a symbol becomes the mask at rate 1 and remains it. The mask is the last of ``symbols + 1`` states.

    Examples
    --------
    >>> Absorbing().rates(symbols=2)
    tensor([[-1.,  0.,  0.],
            [ 0., -1.,  0.],
            [ 1.,  1.,  0.]], dtype=torch.float64)
    """

    name: ClassVar[str] = "absorbing"
    summary: ClassVar[str] = "absorbing noise, which is masking"
    joins_all: ClassVar[bool] = False

    def states(self, symbols: int) -> int:
        """Return one more than there are symbols."""
        return symbols + 1

    def rates(self, symbols: int) -> Tensor:
        """Return the rate of each jump; see `Noise.rates`."""
        rates = torch.diag(-torch.ones(symbols + 1, dtype=torch.float64))
        rates[symbols] = 1.0
        rates[symbols, symbols] = 0.0
        return rates

    def kernel(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the probability of each state given each symbol; see `Noise.kernel`."""
        kept = torch.exp(-total_noise)[:, None, None] * torch.eye(symbols, dtype=torch.float64).to(total_noise.device)
        masked = -torch.expm1(-total_noise)[:, None, None].expand(-1, 1, symbols)
        return torch.cat([kept, masked], dim=1)

    def log_kernel(self, tokens: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of each state given the tokens; see `Noise.log_kernel`."""
        logs = total_noise.new_full((*tokens.shape, symbols + 1), -torch.inf)
        logs.scatter_(2, tokens[..., None], (-total_noise)[:, None, None].expand(*tokens.shape, 1))
        logs[..., symbols] = torch.log(-torch.expm1(-total_noise))[:, None]
        return logs

    def inflow(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return 1 from each symbol to a mask; see `Noise.inflow`."""
        inflow = (noised == symbols)[..., None].double().repeat(1, 1, symbols + 1)
        inflow[..., symbols] = 0.0
        return inflow

    def without_loss(self, total_noise: NDArray[np.float64], keys: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rows mask nothing."""
        chance = -np.expm1(-total_noise)[:, None]
        return np.asarray((keys >= chance).all(axis=1))

    def marginal_excess(self, kernel: Tensor, exponent: Tensor, total_noise: Tensor) -> Tensor:
        """Refuse: a visible symbol does not say what it would cost if it were masked."""
        raise InputError("absorbing noise cannot be averaged over a position's own noise: use score-entropy(absorbing)")

    def _redrawn(
        self, uniform: NDArray[np.float64], total_noise: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        return np.full(uniform.shape, symbols)

    def _log_redrawn(self, total_noise: Tensor, symbols: int) -> Tensor:
        logs = total_noise.new_full((len(total_noise), symbols + 1), -torch.inf)
        logs[:, symbols] = torch.log(-torch.expm1(-total_noise))
        return logs


@dataclass(frozen=True)
class Uniform(Redrawn):
    """Uniform noise: a position is redrawn at rate 1, uniformly over all symbols, its own included.

    Examples
    --------
    >>> Uniform().rates(symbols=2)
    tensor([[-0.5000,  0.5000],
            [ 0.5000, -0.5000]], dtype=torch.float64)
    """

    name: ClassVar[str] = "uniform"
    summary: ClassVar[str] = "uniform noise"
    joins_all: ClassVar[bool] = True

    def states(self, symbols: int) -> int:
        """Return the number of symbols: there is no other state."""
        return symbols

    def rates(self, symbols: int) -> Tensor:
        """Return the rate of each jump; see `Noise.rates`."""
        return torch.full((symbols, symbols), 1.0 / symbols, dtype=torch.float64) - torch.eye(symbols).double()

    def kernel(self, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the probability of each state given each symbol; see `Noise.kernel`."""
        changed = (-torch.expm1(-total_noise) / symbols)[:, None, None]
        return changed + torch.exp(-total_noise)[:, None, None] * torch.eye(symbols).double().to(total_noise.device)

    def log_kernel(self, tokens: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the log probability of each state given the tokens; see `Noise.log_kernel`."""
        changed = -torch.expm1(-total_noise) / symbols
        logs = changed.log()[:, None, None].repeat(1, tokens.shape[1], symbols)
        kept = (torch.exp(-total_noise) + changed).log()
        return logs.scatter_(2, tokens[..., None], kept[:, None, None].expand(*tokens.shape, 1))

    def inflow(self, noised: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the same rate from each other symbol; see `Noise.inflow`."""
        inflow = torch.full((*noised.shape, symbols), 1.0 / symbols, dtype=torch.float64, device=noised.device)
        return inflow.scatter_(2, noised[..., None], 0.0)

    def marginal_excess(self, kernel: Tensor, exponent: Tensor, total_noise: Tensor) -> Tensor:
        """Return the sum, which for a law that redraws separates into two; see `Noise.marginal_excess`."""
        return (kernel * excess(exponent)).sum(dim=-1) + excess(-exponent).mean(dim=-1)

    def _redrawn(
        self, uniform: NDArray[np.float64], total_noise: NDArray[np.float64], symbols: int
    ) -> NDArray[np.int64]:
        return np.minimum((uniform * symbols).astype(np.int64), symbols - 1)

    def _log_redrawn(self, total_noise: Tensor, symbols: int) -> Tensor:
        return torch.log(-torch.expm1(-total_noise) / symbols)[:, None].expand(-1, symbols)
