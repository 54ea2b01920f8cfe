"""Checks of how a model is called: reproducibility, what it sees, alignment of its outputs, mask and time."""

import inspect
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from infodis_stats.diagnostics.models.trial import Finding, Trial, half_masks
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.huggingface import Family
from infodis_stats.models.huggingface.recognition import refused_network
from infodis_stats.models.probes import dependence, pattern_of

__all__ = ["call_findings", "clear", "family_finding", "network_findings"]

CLEAR = 1e-3  # nats: above rounding in float32, below the error of a wrong convention
CLEAR_HALF = 0.25  # nats, in half precision
TIMES = ("timesteps", "timestep", "sigma", "noise", "time", "t")
STANDARD_ERRORS = 3
VISIBLE_MASK = 0.01  # nats per token that the probability of the mask costs


def call_findings(trial: Trial) -> Iterator[Finding]:
    """Yield the findings that need ``token_nll`` only."""
    yield _deterministic(trial)
    yield _hidden(trial)
    yield _batch(trial)
    yield _finite(trial)
    yield _attention(trial)
    yield from _normalised(trial)


def network_findings(trial: Trial) -> Iterator[Finding]:
    """Yield the findings that need the outputs of a `MaskedLanguageModel`."""
    model = trial.model
    family = model.family if model.family.refused else refused_network(model.network, model.config, model.longest)
    if family is not None:
        yield family_finding(family)
    yield _shift(trial)
    yield _mask(trial)
    yield from _time(trial)
    yield from _padding(trial)


def family_finding(family: Family) -> Finding:
    """Return the finding on a family that is refused."""
    reason = f"{family.about} cannot be used as a masked model: {family.refused}"
    return Finding(Verdict("family", "do not use", reason), {"refused_family": family.name})


def clear(trial: Trial) -> float:
    """Return the nats above which a difference is more than rounding."""
    dtype = trial.model.conventions()["dtype"] if hasattr(trial.model, "conventions") else "float32"
    return CLEAR_HALF if dtype in {"bfloat16", "float16"} else CLEAR


def _calls(trial: Trial) -> Iterator[tuple[Tensor, Tensor]]:
    for masked in half_masks(trial, trial.random.shape[1]):
        yield trial.random, masked.expand(len(trial.random), -1)


def _deterministic(trial: Trial) -> Finding:
    worst = max(_largest(trial.losses(*call) - trial.losses(*call)) for call in _calls(trial))
    values = {"deterministic": worst <= clear(trial), "repeat_difference": worst}
    measured = f"largest difference {worst:.2g} nats"
    if worst > clear(trial):
        reason = "two identical calls give different losses: the network adds its own noise"
        return Finding(Verdict("deterministic", "do not use", reason, "switch off its noise", measured), values)
    return Finding(Verdict("deterministic", "fine", "identical calls give the same losses", "", measured), values)


