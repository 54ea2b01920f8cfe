"""Score ratios of noised sequences from predictions of the clean tokens.

Two predictions go by that name, and each has its own formula. The *posterior* ``p(x0_i = a | x_t)`` uses all that is
seen; the *leave-one-out posterior* ``p(x0_i = a | x_t without i)`` all but the state of the position itself. A network
trained to minimise the cross-entropy of the clean token predicts the first, one trained with its prediction put into
the reverse process the second.
"""

import torch
from torch import Tensor

from estimators import Noise

__all__ = ["leave_one_out_ratios", "posterior_ratios"]


def leave_one_out_ratios(log_weights: Tensor, noised: Tensor, total_noise: Tensor, noise: Noise) -> Tensor:
    """Return the log score ratios that follow from leave-one-out posteriors ``q(a) = p(x0_i = a | x_t without i)``.

    ``p_t(y) / p_t(x) = sum_a q(a) k_t(y_i | a) / sum_a q(a) k_t(x_i | a)``, where ``y`` differs from ``x`` at position
    ``i`` alone and ``k_t`` is the kernel of the noise.

    Parameters
    ----------
    log_weights : Tensor of floating point, shape (batch, length, symbols)
        ``log q(a)`` up to a constant for each position: logits will do.
    noised : Tensor of int64, shape (batch, length)
        The states ``x``.
    total_noise : Tensor of float64, shape (batch,)
    noise : Noise

    Returns
    -------
    Tensor of floating point, shape (batch, length, states)
        Log ratios as in `estimators.ScoreModel.log_ratios`: 0 for the state that is there. Under uniform noise in the
        dtype of the weights and without a kernel, so that vocabularies may be large; otherwise in float64.

    Examples
    --------
    >>> from estimators import Uniform
    >>> log_weights = torch.tensor([[[0.9, 0.1]]], dtype=torch.float64).log()
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> leave_one_out_ratios(log_weights, torch.tensor([[0]]), one, Uniform()).exp().round(decimals=4)
    tensor([[[1.0000, 0.5452]]], dtype=torch.float64)
    """
    logs = noise.log_mixture(log_weights, total_noise)
    return logs - logs.gather(2, noised[..., None])


def posterior_ratios(log_weights: Tensor, noised: Tensor, total_noise: Tensor, noise: Noise) -> Tensor:
    """Return the log score ratios that follow from posteriors ``q(a) = p(x0_i = a | x_t)``.

    ``p_t(y) / p_t(x) = sum_a q(a) k_t(y_i | a) / k_t(x_i | a)``: the posterior without its own factor ``k_t(x_i | a)``
    is the leave-one-out posterior. Parameters and returned value as in `leave_one_out_ratios`; symbols that cannot
    become the state that is there count as impossible.

    Examples
    --------
    >>> from estimators import Uniform
    >>> log_weights = torch.tensor([[[0.9, 0.1]]], dtype=torch.float64).log()
    >>> one = torch.ones(1, dtype=torch.float64)
    >>> posterior_ratios(log_weights, torch.tensor([[0]]), one, Uniform()).exp().round(decimals=4)
    tensor([[[1.0000, 0.6323]]], dtype=torch.float64)
    """
    likelihood = noise.log_likelihood(noised, total_noise, log_weights.shape[2]).to(log_weights.dtype)
    without_own = torch.where(torch.isneginf(likelihood), -torch.inf, log_weights - likelihood)
    return leave_one_out_ratios(without_own, noised, total_noise, noise)
