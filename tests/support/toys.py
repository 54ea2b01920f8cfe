"""Models for tests: small, slow and obvious."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from estimators import Noise, Target


class ArbitraryLosses:
    """Losses that no law has: an arbitrary number for each mask and position, independent of the tokens."""

    def __init__(self, length: int, seed: int = 0, *, skew: float = 1.0) -> None:
        rng = np.random.default_rng(seed)
        self.table = torch.from_numpy(rng.gamma(1.0 / skew, skew, size=(2**length, length)))
        self.rows = 0
        self.calls: list[int] = []

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Look the losses up; the tokens do not matter."""
        self.rows += len(tokens)
        self.calls.append(len(tokens))
        code = (masked * 2 ** torch.arange(masked.shape[1])).sum(dim=1)
        return torch.where(masked, self.table[code, : masked.shape[1]], 0.0)


class ArbitraryBlocks:
    """A block-diffusion model that no law has: an arbitrary loss for each position and mask of its block.

    The losses also depend on the tokens up to the end of the block, masked ones excepted in the block itself.
    """

    def __init__(self, length: int, block_size: int, block_start: int = 0, seed: int = 0) -> None:
        self.block_size, self.block_start, self.rows = block_size, block_start, 0
        self.block = (torch.arange(length) - block_start) // block_size
        self.factor = 1 + 2 ** ((torch.arange(length) - block_start) % block_size)
        self.seed = seed

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Compute the losses from a hash of what each position may depend on."""
        self.rows += len(tokens)
        length = tokens.shape[1]
        block, places = self.block[:length], torch.arange(length)
        shown = (tokens + 1) * (7 + places)
        own, earlier = block == block[:, None], block < block[:, None]
        inside = (torch.where(masked, self.factor[:length] ** 2, shown).double() @ own.double()).long()
        before = (shown.double() @ earlier.double().T).long()
        code = (inside + 31 * before + 101 * places + (tokens + 3) * 13 + 997 * self.seed).double()
        return torch.where(masked, (torch.sin(code) ** 2) * (1 + places % 3), 0.0).double()


class ArbitraryDistributions:
    """Distributions that no law has: an arbitrary one for each position and set of revealed tokens.

    With a block size, each depends on the revealed tokens of its own block and on all tokens of the earlier ones.
    """

    def __init__(self, symbols: int = 3, seed: int = 0, *, block_size: int | None = None, block_start: int = 0) -> None:
        self.symbols, self.seed = symbols, seed
        self.block_size, self.block_start = block_size, block_start
        self.calls: list[int] = []

    def distribution(self, tokens: Sequence[int], masked: Sequence[bool], position: int) -> torch.Tensor:
        """Return the log-probabilities at a position, (symbols,)."""
        found = self.log_probs(torch.tensor([tokens]), torch.tensor([masked]))
        return found[0, position]

    def log_probs(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities at all positions, (batch, length, symbols)."""
        places = torch.arange(tokens.shape[1])
        block = torch.zeros_like(places) if self.block_size is None else (places - self.block_start) // self.block_size
        own, earlier = (block == block[:, None]).double(), (block < block[:, None]).double()
        weights = (7.0 + places.double()) ** 1.5
        code = (torch.where(masked, 0, tokens + 1) * weights) @ own + ((tokens + 1) * weights) @ earlier.T
        symbols = torch.arange(self.symbols) + 1
        angles = code[..., None] * (0.7 + 0.3 * symbols) + 1.9 * places[:, None] * symbols + 3.1 * self.seed * symbols
        return (2 * torch.sin(angles)).log_softmax(dim=2)

    def token_log_probs(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return the log-probabilities at each masked position."""
        self.calls.append(len(tokens))
        return self.log_probs(tokens, masked)[masked]

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Return the losses of the same distributions."""
        losses = torch.zeros(tokens.shape, dtype=torch.float64)
        losses[masked] = -self.token_log_probs(tokens, masked).gather(1, tokens[masked][:, None])[:, 0]
        return losses


def slow_nll(model: ArbitraryLosses, target: Target) -> float:
    """Return the estimand by its definition: the mean over all masks of one size, summed over sizes."""
    total = len(target.tokens)
    length = target.length
    by_size: dict[int, list[float]] = {}
    for code in range(1, 2**length):
        masked = torch.zeros(1, total, dtype=torch.bool)
        masked[0, target.scored] = torch.tensor([bool(code >> i & 1) for i in range(length)])
        losses = model.token_nll(torch.from_numpy(target.tokens)[None], masked)[0]
        by_size.setdefault(int(masked.sum()), []).append(float(losses.sum() / masked.sum()))
    return sum(float(np.mean(values)) for values in by_size.values())


def mean_over_masks(totals: Mapping[tuple[int, ...], float]) -> float:
    """Return the estimand from the total loss of each mask: the mean per masked token of each size, summed."""
    by_size: dict[int, list[float]] = {}
    for mask, total in totals.items():
        if any(mask):
            by_size.setdefault(sum(mask), []).append(total / sum(mask))
    return sum(float(np.mean(values)) for values in by_size.values())


def fitting_passes(name: str, length: int) -> int:
    """Return a small number of passes that an estimator accepts, if possible not a multiple of the length."""
    if name == "exhaustive":
        return int(2**length - 1)
    return 2 * length if name.endswith("+sobol") or name == "chain+antithetic" else 6


class ArbitraryRatios:
    """Score ratios that no law has: at each position those of an arbitrary denoiser of the other positions.

    The ratios at a position are still those of one law of that position, so that averaging over the noise of that
    position preserves the mean, and it may declare that they come from one law.
    """

    consistent = True

    def __init__(self, symbols: int = 4, seed: int = 0) -> None:
        self.vocabulary_size, self.seed = symbols, seed

    def log_ratios(
        self, noised: torch.Tensor, acts: torch.Tensor, total_noise: torch.Tensor, noise: Noise
    ) -> torch.Tensor:
        """Return the log-ratios of the arbitrary denoiser under the noise."""
        places = torch.arange(noised.shape[1])
        code = noised * (3 * places + 2)
        others = (code.sum(dim=1, keepdim=True) - code + 17 * places + self.seed)[..., None]
        clean = torch.cos(1.7 * others * (1 + torch.arange(self.vocabulary_size))).double().softmax(dim=2)
        kernel = noise.kernel(total_noise, self.vocabulary_size)
        law = sum(clean[..., [one]] * kernel[:, None, :, one] for one in range(self.vocabulary_size))
        logs = torch.as_tensor(law).log()
        return logs - logs.gather(2, noised[..., None])


class ArbitraryModel(ArbitraryRatios, ArbitraryLosses):
    """A model for masks and for score ratios that no law has."""

    def __init__(self, length: int, seed: int = 0) -> None:
        ArbitraryLosses.__init__(self, length, seed)
        ArbitraryRatios.__init__(self, seed=seed)
