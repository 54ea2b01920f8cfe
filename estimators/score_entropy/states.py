"""The question that noise asks: what the score entropy of the noised tokens is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators.errors import InputError, ModelError, TokenError
from estimators.model import Model, ScoreModel, gives_ratios, is_consistent, noise_of
from estimators.noise.process import Noise, excess
from estimators.transfers import on_device

__all__ = ["NoisedTokens", "marginal_score_entropy", "score_entropy"]

PER_CALL = 2**27  # ratios that a model is asked for at once: 512 MB in float32
AT_ONCE = 2**22  # ratios that are reduced at once, in float64: some hundred megabytes


def score_entropy(
    log_ratios: Tensor, tokens: Tensor, noised: Tensor, total_noise: Tensor, *, noise: Noise, symbols: int
) -> Tensor:
    """Return the denoising score entropy of each position, per unit of total noise.

    ``sum_{y != x} rate(y -> x) (s_y - r_y log s_y + r_y (log r_y - 1))``, with the model's ratios ``s_y = p_t(y) /
    p_t(x)`` and those of the noise, ``r_y = p_{t|0}(y | x_0) / p_{t|0}(x | x_0)``: ``l_DSE``, position by position. It
    is at least 0.

    Parameters
    ----------
    log_ratios : Tensor of floating point, shape (row, position, state)
        As `ScoreModel.log_ratios` returns them.
    tokens, noised : Tensor of int64, shape (row, position)
        Clean, and noised.
    total_noise : Tensor of float64, shape (row,)
    noise : Noise
    symbols : int
        Size of the clean alphabet.

    Returns
    -------
    Tensor of float64, shape (row, position)
        Nats; infinite where the model gives ratio 0 to a state that is possible.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088: Theorem 3.1.

    Examples
    --------
    >>> from estimators import Uniform
    >>> clean, seen = torch.tensor([[0]]), torch.tensor([[1]])
    >>> total_noise = torch.tensor([1.0], dtype=torch.float64)
    >>> even = torch.zeros(1, 1, 2, dtype=torch.float64)  # both symbols are taken to be equally likely
    >>> score_entropy(even, clean, seen, total_noise, noise=Uniform(), symbols=2).round(decimals=3)
    tensor([[0.2530]], dtype=torch.float64)
    """
    logs = noise.log_kernel(tokens, total_noise, symbols)
    own = logs.gather(2, noised[..., None])
    true = logs - own
    rates = noise.inflow(noised, total_noise, symbols)
    ratios = true.exp()
    modelled = log_ratios.double()
    gap = torch.where(ratios > 0, modelled - true, 0.0)
    terms = torch.where(ratios > 0, ratios * excess(gap), modelled.exp())
    return torch.where(rates > 0, rates * terms, 0.0).sum(dim=2)


def marginal_score_entropy(
    log_ratios: Tensor, tokens: Tensor, total_noise: Tensor, *, noise: Noise, symbols: int
) -> Tensor:
    """Return the score entropy of each position, averaged over the position's own noise.

    Given all other positions, the ratios at a position do not depend on its own state, up to their common factor: they
    are those of ``p_t(x_i | the others)``. One set of ratios therefore gives the score entropy for every state that the
    position could be in. The average over them has the same mean for a model whose ratios come from one law, and less
    variance (Rao-Blackwellisation); it has no rare jumps, which make the plain one heavy-tailed.

    Parameters and returned value as in `score_entropy`.

    Examples
    --------
    >>> from estimators import Uniform
    >>> total_noise, even = torch.tensor([1.0], dtype=torch.float64), torch.zeros(1, 1, 2, dtype=torch.float64)
    >>> marginal_score_entropy(even, torch.tensor([[0]]), total_noise, noise=Uniform(), symbols=2).round(decimals=3)
    tensor([[0.1420]], dtype=torch.float64)
    """
    logs = noise.log_kernel(tokens, total_noise, symbols)
    exponent = log_ratios.double().log_softmax(dim=2) - logs
    return noise.marginal_excess(logs.exp(), exponent, total_noise)


@dataclass(frozen=True)
class NoisedTokens:
    """Asks a `ScoreModel`. The columns are tokens, where noise acts and keys (rows, total length), and total noise.

    Parameters
    ----------
    noise : Noise
    marginal : bool, default False
        Whether to average over each position's own noise.

    Examples
    --------
    >>> from estimators import Uniform
    >>> NoisedTokens(Uniform()) == NoisedTokens(Uniform(), marginal=False)
    True
    """

    noise: Noise
    marginal: bool = False

    def takes_padding(self, model: Model) -> bool:
        """Return False: no score model declares it; see `Question.takes_padding`."""
        return False

    def losses(
        self,
        model: Model,
        columns: Sequence[NDArray[Any]],
        lengths: NDArray[np.int64] | None,
        device: torch.device,
    ) -> Tensor:
        """Return the score entropy where noise acts; see `Question.losses`."""
        asked = self._asked(model)
        symbols = asked.vocabulary_size
        tokens, acts, keys, total_noise = columns
        unknown = np.argwhere(tokens >= symbols)
        if len(unknown):
            row, position = unknown[0].tolist()
            raise TokenError(row, position, f"token {tokens[row, position]} is not one of {symbols} symbols")
        noised = np.where(acts, self.noise.drawn(tokens, total_noise, keys, symbols), tokens)
        clean, states, acting, amounts = (on_device(column, device) for column in (tokens, noised, acts, total_noise))
        row = tokens.shape[1] * self.noise.states(symbols)
        losses = []
        for rows in _parts(len(tokens), PER_CALL // row):
            with torch.no_grad():
                returned = asked.log_ratios(states[rows], acting[rows], amounts[rows], self.noise)
            shape = (*states[rows].shape, self.noise.states(symbols))
            if not isinstance(returned, Tensor) or returned.shape != shape:
                got = f"shape {tuple(returned.shape)}" if isinstance(returned, Tensor) else type(returned).__name__
                raise ModelError(f"the model's log_ratios must return a tensor of shape {shape}, it returned {got}")
            for part in _parts(len(returned), AT_ONCE // row):
                asked_of = clean[rows][part], states[rows][part], amounts[rows][part]
                losses.append(self._losses(returned[part], *asked_of, symbols))
        return torch.where(acting, torch.cat(losses), 0.0).detach()

    def _losses(self, log_ratios: Tensor, clean: Tensor, states: Tensor, total_noise: Tensor, symbols: int) -> Tensor:
        """Return the losses (row, position); positions are on their own, so that no more are at once than need be."""
        losses = []
        for part in _parts(clean.shape[1], AT_ONCE // (len(clean) * log_ratios.shape[2])):
            ratios, tokens, noised = log_ratios[:, part], clean[:, part], states[:, part]
            if self.marginal:
                found = marginal_score_entropy(ratios, tokens, total_noise, noise=self.noise, symbols=symbols)
            else:
                found = score_entropy(ratios, tokens, noised, total_noise, noise=self.noise, symbols=symbols)
            losses.append(found)
        return torch.cat(losses, dim=1)

    def problem(self, loss: float) -> str:
        """Say what is wrong with a loss; see `Question.problem`."""
        if np.isnan(loss):
            return "the model returned NaN as a log score ratio"
        return (
            "the model's score ratios have an infinite score entropy here, so there is no estimate; "
            "ratios of probabilities that the noise joins are positive and finite"
        )

    def _asked(self, model: Model) -> ScoreModel:
        name, asked = type(model).__name__, self.noise.name
        if not gives_ratios(model):
            raise InputError(
                f"{name} has no score ratios under {asked} noise (log_ratios), it prices masked tokens; "
                "use a masked estimator such as uniform-count+stratified"
            )
        made_for = noise_of(model) or self.noise
        if made_for != self.noise:
            raise InputError(f"{name} was made for {made_for.name} noise, the estimator asks for {asked} noise")
        if self.marginal and not is_consistent(model):
            raise InputError(
                f"{name} does not declare that its ratios come from one law (consistent = True), and averages over a "
                f"position's own noise are a likelihood only then: use score-entropy({asked},polynomial)"
            )
        return model


def _parts(count: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, start + step) for start in range(0, count, step))
