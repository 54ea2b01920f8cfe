"""Checks of how a model is called: reproducibility, what it sees, alignment of its outputs, mask and time."""

import inspect
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from estimators.blocks import Blocks
from estimators.model import blocks_of, takes_padding
from infodis_stats.diagnostics.models.trial import CLEAR, Check, Finding, Trial, clear, half_masks, largest
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models.huggingface import Family
from infodis_stats.models.huggingface.conventions import find_block_size
from infodis_stats.models.huggingface.padding import measure_padding
from infodis_stats.models.huggingface.recognition import refused_network
from infodis_stats.models.probes import Attention, dependence, pattern_of

__all__ = ["CALL_CHECKS", "NETWORK_CHECKS", "family_finding"]

TIMES = ("timesteps", "timestep", "sigma", "noise", "time", "t")
LOST = 0.01  # probability: less may be rounding, or symbols that are never there
CONTEXTS = 4
MANY_ROWS = 32
VISIBLE_MASK = 0.01  # nats per token that the mask takes from the others


def family_finding(family: Family) -> Finding:
    """Return the finding on a family that is refused."""
    reason = f"{family.about} cannot be used as a masked model: {family.refused}"
    return Finding(Verdict("family", "do not use", reason), {"refused_family": family.name})


def _calls(trial: Trial) -> Iterator[tuple[Tensor, Tensor]]:
    for masked in half_masks(trial, trial.random.shape[1]):
        yield trial.random, masked.expand(len(trial.random), -1)


def _deterministic(trial: Trial) -> list[Finding]:
    worst = max(largest(trial.losses(*call), trial.losses(*call)) for call in _calls(trial))
    values = {"deterministic": worst <= clear(trial), "repeat_difference": worst}
    measured = f"largest difference {worst:.2g} nats"
    if worst > clear(trial):
        reason = "two identical calls give different losses: the network adds its own noise"
        return [Finding(Verdict("deterministic", "do not use", reason, "switch off its noise", measured), values)]
    return [Finding(Verdict("deterministic", "fine", "identical calls give the same losses", "", measured), values)]


def _hidden(trial: Trial) -> list[Finding]:
    """Check that a loss does not depend on the tokens under other masks."""
    tokens, worst = trial.random, 0.0
    other = tokens.flip(0)
    for masked in half_masks(trial, tokens.shape[1]):
        rows = masked.expand(len(tokens), -1)
        for kept, hidden in _halves(trial, masked.nonzero()[:, 0]):
            changed = tokens.clone()
            changed[:, hidden] = other[:, hidden]
            worst = max(worst, largest(trial.losses(tokens, rows)[:, kept], trial.losses(changed, rows)[:, kept]))
    measured = f"largest difference {worst:.2g} nats"
    if worst > clear(trial):
        reason = "losses depend on tokens that are masked: the model sees the tokens that it predicts"
        advice = "replace masked tokens before the network sees them"
        return [Finding(Verdict("masked tokens", "do not use", reason, advice, measured), {"sees_masked": True})]
    reason = "losses do not depend on the tokens under other masks"
    return [Finding(Verdict("masked tokens", "fine", reason, "", measured), {"sees_masked": False})]


