"""Validation of a checkpoint: its losses as estimates use them against those of its published convention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from markupsafe import Markup

from estimators import InputError, estimator
from estimators.masked.plan import mask_plan
from infodis_stats.diagnostics.models.check import ModelCheck, check_model
from infodis_stats.diagnostics.models.trial import Trial, clear, make_trial
from infodis_stats.io.tables import terminal_table
from infodis_stats.models import MaskedLanguageModel
from infodis_stats.models.huggingface.plain import plain_nll
from infodis_stats.notebook import paragraphs, table

__all__ = ["Validation", "validate_model"]

PASSES = 8
ESTIMATOR = "uniform-count+stratified"


@dataclass(frozen=True, eq=False)
class Validation:
    """A check of a model, and a comparison of its losses with those of the plain computation.

    Attributes
    ----------
    check : ModelCheck
    table : DataFrame
        One row per text: its tokens and masked tokens, the NLL from the same masks by `MaskedLanguageModel.token_nll`
        and by the plain computation in nats, and the largest difference of a loss.
    agrees : bool
        Whether all losses agree within rounding.
    """

    check: ModelCheck
    table: pd.DataFrame
    agrees: bool

    @property
    def answer(self) -> str:
        """The result in a sentence."""
        largest = self.table["largest difference"].max()
        count = int(self.table["masked tokens"].sum())
        agree = "agree" if self.agrees else "do not agree"
        return f"{count} losses {agree} with the published convention: they differ by at most {largest:.2g} nats."

    def __repr__(self) -> str:
        """Return the description of the model and the result."""
        return f"<Validation of {self.check.model}: {self.answer}>"

    def _repr_html_(self) -> Markup:
        rows = self.table.itertuples(index=False, name=None)
        return self.check._repr_html_() + paragraphs([self.answer]) + table(self.table.columns.tolist(), rows)

    def __str__(self) -> str:
        """Return the check, the result and the table."""
        return f"{self.check}\n\n{self.answer}\n\n{terminal_table(self.table)}"


def validate_model(
    model: MaskedLanguageModel,
    texts: Sequence[str] | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> Validation:
    """Check a model, and compare its losses with its published convention computed the plain way.

    The plain computation calls the network on one row at a time, takes the logits of all positions, shifts them by
    concatenation and takes a log-softmax in float64, as the published code of the family does. `token_nll` batches
    rows, and passes only masked positions through the output head.

    Parameters
    ----------
    model : MaskedLanguageModel
        Without guidance.
    texts : sequence of str, optional
        Default: as in `check_model`; random tokens if the model has no tokenizer.
    seed : int, default 0
    progress : callable, optional
        Called with 1 after every check and every text.

    Returns
    -------
    Validation

    Raises
    ------
    InputError
        If the model is not a `MaskedLanguageModel`, or has guidance.

    Examples
    --------
    >>> class Letters(torch.nn.Module):  # logits over 4 letters and the mask
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.head = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)
    ...     def forward(self, tokens):
    ...         return self.head(self.embedding(tokens) + self.embedding(tokens).mean(dim=1, keepdim=True))
    >>> validation = validate_model(MaskedLanguageModel(Letters(), "llada", mask_id=4, length=16))
    >>> validation.agrees, list(validation.table)[:3]
    (True, ['text', 'tokens', 'masked tokens'])
    """
    if not isinstance(model, MaskedLanguageModel):
        raise InputError(f"{type(model).__name__} has no published convention; use check_model")
    if model.guidance:
        raise InputError("load the model without guidance to validate it")
    check = check_model(model, texts, seed=seed, progress=progress)
    trial = make_trial(model, texts, seed)
    rows = []
    for text, tokens in _sequences(trial):
        rows.append({"text": text} | _compared(trial, tokens))
        if progress is not None:
            progress(1)
    table = pd.DataFrame(rows)
    return Validation(check, table, bool(table["largest difference"].max() <= clear(trial)))


def _sequences(trial: Trial) -> list[tuple[str, torch.Tensor]]:
    if trial.texts:
        return [
            (text, torch.from_numpy(tokens))
            for text, tokens in zip(trial.texts, trial.encoded, strict=True)
            if len(tokens) > trial.first_scored
        ]
    return [(f"random tokens {row}", tokens) for row, tokens in enumerate(trial.random)]


def _compared(trial: Trial, tokens: torch.Tensor) -> dict[str, float | int]:
    scored = torch.arange(len(tokens)) >= trial.first_scored
    sampler = estimator(ESTIMATOR)
    length = int(scored.sum())
    plan = mask_plan(sampler.plan(length, PASSES, replicates=1, rng=np.random.default_rng(trial.seed)), "losses")
    masked = torch.zeros(PASSES, len(tokens), dtype=torch.bool)
    masked[:, scored] = torch.from_numpy(np.array(plan.masks[0]))
    repeated = tokens.expand(PASSES, -1)
    ours, plain = trial.losses(repeated, masked), plain_nll(trial.model, repeated, masked)
    totals = [float(sampler.reduce(plan, losses[:, scored].numpy()[None])[0]) for losses in (ours, plain)]
    return {
        "tokens": len(tokens),
        "masked tokens": int(masked.sum()),
        "NLL": totals[0],
        "published convention": totals[1],
        "largest difference": float((ours - plain).abs().max()),
    }
