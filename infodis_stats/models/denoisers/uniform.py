"""The uniform-noise denoiser: score ratios of characters or subwords that uniform noise has redrawn."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from estimators import InputError, Noise, Uniform
from infodis_stats.models.denoisers.config import UNIFORM, DenoiserConfig
from infodis_stats.models.denoisers.network import Network, initialise
from infodis_stats.models.score_ratios import leave_one_out_ratios

__all__ = ["SMALLEST_FRACTION", "UniformDenoiser"]

SMALLEST_FRACTION = 0.01  # of redrawn tokens, and of tokens that are left, in training
FREQUENCIES = 8  # of the amount of noise, as the network is shown it
LARGEST_LOGIT = 12.0  # of the redrawn fraction: further out nothing changes


class UniformDenoiser(Network):
    """A network that predicts each clean token from a sequence some of whose tokens were redrawn uniformly.

    It predicts the leave-one-out posterior, that of a clean token given all noised ones but its own, as [1]_ and [2]_
    do, and takes its score ratios from that. It is a ``ScoreModel`` and a `TextModel`.

    Parameters
    ----------
    config : DenoiserConfig
        With ``noise="uniform"``.
    name : str, optional
        Name in tables; `load` uses the name of the file.

    Attributes
    ----------
    longest : int
        Longest sequence in tokens, context included.
    noise : Uniform
    trained_noise : tuple of float
        The least and the most total noise of its training. Beyond them the network is told the nearer one.
    vocabulary_size : int
        Number of symbols.

    Raises
    ------
    InputError
        If the configuration is not one for uniform noise.

    References
    ----------
    .. [1] Y. Schiff et al. (2024), Simple guidance mechanisms for discrete diffusion models (UDLM), arXiv 2412.10193.
    .. [2] S. Sahoo et al. (2025), The diffusion duality (Duo), arXiv 2506.10892.

    Examples
    --------
    >>> from estimators import Uniform
    >>> model = UniformDenoiser(DenoiserConfig("abc", length=8, layers=1, width=16, heads=2, noise="uniform"))
    >>> tokens = torch.tensor(model.encode("abca"))[None]
    >>> amount = torch.tensor([0.5], dtype=torch.float64)
    >>> model.log_ratios(tokens, torch.ones(1, 4, dtype=torch.bool), amount, Uniform()).shape
    torch.Size([1, 4, 3])
    """

    noise = Uniform()
    trained_noise = (-math.log1p(-SMALLEST_FRACTION), -math.log(SMALLEST_FRACTION))

    def __init__(self, config: DenoiserConfig, name: str = "") -> None:
        if config.noise != UNIFORM:
            raise InputError("a UniformDenoiser is for uniform noise, this is a network that predicts masked tokens")
        super().__init__(config, name)
        self.acting = nn.Embedding(2, config.width)
        self.amount = nn.Linear(2 * FREQUENCIES, config.width) if config.time else None
        self.apply(initialise)

    @property
    def vocabulary_size(self) -> int:
        """Number of symbols."""
        return self.vocabulary

    def log_predictions(
        self, noised: Tensor, acts: Tensor, total_noise: Tensor, lengths: Tensor | None = None
    ) -> Tensor:
        """Return the log leave-one-out posteriors of clean tokens, float32 of shape (batch, length, symbols)."""
        self._check_length(noised.shape[1])
        hidden = self.embedding(noised) + self.acting(acts.long())
        if self.amount is not None:
            told = total_noise.clamp(*self.trained_noise)
            hidden = hidden + self.amount(_features(told).to(hidden.dtype))[:, None]
        logits = self.head(self._transformed(hidden, lengths))
        return functional.log_softmax(logits.float(), dim=-1)

    def log_ratios(self, noised: Tensor, acts: Tensor, total_noise: Tensor, noise: Noise) -> Tensor:
        """Return the log score ratios of all sequences that differ in one position; see ``ScoreModel``.

        Returns
        -------
        Tensor of floating point, shape (batch, length, symbols)

        Raises
        ------
        TokenError
            If a state is not one of the model's symbols; the message gives the row and the position.
        InputError
            If the sequences are longer than `longest`, or the noise is not uniform.
        """
        if noise != self.noise:
            raise InputError(f"{self.describe()} was trained for uniform noise, not for {noise.name} noise")
        self._check_tokens(noised)
        return leave_one_out_ratios(self.log_predictions(noised, acts, total_noise), noised, total_noise, noise)

    def losses(
        self, tokens: Tensor, noised: Tensor, acts: Tensor, total_noise: Tensor, lengths: Tensor | None
    ) -> Tensor:
        """Return the cross-entropies of clean tokens where noise acts, in row order.

        The prediction times the probability of the noised token is the posterior given the whole sequence, of which
        this is the cross-entropy: at its minimum the prediction is the leave-one-out posterior.
        """
        predicted = self.log_predictions(noised, acts, total_noise, lengths)
        seen = self.noise.log_likelihood(noised, total_noise, self.vocabulary)
        posterior = (predicted + seen.to(predicted.dtype))[acts]
        return functional.cross_entropy(posterior, tokens[acts], reduction="none")


def _features(total_noise: Tensor) -> Tensor:
    # Sines and cosines of the logit of the redrawn fraction, as far as that changes anything.
    logit = torch.log(torch.expm1(total_noise)).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
    angles = logit[:, None] * (math.pi / LARGEST_LOGIT) * torch.arange(1, FREQUENCIES + 1, device=logit.device) / 2
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
