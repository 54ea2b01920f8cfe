"""Faster networks: matrix products in half precision, compiled blocks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from estimators import InfodisError, InputError, ModelError
from infodis_stats.models.denoisers import Denoiser
from infodis_stats.models.huggingface import MaskedLanguageModel
from infodis_stats.models.losses import HALF, check_overflow, check_undefined, kind_of
from infodis_stats.models.text_model import TextModel

__all__ = ["accelerated"]

COMPILER = "inductor"
NO_AUTOCAST = "autocast=torch.bfloat16, or no autocast"  # the remedy for an overflow
UNCHANGED = {
    "after",
    "before",
    "block_size",
    "block_start",
    "exclude_mask",
    "forward_passes_per_row",
    "guidance",
    "mask_id",
    "needs_context",
    "revision",
    "shifted",
    "takes_padding",
    "tokenizer",
    "vocabulary",
}
"""Attributes that a model may declare and that its arithmetic does not change."""


def accelerated(
    model: TextModel,
    *,
    autocast: torch.dtype | None = None,
    compile: bool = False,  # noqa: A002 (the name in torch)
) -> TextModel:
    """Run a network in half precision, or compiled, for speed.

    Parameters
    ----------
    model : Denoiser or MaskedLanguageModel
    autocast : torch.dtype, optional
        ``torch.bfloat16`` or ``torch.float16``: dtype of matrix products and attention (`torch.autocast`). The dtype of
        the weights does not change, and log-sum-exps are computed in float32. This changes the numbers: the likelihood
        of English text under the bundled model changes by less than 0.4 %, the unit roundoff of bfloat16.
    compile : bool, default False
        Compile the network's blocks, the members of its outermost `torch.nn.ModuleList`, in place with `torch.compile`.
        The rest is not compiled, in particular the output head, so only masked positions pass through the head. The
        first calls take about a minute. Numbers change only by rounding, as they do with the batch size.

    Returns
    -------
    TextModel
        A wrapper of the same model, with the conventions that it declares. In half precision its fingerprint differs.

    Raises
    ------
    InputError
        If the model is another one, ``autocast`` is not a half-precision dtype, or ``compile`` is set and the network
        has no blocks.

    Examples
    --------
    >>> import torch
    >>> from infodis_stats.models import load_model
    >>> model = load_model("austen")
    >>> fast = accelerated(model, autocast=torch.bfloat16)
    >>> fast.describe()
    'denoiser austen 816,353 parameters in bfloat16'
    """
    if not isinstance(model, Denoiser | MaskedLanguageModel):
        raise InputError(
            "autocast and compile are for a Denoiser or a MaskedLanguageModel, whose network is known; in a "
            f"{type(model).__name__} use torch.autocast and torch.compile themselves"
        )
    network = model.network if isinstance(model, MaskedLanguageModel) else model
    if autocast is not None and autocast not in HALF:
        raise InputError(f"autocast must be torch.bfloat16 or torch.float16, got {autocast}")
    if compile and isinstance(model, MaskedLanguageModel) and model.blocks is not None:
        raise InputError("compile is not for networks of block diffusion, whose attention is put in while they run")
    if compile:
        blocks = [block for block in _blocks(network) if model.head not in list(block.modules())]
        if not blocks:
            raise InputError("the network cannot be compiled, because it has no list of blocks (torch.nn.ModuleList)")
        for block in blocks:
            block.compile(backend=COMPILER, dynamic=True)
    return _Accelerated(model, autocast, compile, next(network.parameters()).device.type)


@dataclass(frozen=True)
class _Accelerated:
    model: Denoiser | MaskedLanguageModel
    autocast: torch.dtype | None
    compiled: bool
    device_type: str

    def __getattr__(self, name: str) -> Any:
        if name not in UNCHANGED:
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def longest(self) -> int:
        return self.model.longest

    def conventions(self) -> dict[str, Any]:
        if isinstance(self.model, MaskedLanguageModel):
            own = self.model.conventions()
        else:
            own = {"dtype": kind_of(next(self.model.parameters()).dtype)}
        precision = {"autocast": kind_of(self.autocast)} if self.autocast else {}
        return own | precision | ({"compile": True} if self.compiled else {})

    def token_nll(
        self, tokens: Tensor, masked: Tensor, context: Tensor | None = None, *, lengths: Tensor | None = None
    ) -> Tensor:
        with self._arithmetic():
            if isinstance(self.model, MaskedLanguageModel):
                losses = self.model.token_nll(tokens, masked, context, lengths=lengths)
            else:
                losses = self.model.token_nll(tokens, masked, lengths=lengths)
        if self.autocast is not None:
            check_overflow(losses, self.autocast, NO_AUTOCAST)
        return losses

    def token_log_probs(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        with self._arithmetic():
            distributions = self.model.token_log_probs(tokens, masked, lengths=lengths)
        if self.autocast is not None:
            check_undefined(distributions, masked, self.autocast, NO_AUTOCAST)
        return distributions

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        try:
            with torch.autocast(self.device_type, self.autocast, enabled=self.autocast is not None):
                yield
        except (InfodisError, torch.OutOfMemoryError):
            raise
        except RuntimeError as error:
            if not self.compiled:
                raise
            reason = " ".join(str(error).split("\n\n")[0].split())
            raise ModelError(f"the compiled network failed (try compile=False): {reason}") from error

    def encode(self, text: str) -> NDArray[np.int64]:
        return self.model.encode(text)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        return self.model.decode(tokens)

    def describe(self) -> str:
        return self.model.describe() + (f" in {kind_of(self.autocast)}" if self.autocast else "")

    def fingerprint(self) -> str:
        digest = self.model.fingerprint()
        return hashlib.sha256(f"{digest} {kind_of(self.autocast)}".encode()).hexdigest() if self.autocast else digest


def _blocks(network: nn.Module) -> list[nn.Module]:
    """Return the members of the outermost module lists."""
    blocks: list[nn.Module] = []
    for child in network.children():
        blocks += child if isinstance(child, nn.ModuleList) else _blocks(child)
    return blocks
