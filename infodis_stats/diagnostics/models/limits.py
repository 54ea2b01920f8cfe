"""Checks at the limits: the longest input, and the first call once more after many others."""

from collections.abc import Iterator

import torch

from estimators import InfodisError
from infodis_stats.diagnostics.models.trial import Check, Finding, Trial, clear, half_masks, largest
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.huggingface.folder import first_line

__all__ = ["described_error", "drift_check", "length_findings"]

REPEATED_LENGTH, LONGEST_CALL = 512, 4096  # tokens
SPARSE = 16  # one position of so many is masked in the longest call
LARGE = 2 * 10**9  # parameters above which a long call on a CPU takes minutes


def described_error(error: Exception) -> str:
    """Return an error in a line, with its type unless it is one of ours, which are sentences."""
    line = first_line(error)
    return (
        line if isinstance(error, InfodisError) or line == type(error).__name__ else f"{type(error).__name__}: {line}"
    )


def drift_check(trial: Trial) -> Check:
    """Call a model now, and return the check that the same call gives the same losses later."""
    tokens = trial.random
    masked = next(half_masks(trial, tokens.shape[1])).expand(len(tokens), -1)
    try:
        before = trial.losses(tokens, masked)
    except Exception:  # the other checks report it
        before = None

    def drift(trial: Trial) -> Iterator[Finding]:
        if before is None:
            return
        moved = largest(before, trial.losses(tokens, masked))
        measured = f"largest difference {moved:.2g} nats"
        values = {"drift": moved}
        if moved > clear(trial):
            reason = "the first call gives other losses when it is repeated after the others: the model changes"
            yield Finding(Verdict("drift", "do not use", reason, "keep no state between calls", measured), values)
        else:
            reason = "the first call gives the same losses after all others"
            yield Finding(Verdict("drift", "fine", reason, "", measured), values)

    return drift


def length_findings(trial: Trial) -> Iterator[Finding]:
    """Check that a model takes sequences as long as it declares, and gives the same losses twice."""
    longest = getattr(trial.model, "longest", None)
    if longest is None:
        return
    length = min(int(longest), LONGEST_CALL)
    if _is_slow(trial):
        reason = f"sequences of {length} tokens were not tried: the network is too large for that on a CPU"
        yield Finding(Verdict("length", "fine", reason))
        return
    short = min(length, trial.random.shape[1])
    trial.losses(trial.draw(1, short), next(half_masks(trial, short))[None])  # that this fails, other checks report
    repeated = min(length, REPEATED_LENGTH)
    try:
        tokens = trial.draw(1, repeated)
        masked = next(half_masks(trial, repeated))[None]
        moved = largest(trial.losses(tokens, masked), trial.losses(tokens, masked))
        if length > repeated:
            sparse = (torch.arange(length) % SPARSE == SPARSE - 1)[None]
            trial.losses(trial.draw(1, length), sparse)
    except Exception as error:  # models of others may raise anything
        reason = f"a sequence of {length} tokens fails, although the model declares {longest} as its maximum"
        advice = "score shorter sequences, or correct its length"
        yield Finding(Verdict("length", "caution", reason, advice, described_error(error)), {"takes_longest": False})
        return
    values = {"takes_longest": True, "long_difference": moved}
    measured = f"largest difference {moved:.2g} nats"
    if moved > clear(trial):
        reason = f"two identical calls give different losses for {repeated} tokens"
        yield Finding(Verdict("length", "do not use", reason, "switch its noise off", measured), values)
    else:
        reason = f"sequences of {length} tokens can be scored, and identical calls agree for {repeated}"
        yield Finding(Verdict("length", "fine", reason, "", measured), values)


def _is_slow(trial: Trial) -> bool:
    network = getattr(trial.model, "network", trial.model)
    if not isinstance(network, torch.nn.Module):
        return False
    weights = list(network.parameters())
    return sum(part.numel() for part in weights) > LARGE and any(part.device.type == "cpu" for part in weights)
