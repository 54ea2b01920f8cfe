"""The sequences on which a model is examined, and the findings of a check."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators import InputError, ModelError
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.probes import allowed_tokens

__all__ = ["Check", "Finding", "Trial", "clear", "half_masks", "largest", "make_trial", "special_ids"]

CLEAR = 1e-3  # nats: rounding in float32 stays below it, and a wrong number does not
CLEAR_HALF = 0.25  # nats, in half precision
SPECIAL = ("bos_token", "eos_token", "cls_token", "sep_token", "mask_token", "pad_token", "unk_token")

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
    symbols : array of int64
        Tokens that can be drawn: neither the mask nor special tokens.
    random : Tensor of int64, shape (rows, length)
        Random tokens.
    texts : tuple of str
        Texts that the model can encode; empty if it has no tokenizer.
    encoded : tuple of arrays of int64
        Their tokens, cut to a length that the model accepts.
    seed : int
    """

    model: Any
    symbols: NDArray[np.int64]
    random: Tensor
    texts: tuple[str, ...]
    encoded: tuple[NDArray[np.int64], ...]
    seed: int

    def losses(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the losses of a call of the model, float64 (batch, length); `ModelError` if it returns no losses."""
        passed = tokens.clone(), masked.clone()
        context = [torch.zeros_like(masked)] if getattr(self.model, "needs_context", False) else []
        padding = {} if lengths is None else {"lengths": lengths}
        with torch.no_grad():
            losses = self.model.token_nll(*passed, *context, **padding)
        if not isinstance(losses, Tensor) or losses.shape != masked.shape or not losses.is_floating_point():
            got = type(losses).__name__
            if isinstance(losses, Tensor):
                got = f"{losses.dtype} of shape {tuple(losses.shape)}"
            raise ModelError(
                f"token_nll must return a tensor of floating point of shape {tuple(masked.shape)}, it returned {got}"
            )
        if not torch.equal(passed[0], tokens) or not torch.equal(passed[1], masked):
            raise ModelError("token_nll changes its arguments in place: copy them first")
        return losses.double().cpu()

    def draw(self, rows: int, length: int) -> Tensor:
        """Return random tokens (rows, length), the same for the same arguments."""
        drawn = np.random.default_rng([self.seed, rows, length]).choice(self.symbols, size=(rows, length))
        return torch.from_numpy(drawn)

    @property
    def advice_on_texts(self) -> str:
        """Advice for a check that needs texts, or texts that the model knows."""
        if not hasattr(self.model, "encode"):
            return ""
        if getattr(self.model, "tokenizer", self.model) is None:
            return "load it with tokenizer="
        return "pass texts that it knows with texts="

    @property
    def first_scored(self) -> int:
        """The first position that can be masked: 1 if logits are shifted and there is no token before the sequence."""
        return int(bool(getattr(self.model, "shifted", False)) and not getattr(self.model, "before", ()))


Check = Callable[[Trial], Iterable[Finding]]
"""A check: examines a model and returns findings."""


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
        If the model cannot encode a given text, or has too few tokens, or the seed is negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed must be an integer of at least 0, got {seed!r}")
    if isinstance(texts, str):
        raise InputError("texts must be a sequence of texts, got a single string: put it into a list")
    if texts is not None and not len(texts):
        raise InputError("texts must contain at least one text")
    if texts is not None and not hasattr(model, "encode"):
        raise InputError(f"texts cannot be used: {type(model).__name__} has no encode(text)")
    allowed = allowed_tokens(model)
    # BOS or EOS at an end of a sequence would stand for the token that a model adds there itself.
    special = set(special_ids(getattr(model, "tokenizer", None)).values())
    ordinary = [token for token in allowed if token not in special]
    symbols = np.array(ordinary if len(ordinary) > 1 else allowed, dtype=np.int64)
    if len(symbols) < 2:
        raise InputError("a check needs at least 2 tokens besides the special ones")
    length = min(LENGTH, int(getattr(model, "longest", LENGTH)))
    drawn = np.random.default_rng(seed).choice(symbols, size=(ROWS, length))
    usable, encoded = _encoded(model, texts)
    return Trial(model, symbols, torch.from_numpy(drawn), usable, encoded, seed)


def special_ids(tokenizer: Any) -> dict[str, int]:
    """Return the ids of the special tokens that a tokenizer declares, by their names such as ``bos_token``."""
    declared = getattr(tokenizer, "special_tokens_map", None)
    if isinstance(declared, Mapping):  # the attributes of missing ones log an error in transformers 4
        words = {name: word for name, word in declared.items() if name in SPECIAL and isinstance(word, str)}
        ids = {name: tokenizer.convert_tokens_to_ids(word) for name, word in words.items()}
    else:
        ids = {name: getattr(tokenizer, f"{name}_id", None) for name in SPECIAL}
    return {name: int(token) for name, token in ids.items() if token is not None}


def clear(trial: Trial) -> float:
    """Return the nats above which a difference is more than rounding."""
    dtype = trial.model.conventions()["dtype"] if hasattr(trial.model, "conventions") else "float32"
    return CLEAR_HALF if dtype in {"bfloat16", "float16"} else CLEAR


def largest(first: Tensor, second: Tensor) -> float:
    """Return the largest absolute difference; infinite if one side has an infinity or NaN that the other has not."""
    first, second = first.double(), second.double()
    same = (first == second) | (first.isnan() & second.isnan())
    difference = (first - second).abs().nan_to_num(torch.inf, posinf=torch.inf)
    return float(torch.where(same, 0.0, difference).max()) if same.numel() else 0.0


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
        except Exception as error:  # tokenizers of others may raise anything
            if texts is not None:
                raise InputError(f"the tokenizer cannot encode the texts: {first_line(error)}") from error
            continue
        return tuple(candidates), tuple(encoded)
    return (), ()


def _cut(model: Any, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    return tokens[: min(LONGEST_TEXT, model.longest)]
