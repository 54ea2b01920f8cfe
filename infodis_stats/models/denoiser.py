"""A small masked denoiser: a bidirectional transformer over characters, without a time input."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from estimators import InputError, TokenError
from infodis_stats.io.files import StoreError, atomic_path
from infodis_stats.models.losses import token_losses

__all__ = ["Denoiser", "DenoiserConfig"]

FORMAT = "infodis-stats denoiser 1"


@dataclass(frozen=True)
class DenoiserConfig:
    """The shape of a `Denoiser`.

    Parameters
    ----------
    alphabet : str
        Distinct characters; a token is an index into it. The mask is one more embedding and never an output.
    length : int
        Longest sequence, context included.
    layers, width, heads : int
        Of the transformer; ``width`` is a multiple of ``2 * heads``.
    """

    alphabet: str
    length: int = 128
    layers: int = 4
    width: int = 128
    heads: int = 4

    def __post_init__(self) -> None:
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise InputError("a denoiser needs an alphabet of distinct characters")
        if min(self.length, self.layers, self.width, self.heads) < 1 or self.width % (2 * self.heads):
            raise InputError("a denoiser needs positive sizes and a width that is a multiple of 2 x heads")


class _Block(nn.Module):
    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.attention_norm = nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out = nn.Linear(config.width, config.width, bias=False)
        self.mlp_norm = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, 4 * config.width), nn.GELU(), nn.Linear(4 * config.width, config.width)
        )

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, width = hidden.shape
        split = self.qkv(self.attention_norm(hidden)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(_rotate(query, rotation), _rotate(key, rotation), value)
        hidden = hidden + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        result: Tensor = hidden + self.mlp(self.mlp_norm(hidden))
        return result


def _rotate(vectors: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    # Rotary positions: only the distance of two positions enters their attention.
    cosine, sine = rotation
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class Denoiser(nn.Module):
    """Predicts each masked character from all unmasked ones; how much is masked is read off the input alone.

    That is the time-independent parameterisation of RADD (arXiv 2406.03736). The network is a ``ConditionalModel``;
    its conditionals are learned and need not come from one joint law.

    Parameters
    ----------
    config : DenoiserConfig
    name : str, optional
        What tables call it; `load` takes that of the file.

    Notes
    -----
    Losses are float32. Those of a row agree within 1e-5 nats whatever batch it comes in.

    Examples
    --------
    >>> import torch
    >>> model = Denoiser(DenoiserConfig("abc", length=8, layers=1, width=16, heads=2))
    >>> tokens = torch.tensor(model.encode("abca"))[None]
    >>> model.token_nll(tokens, torch.tensor([[False, True, True, False]])).shape
    torch.Size([1, 4])
    """

    def __init__(self, config: DenoiserConfig, name: str = "") -> None:
        super().__init__()
        self.config, self.name = config, name
        self.embedding = nn.Embedding(len(config.alphabet) + 1, config.width)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, len(config.alphabet))
        self.apply(_initialise)

    @property
    def longest(self) -> int:
        """Longest sequence, context included, in characters."""
        return self.config.length

    def hidden(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the last hidden states, (batch, length, width)."""
        length = tokens.shape[1]
        if length > self.config.length:
            raise InputError(f"a sequence of {length} characters is longer than the model's {self.config.length}")
        hidden = self.embedding(torch.where(masked, len(self.config.alphabet), tokens))
        rotation = self._rotation(length, hidden)
        for block in self.blocks:
            hidden = block(hidden, rotation)
        result: Tensor = self.norm(hidden)
        return result

    def losses(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the loss of each masked token in row order, (number of masked,): only they pass through the head."""
        hidden = self.hidden(tokens, masked)[masked]
        return token_losses(lambda part: self.head(hidden[part]), tokens[masked], self.head.out_features)

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Price the masked tokens; see `estimators.ConditionalModel`.

        Raises
        ------
        TokenError
            If a token is outside the alphabet.
        InputError
            If the sequences are longer than the model.
        """
        outside = (tokens < 0) | (tokens >= len(self.config.alphabet))
        if outside.any():
            row, position = outside.nonzero()[0].tolist()
            size = len(self.config.alphabet)
            raise TokenError(row, position, f"token {tokens[row, position]} is outside the model's {size} characters")
        result = torch.zeros(tokens.shape, device=tokens.device)
        result[masked] = self.losses(tokens, masked)
        return result

    def encode(self, text: str) -> NDArray[np.int64]:
        """Turn text into tokens, (length,).

        Raises
        ------
        InputError
            If a character is outside the alphabet; says which and where.
        """
        code = {character: token for token, character in enumerate(self.config.alphabet)}
        try:
            return np.array([code[character] for character in text], dtype=np.int64)
        except KeyError as error:
            character = error.args[0]
            raise InputError(
                f"character {character!r} at position {text.index(character)} is outside the model's alphabet"
            ) from None

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Turn tokens (length,) into text."""
        return "".join(self.config.alphabet[token] for token in tokens)

    def describe(self) -> str:
        """Say in a few words what model this is."""
        size = sum(weights.numel() for weights in self.parameters())
        return " ".join(["denoiser", *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the configuration and the weights, in hexadecimal."""
        digest = hashlib.sha256(json.dumps(asdict(self.config)).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: Path | str, notes: dict[str, str] | None = None) -> None:
        """Write the weights as safetensors, with the configuration and notes in its header, all or nothing."""
        # One entry: several would stand in random order, and the same model would be other bytes.
        header = {"denoiser": json.dumps({"format": FORMAT, "config": asdict(self.config), "notes": notes or {}})}
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        with atomic_path(Path(path)) as beside:
            save_file(weights, beside, metadata=header)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read weights written by `save`.

        Raises
        ------
        StoreError
            If the file is absent, damaged, not safetensors, or not a denoiser of ours.
        """
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"there is no model at {path}")
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("denoiser", "{}"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, json.JSONDecodeError) as error:
            raise StoreError(f"{path} is not a safetensors file, or it is damaged") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise StoreError(f"{path} holds no denoiser of this project")
        try:
            model = cls(DenoiserConfig(**header["config"]), path.stem)
            model.load_state_dict(weights)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise StoreError(f"{path} is damaged: its weights do not fit its configuration") from error
        return model.eval()

    def _rotation(self, length: int, like: Tensor) -> tuple[Tensor, Tensor]:
        half = self.config.width // self.config.heads // 2
        frequencies = 10_000.0 ** (-torch.arange(half, device=like.device) / half)
        angles = torch.arange(length, device=like.device)[:, None] * frequencies
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