def _halves(trial: Trial, places: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield masked places, and others that must not be seen from there: later ones, and earlier ones of one block."""
    blocks = blocks_of(trial.model)
    if len(places) > 1:
        yield places[: len(places) // 2], places[len(places) // 2 :]
    if blocks is not None:
        numbers = torch.from_numpy(blocks.numbers(places.numpy()))
        for number in sorted(set(numbers.tolist())):
            inside = places[numbers == number]
            if len(inside) > 1:
                yield inside[1:], inside[:1]


def _blocks(trial: Trial) -> Iterator[Finding]:
    """Check that a model of block diffusion sees earlier blocks with nothing masked."""
    blocks = blocks_of(trial.model)
    if blocks is None:
        return
    tokens = trial.random
    numbers = torch.from_numpy(blocks.numbers(np.arange(tokens.shape[1])))
    last = numbers == numbers[-1]
    everywhere = torch.arange(tokens.shape[1]) >= trial.first_scored
    losses = [trial.losses(tokens, part.expand(len(tokens), -1))[:, last] for part in (everywhere, everywhere & last)]
    worst = largest(*losses)
    measured = f"largest difference {worst:.2g} nats"
    if worst > clear(trial):
        reason = "losses depend on the masks of earlier blocks, which have to be seen with nothing masked"
        advice = "give the network the clean tokens of earlier blocks"
        yield Finding(Verdict("blocks", "do not use", reason, advice, measured), {"sees_noised_blocks": True})
    elif last.all():
        yield Finding(Verdict("blocks", "fine", f"all {len(last)} tokens are in one block: its masks were not varied"))
    else:
        reason = "losses do not depend on the masks of earlier blocks"
        yield Finding(Verdict("blocks", "fine", reason, "", measured), {"sees_noised_blocks": False})


def _batch(trial: Trial) -> list[Finding]:
    worst = 0.0
    for tokens, masked in _calls(trial):
        together = trial.losses(tokens, masked)
        single = torch.cat([trial.losses(tokens[row : row + 1], masked[row : row + 1]) for row in range(len(tokens))])
        worst = max(worst, largest(together, single))
    many = trial.draw(MANY_ROWS, trial.random.shape[1])
    masked = next(half_masks(trial, many.shape[1])).expand(len(many), -1)
    together = trial.losses(many, masked)
    for row in (0, len(many) // 2, len(many) - 1):
        worst = max(worst, largest(together[row], trial.losses(many[row : row + 1], masked[row : row + 1])[0]))
    if takes_padding(trial.model):
        worst = max(worst, _padded_difference(trial, many, masked))
    measured = f"largest difference {worst:.2g} nats"
    values = {"batch_difference": worst}
    if worst > clear(trial):
        reason = "the losses of a row depend on the other rows of its batch"
        return [Finding(Verdict("batch", "do not use", reason, "score one row per call", measured), values)]
    return [Finding(Verdict("batch", "fine", "the losses of a row do not depend on its batch", "", measured), values)]


def _padded_difference(trial: Trial, tokens: Tensor, masked: Tensor) -> float:
    """Return the largest difference between losses of rows that are padded to three quarters or more, and alone."""
    length = tokens.shape[1]
    lengths = length - torch.arange(len(tokens)) % (length // 4 + 1)
    real = torch.arange(length) < lengths[:, None]
    together = trial.losses(torch.where(real, tokens, 0), masked & real, lengths)
    rows = [(slice(row, row + 1), slice(0, int(lengths[row]))) for row in (0, 1, len(tokens) - 1)]
    return max(largest(together[part], trial.losses(tokens[part], masked[part])) for part in rows)


def _visible(trial: Trial) -> list[Finding]:
    """Check that losses are 0 where nothing is masked."""
    worst = max(largest(trial.losses(*call)[~call[1]], torch.zeros(int((~call[1]).sum()))) for call in _calls(trial))
    values = {"visible_loss": worst}
    if worst > CLEAR:
        reason = "losses at visible positions are not 0, as they should be; estimates ignore them"
        measured = f"up to {worst:.2g} nats"
        return [Finding(Verdict("visible tokens", "caution", reason, "return masked * losses", measured), values)]
    return [Finding(Verdict("visible tokens", "fine", "losses are 0 at visible positions"), values)]


def _finite(trial: Trial) -> list[Finding]:
    losses = [trial.losses(tokens, masked)[masked] for tokens, masked in _calls(trial)]
    wrong = sum(int((~torch.isfinite(part) | (part < -CLEAR)).sum()) for part in losses)
    count = sum(len(part) for part in losses)
    if wrong:
        reason = f"{wrong} of {count} losses are NaN, infinite or negative"
        return [Finding(Verdict("finite", "do not use", reason, "load it with dtype=torch.float32"), {"finite": False})]
    return [Finding(Verdict("finite", "fine", f"all {count} losses are finite and at least 0"), {"finite": True})]


def _attention(trial: Trial) -> list[Finding]:
    matrix = dependence(trial.model, seed=trial.seed)
    attention = pattern_of(matrix)
    values = {"attention": attention.pattern, "block_size": attention.block_size, "dependence": matrix}
    found = f"attention is {attention}"
    blocks = blocks_of(trial.model)
    if blocks is not None and attention.pattern != "none":
        return [Finding(_keeps_to(blocks, attention, matrix, trial), values)]
    if attention.pattern == "bidirectional":
        return [Finding(Verdict("attention", "fine", f"{found}: a mask sees the tokens on both sides"), values)]
    if attention.pattern == "none":
        return [Finding(Verdict("attention", "caution", "predictions do not depend on any visible token"), values)]
    if attention.pattern == "irregular":
        reason = "some masks do not see the tokens on both sides, in no regular pattern"
        return [Finding(Verdict("attention", "caution", reason), values)]
    advice = "specify its family with family=, or wrap it so that masks see both sides"
    if attention.block_size:
        advice += f", or declare block_size = {attention.block_size} if it generates blocks from left to right"
    return [Finding(Verdict("attention", "do not use", f"{found}: masks do not see all later tokens", advice), values)]


def _keeps_to(blocks: Blocks, attention: Attention, matrix: NDArray[np.int8], trial: Trial) -> Verdict:
    """Compare the pattern that was found with the blocks that a model declares."""
    numbers = blocks.numbers(np.arange(len(matrix)))
    found = f"attention is {attention}"
    if (matrix[numbers[:, None] > numbers] == 1).any():
        reason = f"{found}, but the model declares {blocks}: masks see tokens of later blocks"
        return Verdict("attention", "do not use", reason, "correct block_size and block_start")
    # In a block of two, shifted outputs predict the first token without the block and the second without later tokens.
    smallest = 1 + int(bool(getattr(trial.model, "shifted", False)))
    if attention.block_size == blocks.size or (attention.pattern == "causal" and blocks.size <= smallest):
        return Verdict("attention", "fine", f"{found}, as the model declares")
    if attention.pattern == "bidirectional":
        reason = f"{found}, within the blocks of {blocks.size} that the model declares"
        return Verdict("attention", "fine", reason)
    if attention.pattern == "irregular":
        return Verdict("attention", "caution", "some masks do not see all other tokens of their block")
    reason = f"{found}, but the model declares {blocks}: masks do not see all other tokens of their block"
    return Verdict("attention", "do not use", reason, "correct block_size")


def _normalised(trial: Trial) -> Iterator[Finding]:
    """Check that the probabilities of all tokens at a position sum to 1, or to less if a mask may take the rest."""
    model = trial.model
    vocabulary = getattr(model, "vocabulary", getattr(model, "vocabulary_size", None))
    if vocabulary is None or vocabulary > 512:
        return
    mask = getattr(model, "mask_id", None)
    place = trial.random.shape[1] // 2
    allowed = [token for token in range(vocabulary) if token != mask]
    totals = []
    for row in trial.random[:CONTEXTS]:
        tokens = row.repeat(len(allowed), 1)
        tokens[:, place] = torch.tensor(allowed)
        masked = torch.zeros_like(tokens, dtype=torch.bool)
        masked[:, place] = True
        totals.append(float(torch.exp(-trial.losses(tokens, masked)[:, place]).sum()))
    total = max(totals, key=lambda total: abs(total - 1))
    values = {"total_probability": total}
    measured = f"they sum to {total:.6f} at one position"
    if max(totals) > 1 + CLEAR:
        reason = "the probabilities of the tokens at a position sum to more than 1"
        yield Finding(Verdict("normalised", "do not use", reason, "normalise the losses", measured), values)
    elif min(totals) < 1 - LOST and mask is None:
        reason = "the probabilities of the tokens at a position sum to less than 1, and no mask takes the rest"
        advice = "losses are in nats: divide neither by log(2) nor by a temperature, and add nothing"
        yield Finding(Verdict("normalised", "caution", reason, advice, measured), values)
    else:
        verdict = Verdict("normalised", "fine", "the probabilities of the tokens sum to at most 1", "", measured)
        yield Finding(verdict, values)


def _family(trial: Trial) -> list[Finding]:
    model = trial.model
    family = (
        model.family
        if model.family.refused
        else refused_network(model.network, model.config, model.longest, model.family)
    )
    return [] if family is None else [family_finding(family)]


def _configured_blocks(trial: Trial) -> Iterator[Finding]:
    """Compare the block size with that of the configuration."""
    model = trial.model
    named = find_block_size(model.family, model.config)
    if named is not None and named != model.block_size:
        reason = f"the configuration has blocks of {named}, but the model is called with blocks of {model.block_size}"
        verdict = Verdict("configuration", "caution", reason, f"load it with block_size={named}")
        yield Finding(verdict, {"configured_block_size": named})


def _mask(trial: Trial) -> list[Finding]:
    """Measure how much probability the mask takes from the other tokens."""
    model = trial.model
    if model.mask_id >= model.vocabulary:
        return [Finding(Verdict("mask", "fine", "the network has no output for the mask"), {"mask_cost": 0.0})]
    costs = []
    for tokens, masked in _calls(trial):
        outputs = model.outputs(tokens, masked)
        logs = (model.shift(outputs, tokens) if model.shifted else outputs).log_softmax(dim=-1)
        start = len(model.before)
        part = logs[:, start : start + masked.shape[1], model.mask_id][masked.to(logs.device)]
        costs.append(-torch.log1p(-part.double().exp().clamp(max=1 - 1e-12)).mean().item())
    cost = float(np.mean(costs))
    values = {"mask_id": model.mask_id, "mask_excluded": model.exclude_mask, "mask_cost": cost}
    measured = f"the mask costs {cost:.2g} nats per token"
    if model.exclude_mask:
        measured = f"included, it would cost {cost:.2g} nats per token"
        reason = f"the mask, token {model.mask_id}, is excluded from the softmax"
        return [Finding(Verdict("mask", "fine", reason, "", measured), values)]
    if cost > VISIBLE_MASK:
        reason = f"the mask, token {model.mask_id}, has probability at masked positions, so the others do not sum to 1"
        advice = "exclude it with exclude_mask=True; published numbers of its family include it"
        return [Finding(Verdict("mask", "caution", reason, advice, measured), values)]
    reason = f"the mask, token {model.mask_id}, has hardly any probability at masked positions"
    return [Finding(Verdict("mask", "fine", reason, "", measured), values)]


def _time(trial: Trial) -> Iterator[Finding]:
    """Check whether a time or noise level that is passed to the network, or is not passed, matters."""
    model = trial.model
    tokens, masked = next(iter(_calls(trial)))
    if model.family.noise is None:
        # The first parameter takes the tokens, whatever its name.
        named = [name for name in list(inspect.signature(model.network.forward).parameters)[1:] if name in TIMES]
        if named:
            reason = f"the network has the argument {named[0]}, which its family does not pass"
            yield Finding(Verdict("time", "caution", reason, "verify its family"), {"time_matters": None})
        return
    inputs = model.inputs(tokens, masked)
    noise = model.family.noise(masked.to(inputs.device))
    levels = [noise, noise + 1.0]
    outputs = [model.call(inputs, level) for level in levels]
    moved = largest(outputs[0].log_softmax(-1), outputs[1].log_softmax(-1))
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
    """Measure what padding changes; where it is more than rounding, rows of a call have one length."""
    measured = measure_padding(trial.model)
    if measured is None:
        return
    values = {"padding_difference": measured.difference}
    reason = (
        "padding does not matter: texts of different lengths share calls"
        if measured.harmless
        else "padding changes the losses, or half precision hides it: texts of different lengths do not share calls"
    )
    found = f"padding with an attention mask changes losses by up to {measured.difference:.2g} nats"
    yield Finding(Verdict("padding", "fine", reason, "", found), values)


CALL_CHECKS: Mapping[str, Check] = {
    "deterministic": _deterministic,
    "masked tokens": _hidden,
    "visible tokens": _visible,
    "batch": _batch,
    "finite": _finite,
    "attention": _attention,
    "blocks": _blocks,
    "normalised": _normalised,
}
"""The checks that need nothing but ``token_nll``."""

NETWORK_CHECKS: Mapping[str, Check] = {
    "family": _family,
    "configuration": _configured_blocks,
    "mask": _mask,
    "time": _time,
    "padding": _padding,
}
"""The checks that need the outputs of a `MaskedLanguageModel`."""
