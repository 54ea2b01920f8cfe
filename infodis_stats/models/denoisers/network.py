"""The network of a denoiser: a bidirectional transformer over symbols, its text methods and its files."""

import hashlib
import json
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from estimators import InputError, TokenError
from infodis_stats.io.files import StoreError, atomic_path
from infodis_stats.models.denoisers.config import DenoiserConfig

__all__ = ["Layer", "Network", "Rotation", "initialise", "present", "read_config"]

FORMAT = "infodis-stats denoiser 1"

Rotation = tuple[Tensor, Tensor]


class Layer(nn.Module):
    """Attention and a multilayer perceptron, each after a normalisation and added to its input."""

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

    def forward(self, hidden: Tensor, rotation: Rotation, attended: Tensor | None) -> Tensor:
        """Return the next hidden states, (batch, length, width)."""
        return self.attend(hidden, *self.project(hidden, rotation), attended)

    def project(self, hidden: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (batch, heads, length, width / heads)."""
        batch, length, width = hidden.shape
        split = self.qkv(self.attention_norm(hidden)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        return _rotate(query, rotation), _rotate(key, rotation), value

    def attend(self, hidden: Tensor, query: Tensor, key: Tensor, value: Tensor, attended: Tensor | None) -> Tensor:
        """Return the next hidden states."""
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        hidden = hidden + self.out(mixed.transpose(1, 2).reshape(hidden.shape))
        result: Tensor = hidden + self.mlp(self.mlp_norm(hidden))
        return result


class Network(nn.Module):
    """What a `Denoiser` and a `UniformDenoiser` have in common: a `TextModel` but for its losses.

    Parameters
    ----------
    config : DenoiserConfig
    name : str, optional
    """

    states: ClassVar[int] = 0  # of a position, beside the symbols

    def __init__(self, config: DenoiserConfig, name: str = "") -> None:
        super().__init__()
        self.config, self.name = config, name
        self.embedding = nn.Embedding(config.symbols.size + self.states, config.width)
        self.blocks = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.symbols.size)

    @property
    def vocabulary(self) -> int:
        """Number of symbols."""
        return self.config.symbols.size

    @property
    def longest(self) -> int:
        """Longest sequence in tokens, context included."""
        return self.config.length

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,).

        Raises
        ------
        InputError
            If a character is outside the alphabet; the message gives the character and its position.
        """
        return self.config.symbols.encode(text)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Convert tokens (length,) to text."""
        return self.config.symbols.decode(tokens.tolist())

    def describe(self) -> str:
        """Return a short description: kind, name and number of parameters."""
        size = sum(weights.numel() for weights in self.parameters())
        return " ".join([*self.config.noise.split(), "denoiser", *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the configuration and the weights, in hexadecimal."""
        digest = hashlib.sha256(json.dumps(self.config.as_dict()).encode())
        for name, tensor in sorted(self.state_dict().items()):
            raw = tensor.detach().cpu().contiguous().view(torch.uint8)  # numpy has no bfloat16
            digest.update(name.encode() + raw.numpy().tobytes())
        return digest.hexdigest()

    def _repr_html_(self) -> str:
        from infodis_stats.notebook import model_facts  # noqa: PLC0415  only notebooks need it

        return model_facts(
            self,
            symbols=self.vocabulary,
            longest=f"{self.longest} tokens",
            layers=f"{self.config.layers} of width {self.config.width}, {self.config.heads} heads",
            block_size=self.config.block_size,
            noise=self.config.noise or None,
        )

    def save(self, path: Path | str, notes: dict[str, str] | None = None) -> None:
        """Write the weights atomically as safetensors, with the configuration and notes in the header."""
        # A single entry, because safetensors writes several in random order and the bytes must be reproducible.
        header = {"denoiser": json.dumps({"format": FORMAT, "config": self.config.as_dict(), "notes": notes or {}})}
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        with atomic_path(Path(path)) as temporary:
            save_file(weights, temporary, metadata=header)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read weights written by `save`.

        Raises
        ------
        StoreError
            If the file is missing, damaged, or not a safetensors file written by `save`.
        InputError
            If it holds a denoiser of the other kind.
        """
        path = Path(path)
        config = read_config(path)
        try:
            with safe_open(path, framework="pt") as file:
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            model = cls(config, path.stem)
            model.load_state_dict(weights)
        except (SafetensorError, RuntimeError) as error:
            raise StoreError(f"{path} is damaged: its weights do not match its configuration") from error
        return model.eval()

    def _transformed(self, hidden: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the last hidden states, each of which has attended to all of its row that is not padding."""
        rotation, here = self._rotation(hidden.shape[1], hidden), present(hidden.shape[1], lengths)
        for layer in self.blocks:
            hidden = layer(hidden, rotation, here)
        result: Tensor = self.norm(hidden)
        return result

    def _check_length(self, length: int) -> None:
        if length > self.config.length:
            unit = "tokens" if self.config.tokenizer else "characters"
            raise InputError(f"a sequence of {length} {unit} exceeds the model's maximum of {self.config.length}")

    def _check_tokens(self, tokens: Tensor) -> None:
        outside = (tokens < 0) | (tokens >= self.vocabulary)
        if outside.any():
            row, position = outside.nonzero()[0].tolist()
            unit = "tokens" if self.config.tokenizer else "characters"
            message = f"token {tokens[row, position]} is outside the model's {self.vocabulary} {unit}"
            raise TokenError(row, position, message)

    def _rotation(self, length: int, like: Tensor) -> Rotation:
        half = self.config.width // self.config.heads // 2
        frequencies = 10_000.0 ** (-torch.arange(half, device=like.device) / half)
        angles = torch.arange(length, device=like.device)[:, None] * frequencies
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def read_config(path: Path | str) -> DenoiserConfig:
    """Read the architecture of the network in a file.

    Raises
    ------
    StoreError
        If the file is missing, damaged, or not a safetensors file written by `Network.save`.
    """
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"there is no model at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("denoiser", "{}"))
    except (SafetensorError, json.JSONDecodeError) as error:
        raise StoreError(f"{path} is not a safetensors file, or is damaged") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise StoreError(f"{path} does not contain a denoiser written by infodis-stats train")
    try:
        return DenoiserConfig(**header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged: its weights do not match its configuration") from error


def present(length: int, lengths: Tensor | None) -> Tensor | None:
    """Return which positions are not padding, for all heads and queries: (batch, 1, 1, length); None if all are."""
    if lengths is None:
        return None
    return (torch.arange(length, device=lengths.device) < lengths[:, None])[:, None, None]


def initialise(module: nn.Module) -> None:
    """Draw the weights of a module: `nn.Module.apply` takes this function."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _rotate(vectors: Tensor, rotation: Rotation) -> Tensor:
    # Rotary position embedding: attention depends only on the distance between positions.
    cosine, sine = rotation
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