def _hidden(trial: Trial) -> Finding:
    """Check that a loss does not depend on the tokens under other masks."""
    tokens, worst = trial.random, 0.0
    other = tokens.flip(0)
    for masked in half_masks(trial, tokens.shape[1]):
        places = masked.nonzero()[:, 0]
        if len(places) < 2:
            continue
        kept = places[: len(places) // 2]
        changed = tokens.clone()
        changed[:, places[len(places) // 2 :]] = other[:, places[len(places) // 2 :]]
        rows = masked.expand(len(tokens), -1)
        difference = trial.losses(tokens, rows)[:, kept] - trial.losses(changed, rows)[:, kept]
        worst = max(worst, _largest(difference))
    measured = f"largest difference {worst:.2g} nats"
    if worst > clear(trial):
        reason = "losses depend on tokens that are masked: the model sees the tokens that it predicts"
        advice = "replace masked tokens before the network sees them"
        return Finding(Verdict("masked tokens", "do not use", reason, advice, measured), {"sees_masked": True})
    reason = "losses do not depend on the tokens under other masks"
    return Finding(Verdict("masked tokens", "fine", reason, "", measured), {"sees_masked": False})


def _batch(trial: Trial) -> Finding:
    worst = 0.0
    for tokens, masked in _calls(trial):
        together = trial.losses(tokens, masked)
        single = torch.cat([trial.losses(tokens[row : row + 1], masked[row : row + 1]) for row in range(len(tokens))])
        worst = max(worst, _largest(together - single))
    measured = f"largest difference {worst:.2g} nats"
    values = {"batch_difference": worst}
    if worst > clear(trial):
        reason = "the losses of a row depend on the other rows of its batch"
        return Finding(Verdict("batch", "do not use", reason, "score one row per call", measured), values)
    return Finding(Verdict("batch", "fine", "the losses of a row do not depend on its batch", "", measured), values)


def _finite(trial: Trial) -> Finding:
    losses = [trial.losses(tokens, masked)[masked] for tokens, masked in _calls(trial)]
    wrong = sum(int((~torch.isfinite(part) | (part < -CLEAR)).sum()) for part in losses)
    count = sum(len(part) for part in losses)
    if wrong:
        reason = f"{wrong} of {count} losses are NaN, infinite or negative"
        return Finding(Verdict("finite", "do not use", reason, "load it with dtype=torch.float32"), {"finite": False})
    return Finding(Verdict("finite", "fine", f"all {count} losses are finite and at least 0"), {"finite": True})


def _attention(trial: Trial) -> Finding:
    matrix = dependence(trial.model, seed=trial.seed)
    attention = pattern_of(matrix)
    values = {"attention": attention.pattern, "block_size": attention.block_size, "dependence": matrix}
    found = f"attention is {attention}"
    if attention.pattern == "bidirectional":
        return Finding(Verdict("attention", "fine", f"{found}: a mask sees the tokens on both sides"), values)
    if attention.pattern == "none":
        return Finding(Verdict("attention", "caution", "predictions do not depend on any visible token"), values)
    if attention.pattern == "irregular":
        reason = "some masks do not see the tokens on both sides, in no regular pattern"
        return Finding(Verdict("attention", "caution", reason), values)
    advice = "specify its family with family=, or wrap it so that masks see both sides"
    return Finding(Verdict("attention", "do not use", f"{found}: masks do not see all later tokens", advice), values)


def _normalised(trial: Trial) -> Iterator[Finding]:
    """Check that the probabilities of all tokens at a position sum to at most 1."""
    vocabulary = getattr(trial.model, "vocabulary", getattr(trial.model, "vocabulary_size", None))
    if vocabulary is None or vocabulary > 512:
        return
    place = trial.random.shape[1] // 2
    tokens = trial.random[:1].repeat(vocabulary, 1)
    tokens[:, place] = torch.arange(vocabulary)
    allowed = [token for token in range(vocabulary) if token != getattr(trial.model, "mask_id", None)]
    masked = torch.zeros_like(tokens, dtype=torch.bool)
    masked[:, place] = True
    total = float(torch.exp(-trial.losses(tokens[allowed], masked[allowed])[:, place]).sum())
    values = {"total_probability": total}
    measured = f"they sum to {total:.6f} at one position"
    if total > 1 + CLEAR:
        reason = "the probabilities of the tokens at a position sum to more than 1"
        return (yield Finding(Verdict("normalised", "do not use", reason, "normalise the losses", measured), values))
    verdict = Verdict("normalised", "fine", "the probabilities of the tokens sum to at most 1", "", measured)
    yield Finding(verdict, values)


def _shift(trial: Trial) -> Finding:
    """Measure at which output a network predicts a masked token: its own position, or the one before."""
    model = trial.model
    aligned = list(_alignments(trial))
    plain, shifted = np.concatenate(aligned, axis=1) if aligned else np.empty((2, 0))
    where = {False: "at its own position", True: "one position before"}
    assumed = f"the logits of a token are taken {where[model.shifted]}"
    if len(plain) < 2:
        reason = f"{assumed}; without texts this cannot be verified"
        return Finding(Verdict("shift", "fine", reason, trial.advice_on_texts), {"shifted": None})
    difference = plain - shifted
    error = difference.std(ddof=1) / len(difference) ** 0.5
    best = plain if difference.mean() < 0 else shifted
    guess = np.log(model.vocabulary)
    measured = f"{plain.mean():.2f} nats per token at its position, {shifted.mean():.2f} one position before"
    informative = best.mean() + STANDARD_ERRORS * best.std(ddof=1) / len(best) ** 0.5 < guess
    if not informative or abs(difference.mean()) < STANDARD_ERRORS * error:
        reason = (
            f"{assumed}; this cannot be verified on these texts, which the network predicts no better "
            "in one way than in the other, or no better than by chance"
        )
        return Finding(Verdict("shift", "fine", reason, trial.advice_on_texts, measured), {"shifted": None})
    found = bool(difference.mean() > 0)
    if found != model.shifted:
        reason = f"the network predicts a token {where[found]}, but {assumed}"
        advice = f"load it with shifted={found}"
        return Finding(Verdict("shift", "do not use", reason, advice, measured), {"shifted": found})
    reason = f"the network predicts a token {where[found]}, where its logits are taken"
    return Finding(Verdict("shift", "fine", reason, "", measured), {"shifted": found})


def _alignments(trial: Trial) -> Iterator[NDArray[np.float64]]:
    """Yield the losses of single masked tokens at their own output and the one before, (2, tokens), for each text."""
    model = trial.model
    for row in trial.encoded:
        tokens = torch.from_numpy(row)
        places = torch.arange(1, len(tokens))
        if len(places) == 0:
            continue
        masked = torch.nn.functional.one_hot(places, len(tokens)).bool()
        outputs = model.outputs(tokens.expand(len(places), -1), masked)
        if model.exclude_mask and model.mask_id < outputs.shape[-1]:
            outputs[..., model.mask_id] = -torch.inf
        logs = outputs.log_softmax(dim=-1)
        rows, own = torch.arange(len(places)), places + len(model.before)
        targets = tokens[places].to(logs.device)
        yield np.stack([(-logs[rows, own - back, targets]).double().cpu().numpy() for back in (0, 1)])


def _mask(trial: Trial) -> Finding:
    """Measure how much probability the mask takes from the other tokens."""
    model = trial.model
    if model.mask_id >= model.vocabulary:
        return Finding(Verdict("mask", "fine", "the network has no output for the mask"), {"mask_cost": 0.0})
    costs = []
    for tokens, masked in _calls(trial):
        logs = model.outputs(tokens, masked).log_softmax(dim=-1)
        at = masked.roll(-int(model.shifted), dims=1) if model.shifted and not model.before else masked
        start = len(model.before) - int(model.shifted and bool(model.before))
        part = logs[:, start : start + masked.shape[1], model.mask_id][at.to(logs.device)]
        costs.append(-torch.log1p(-part.double().exp().clamp(max=1 - 1e-12)).mean().item())
    cost = float(np.mean(costs))
    values = {"mask_id": model.mask_id, "mask_excluded": model.exclude_mask, "mask_cost": cost}
    measured = f"the mask costs {cost:.2g} nats per token"
    if model.exclude_mask:
        measured = f"included, it would cost {cost:.2g} nats per token"
        reason = f"the mask, token {model.mask_id}, is excluded from the softmax"
        return Finding(Verdict("mask", "fine", reason, "", measured), values)
    if cost > VISIBLE_MASK:
        reason = f"the mask, token {model.mask_id}, has probability at masked positions, so the others do not sum to 1"
        advice = "exclude it with exclude_mask=True; published numbers of its family include it"
        return Finding(Verdict("mask", "caution", reason, advice, measured), values)
    reason = f"the mask, token {model.mask_id}, has hardly any probability at masked positions"
    return Finding(Verdict("mask", "fine", reason, "", measured), values)


def _time(trial: Trial) -> Iterator[Finding]:
    """Check whether a time or noise level that is passed to the network, or is not passed, matters."""
    model = trial.model
    tokens, masked = next(iter(_calls(trial)))
    if model.family.noise is None:
        named = [name for name in inspect.signature(model.network.forward).parameters if name in TIMES]
        if named:
            reason = f"the network has the argument {named[0]}, which its family does not pass"
            yield Finding(Verdict("time", "caution", reason, "verify its family"), {"time_matters": None})
        return
    inputs = model.inputs(tokens, masked)
    noise = model.family.noise(masked.to(inputs.device))
    levels = [noise, noise + 1.0]
    with torch.no_grad():
        outputs = [model.call(inputs, level) for level in levels]
    moved = _largest((outputs[0].log_softmax(-1) - outputs[1].log_softmax(-1)).cpu())
    values = {"time_matters": moved > clear(trial)}
    measured = f"another noise level changes log-probabilities by up to {moved:.2g} nats"
    if moved <= clear(trial):
        yield Finding(Verdict("time", "fine", "the noise level does not matter", "", measured), values)
    elif not noise.any():
        reason = "the network depends on time, which is set to 0 because masks have no time"
        yield Finding(
            Verdict("time", "do not use", reason, "use a checkpoint without time conditioning", measured), values
        )
    else:
        reason = "the network depends on the noise level, which is that of the masked fraction"
        yield Finding(Verdict("time", "fine", reason, "", measured), values)


def _padding(trial: Trial) -> Iterator[Finding]:
    """Measure what padding would change; rows of a call have one length, so there is none."""
    model = trial.model
    pad = model.config.get("pad_token_id")
    if pad is None or model.family.noise is not None or model.family.arguments is not None:
        return
    if "attention_mask" not in inspect.signature(model.network.forward).parameters:
        return
    tokens, masked = next(iter(_calls(trial)))
    inputs = model.inputs(tokens, masked)[:, : max(1, model.longest - 2)]
    padded = torch.cat([inputs, torch.full_like(inputs[:, :2], int(pad))], dim=1)
    attended = torch.ones_like(padded)
    attended[:, inputs.shape[1] :] = 0
    try:
        with torch.no_grad():
            alone = model.call(inputs)
            beside = model.call(padded, attention_mask=attended)[:, : inputs.shape[1]]
    except Exception:  # third-party code may raise anything; nothing depends on it
        return
    moved = _largest((alone.log_softmax(-1) - beside.log_softmax(-1)).cpu())
    values = {"padding_difference": moved}
    measured = f"padding with an attention mask changes log-probabilities by up to {moved:.2g} nats"
    reason = (
        "padding does not matter"
        if moved <= clear(trial)
        else "padding would change the losses, but rows are never padded"
    )
    yield Finding(Verdict("padding", "fine", reason, "", measured), values)


def _largest(difference: Tensor) -> float:
    """Return the largest absolute difference; infinities and NaN of both sides agree, others count as infinite."""
    values = difference.abs()
    return float(values[~values.isnan()].max()) if (~values.isnan()).any() else 0.0
