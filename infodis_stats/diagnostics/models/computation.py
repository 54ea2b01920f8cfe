"""The check of the computation: losses as estimates use them, beside those of the plain computation."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from infodis_stats.diagnostics.models.trial import Finding, Trial, clear, largest
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.huggingface.plain import plain_nll

__all__ = ["computation_findings"]

LENGTHS = (2, 7, 24, 128)
TEXTS = 3


def computation_findings(trial: Trial) -> Iterator[Finding]:
    """Compare `MaskedLanguageModel.token_nll` with `plain_nll` at several lengths and numbers of masks."""
    model = copy.copy(trial.model)
    model.guidance = 0.0  # the plain computation has none
    worst, size, count = 0.0, 0.0, 0
    for row in _rows(trial):
        masked = torch.stack(list(_masks(trial, row)))
        rows = row.expand(len(masked), -1)
        with torch.no_grad():
            ours, plain = model.token_nll(rows, masked).cpu(), plain_nll(model, rows, masked)
        worst = max(worst, largest(ours, plain))
        finite = plain[plain.isfinite()]
        size, count = max([size, *finite.abs().tolist()]), count + int(masked.sum())
    values = {"computation_difference": worst}
    measured = f"largest difference {worst:.2g} nats over {count} losses"
    if worst > clear(trial) * max(1.0, size / 64):  # rounding grows with the losses
        reason = "the losses are not those of the plain computation from all logits: the network is read wrongly"
        advice = "report it with the output of infodis-stats validate"
        yield Finding(Verdict("computation", "do not use", reason, advice, measured), values)
        return
    reason = "the losses are those of the plain computation from all logits"
    yield Finding(Verdict("computation", "fine", reason, "", measured), values)


def _rows(trial: Trial) -> Iterator[Tensor]:
    for length in sorted({min(length, int(trial.model.longest)) for length in LENGTHS}):
        if length > trial.first_scored:
            yield trial.draw(1, length)[0]
    texts = [torch.from_numpy(row) for row in trial.encoded if len(row) > trial.first_scored]
    yield from texts[:TEXTS]


def _masks(trial: Trial, row: Tensor) -> Iterator[Tensor]:
    """Yield masks (length,) that hide the last position, every second one, and all."""
    positions = torch.arange(len(row))
    for masked in (positions == len(row) - 1, (len(row) - 1 - positions) % 2 == 0, positions >= 0):
        yield masked & (positions >= trial.first_scored)
