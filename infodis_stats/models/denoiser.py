"""A small masked denoiser: a bidirectional transformer over characters without time conditioning."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from estimators import Blocks, InputError, TokenError
from infodis_stats.io.files import StoreError, atomic_path
from infodis_stats.models.losses import token_losses
from infodis_stats.models.repeats import distinct_rows

__all__ = ["Denoiser", "DenoiserConfig"]

FORMAT = "infodis-stats denoiser 1"


@dataclass(frozen=True)
class DenoiserConfig:
    """The architecture of a `Denoiser`.

    Parameters
    ----------
    alphabet : str
        Distinct characters; a token is the index of a character. The mask has an additional embedding and no output.
    length : int, default 128
        Longest sequence in characters, context included.
    layers, width, heads : int, default 4, 128 and 4
        Size of the transformer; ``width`` must be a multiple of ``2 * heads``.
    block_size : int, optional
        Of a block-diffusion model: characters are predicted from the unmasked ones of their block and all earlier ones.

    Raises
    ------
    InputError
        If the alphabet is empty or repeats a character, a size is not positive, or the width does not fit the heads.

    Examples
    --------
    >>> config = DenoiserConfig("ACGT", length=64, layers=2, width=32, heads=2)
    >>> Denoiser(config).describe()
    'denoiser 25,508 parameters'
    """

    alphabet: str
    length: int = 128
    layers: int = 4
    width: int = 128
    heads: int = 4
    block_size: int | None = None

    def __post_init__(self) -> None:
        if not self.alphabet or len(set(self.alphabet)) < len(self.alphabet):
            raise InputError("the alphabet of a denoiser must be non-empty and have distinct characters")
        if min(self.length, self.layers, self.width, self.heads) < 1 or self.width % (2 * self.heads):
            raise InputError(
                "a denoiser needs positive sizes and a width that is a multiple of 2 x heads, got length "
                f"{self.length}, layers {self.layers}, width {self.width}, heads {self.heads}"
            )
        if self.block_size is not None and Blocks(self.block_size).size > self.length:
            raise InputError(f"block_size must be at most the length, {self.length}, got {self.block_size}")

    def as_dict(self) -> dict[str, str | int]:
        """Return the parameters, those left out excepted: what is stored with the weights."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class _Layer(nn.Module):
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

    def forward(self, hidden: Tensor, rotation: tuple[Tensor, Tensor], attended: Tensor | None) -> Tensor:
        return self.attend(hidden, *self.project(hidden, rotation), attended)

    def project(self, hidden: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
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


def _rotate(vectors: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    # Rotary position embedding: attention depends only on the distance between positions.
    cosine, sine = rotation
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class Denoiser(nn.Module):
    """A network that predicts each masked character from the unmasked ones.

    The network has no time input (the time-independent parameterisation of [1]_): it depends on the unmasked characters
    and their positions alone. It is a ``ConditionalModel`` and a `TextModel`. Its conditionals are learned and need not
    come from one joint distribution.

    Parameters
    ----------
    config : DenoiserConfig
    name : str, optional
        Name in tables; `load` uses the name of the file.

    Attributes
    ----------
    longest : int
        Longest sequence in characters, context included.
    takes_padding : bool
        True: sequences of different lengths may share a call.

    Notes
    -----
    Losses are float32, in nats. The losses of a row agree within 1e-5 nats across batches, padded or not.

    References
    ----------
    .. [1] J. Ou et al. (2024), Your absorbing discrete diffusion secretly models the conditional distributions of clean
       data, arXiv 2406.03736.

    Examples
    --------
    >>> import torch
    >>> model = Denoiser(DenoiserConfig("abc", length=8, layers=1, width=16, heads=2))
    >>> tokens = torch.tensor(model.encode("abca"))[None]
    >>> model.token_nll(tokens, torch.tensor([[False, True, True, False]])).shape
    torch.Size([1, 4])
    """

    takes_padding = True

    def __init__(self, config: DenoiserConfig, name: str = "") -> None:
        super().__init__()
        self.config, self.name = config, name
        self.embedding = nn.Embedding(len(config.alphabet) + 1, config.width)
        self.blocks = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, len(config.alphabet))
        self.apply(_initialise)

    @property
    def vocabulary(self) -> int:
        """Number of symbols."""
        return len(self.config.alphabet)

    @property
    def longest(self) -> int:
        """Longest sequence in characters, context included."""
        return self.config.length

    @property
    def block_size(self) -> int | None:
        """Number of characters of a block; None of a model that is not of blocks."""
        return self.config.block_size

    def hidden(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the last hidden states, (batch, length, width); those of padding mean nothing."""
        length = tokens.shape[1]
        if length > self.config.length:
            raise InputError(f"a sequence of {length} characters exceeds the model's maximum of {self.config.length}")
        hidden = self.embedding(torch.where(masked, len(self.config.alphabet), tokens))
        rotation = self._rotation(length, hidden)
        present = None
        if lengths is not None:  # the same for all heads and queries
            present = (torch.arange(length, device=tokens.device) < lengths[:, None])[:, None, None]
        if self.config.block_size is not None:
            return self._block_hidden(tokens, hidden, rotation, present, self.config.block_size)
        for layer in self.blocks:
            hidden = layer(hidden, rotation, present)
        result: Tensor = self.norm(hidden)
        return result

    def _block_hidden(
        self, tokens: Tensor, hidden: Tensor, rotation: tuple[Tensor, Tensor], present: Tensor | None, size: int
    ) -> Tensor:
        # Each row attends to its own block, and to the keys and values of the earlier ones with nothing masked: these
        # are computed once for all rows of the same tokens.
        first, kind = distinct_rows(tokens)
        clean = self.embedding(tokens[first])
        block = torch.arange(tokens.shape[1], device=tokens.device) // size
        earlier, own = block < block[:, None], block == block[:, None]
        inside = own if present is None else own & present
        attended = torch.cat([earlier.expand_as(inside), inside], dim=-1)
        for layer in cast("Iterable[_Layer]", self.blocks):
            query, key, value = layer.project(clean, rotation)
            clean = layer.attend(clean, query, key, value, earlier | own)
            own_query, own_key, own_value = layer.project(hidden, rotation)
            keys, values = torch.cat([key[kind], own_key], dim=-2), torch.cat([value[kind], own_value], dim=-2)
            hidden = layer.attend(hidden, own_query, keys, values, attended)
        result: Tensor = self.norm(hidden)
        return result

    def losses(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the losses of the masked tokens in row order, (number of masked,); only they pass through the head."""
        return self._losses(self.hidden(tokens, masked)[masked], tokens[masked])

    def token_nll(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the negative log-likelihood of each masked token given the unmasked tokens of its row.

        Rows that differ under their masks alone are one pass of the network.

        Parameters
        ----------
        tokens : Tensor of integers, shape (batch, length)
            Complete sequences.
        masked : Tensor of bool, shape (batch, length)
        lengths : Tensor of int64, shape (batch,), optional
            Number of characters of each row, if they differ; what follows them is padding.

        Returns
        -------
        Tensor of float32, shape (batch, length)
            Nats at masked positions, 0 elsewhere.

        Raises
        ------
        TokenError
            If a token is outside the alphabet; the message gives the row and the position.
        InputError
            If the sequences are longer than `longest`.
        """
        outside = (tokens < 0) | (tokens >= len(self.config.alphabet))
        if outside.any():
            row, position = outside.nonzero()[0].tolist()
            size = len(self.config.alphabet)
            raise TokenError(row, position, f"token {tokens[row, position]} is outside the model's {size} characters")
        clean = tokens if self.config.block_size else None  # later blocks see what is masked here
        first, kind = distinct_rows(torch.where(masked, -1, tokens), lengths, clean)
        hidden = self.hidden(tokens[first], masked[first], None if lengths is None else lengths[first])
        rows, positions = masked.nonzero(as_tuple=True)
        result = torch.zeros(tokens.shape, device=tokens.device)
        result[rows, positions] = self._losses(hidden[kind[rows], positions], tokens[rows, positions])
        return result

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,).

        Raises
        ------
        InputError
            If a character is outside the alphabet; the message gives the character and its position.
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
        """Convert tokens (length,) to text."""
        return "".join(self.config.alphabet[token] for token in tokens)

    def describe(self) -> str:
        """Return a short description: kind, name and number of parameters."""
        size = sum(weights.numel() for weights in self.parameters())
        return " ".join(["denoiser", *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the configuration and the weights, in hexadecimal."""
        digest = hashlib.sha256(json.dumps(self.config.as_dict()).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

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
        """
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"there is no model at {path}")
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get("denoiser", "{}"))
                weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, json.JSONDecodeError) as error:
            raise StoreError(f"{path} is not a safetensors file, or is damaged") from error
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise StoreError(f"{path} does not contain a denoiser written by infodis-stats train")
        try:
            model = cls(DenoiserConfig(**header["config"]), path.stem)
            model.load_state_dict(weights)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise StoreError(f"{path} is damaged: its weights do not match its configuration") from error
        return model.eval()

    def _losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        return token_losses(lambda part: self.head(hidden[part]), targets, self.head.out_features)

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
