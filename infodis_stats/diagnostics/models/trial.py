"""The sequences on which a model is examined, and the findings of a check."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators import InputError
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.probes import allowed_tokens

__all__ = ["Finding", "Trial", "half_masks", "make_trial"]

LENGTH, ROWS = 24, 6
LONGEST_TEXT = 32  # tokens

SENTENCES = (
    "The train to the coast leaves at nine in the morning.",
    "She opened the window and listened to the rain.",
    "Water boils at a lower temperature in the mountains.",
    "My brother lost his keys again and had to wait outside.",
    "The committee will publish its report at the end of the year.",
    "Most of the trees in the park are older than the houses.",
    "He asked whether the museum was open on Sundays.",
    "A good map saves more time than a fast car.",
    "They planted potatoes, beans and a row of sunflowers.",
    "The price of bread has doubled in the last ten years.",
    "Nobody knew why the bridge had been closed for so long.",
    "We counted the votes twice and came to the same result.",
)
PROTEINS = (
    "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ",
    "MVLSPADKTNVKAAWGKVGAHAGEYGAEALERM",
    "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYA",
    "MSKGEELFTGVVPILVELDGDVNGHKFSVSGEG",
)


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: a verdict, and what was measured.

    Attributes
    ----------
    verdict : Verdict
    values : mapping of str to object
        Numbers, words and flags by name.
    """

    verdict: Verdict
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Trial:
    """A model and the sequences on which it is examined.

    Attributes
    ----------
    model : ConditionalModel
    random : Tensor of int64, shape (rows, length)
        Random tokens.
    texts : tuple of str
        Texts that the model can encode; empty if it has no tokenizer.
    encoded : tuple of arrays of int64
        Their tokens, cut to a length that the model accepts.
    seed : int
    """

    model: Any
    random: Tensor
    texts: tuple[str, ...]
    encoded: tuple[NDArray[np.int64], ...]
    seed: int

    def losses(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the losses of a call of the model, float64 (batch, length)."""
        context = [torch.zeros_like(masked)] if getattr(self.model, "needs_context", False) else []
        with torch.no_grad():
            losses: Tensor = self.model.token_nll(tokens, masked, *context).double().cpu()
        return losses

    @property
    def advice_on_texts(self) -> str:
        """Advice for a check that needs texts, or texts that the model knows."""
        if not hasattr(self.model, "encode"):
            return ""
        if getattr(self.model, "tokenizer", self.model) is None:
            return "load it with tokenizer="
        return "pass texts that it knows as texts="

    @property
    def first_scored(self) -> int:
        """The first position that can be masked: 1 if logits are shifted and there is no token before the sequence."""
        return int(bool(getattr(self.model, "shifted", False)) and not getattr(self.model, "before", ()))


def make_trial(model: Any, texts: Sequence[str] | None, seed: int) -> Trial:
    """Draw random sequences and encode texts for the examination of a model.

    Parameters
    ----------
    model : ConditionalModel
    texts : sequence of str, optional
        Default: English sentences if the model can encode them, otherwise proteins if it can encode those.
    seed : int

    Raises
    ------
    InputError
        If the model cannot encode a given text, or has too few tokens.
    """
    tokens = np.array(allowed_tokens(model))
    if len(tokens) < 2:
        raise InputError("a check needs at least 2 tokens besides the special ones")
    length = min(LENGTH, int(getattr(model, "longest", LENGTH)))
    drawn = np.random.default_rng(seed).choice(tokens, size=(ROWS, length))
    usable, encoded = _encoded(model, texts)
    return Trial(model, torch.from_numpy(drawn.astype(np.int64)), usable, encoded, seed)


def half_masks(trial: Trial, length: int) -> Iterator[Tensor]:
    """Yield two masks (length,) that hide every second position, and one that hides all."""
    positions = torch.arange(length)
    for masked in (positions % 2 == 0, positions % 2 == 1, torch.ones(length, dtype=torch.bool)):
        masked[: trial.first_scored] = False
        yield masked


def _encoded(model: Any, texts: Sequence[str] | None) -> tuple[tuple[str, ...], tuple[NDArray[np.int64], ...]]:
    if not hasattr(model, "encode") or (texts is None and getattr(model, "tokenizer", model) is None):
        return (), ()
    for candidates in [texts] if texts is not None else [SENTENCES, PROTEINS]:
        try:
            encoded = [_cut(model, model.encode(text)) for text in candidates]
        except InputError:
            if texts is not None:
                raise
            continue
        return tuple(candidates), tuple(encoded)
    return (), ()


def _cut(model: Any, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    return tokens[: min(LONGEST_TEXT, model.longest)]
