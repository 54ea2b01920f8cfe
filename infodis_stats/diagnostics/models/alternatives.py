"""Checks of the conventions on texts: whether another mask, special tokens, shift or block size predict them better.

A network that is called by a wrong convention still gives losses, which are only too large. So texts are scored by each
plausible convention: the best one is chosen on a few masks, and compared with the declared one on others.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from infodis_stats.diagnostics.models.trial import Finding, Trial, special_ids
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.models import MaskedLanguageModel

__all__ = ["convention_findings"]

RATES = (0.15, 0.5, 0.85)
CHOICE_MASKS, TEST_MASKS = (2, 1, 1), (4, 2, 1)  # masks per text and rate, to choose and to compare
CHOICE_TEXTS = 3
MOST_MASKS, UNUSED = 24, 4  # candidates
STANDARD_ERRORS = 3
BETTER, EQUAL = 0.2, 0.02  # nats per token
BLOCK_SIZES = (1, 2, 4, 8, 16, 32)
MOST_LOSS = 100.0  # nats, in place of infinities
LOGITS = 2**25  # per call

WHERE = {False: "at its own position", True: "one position before"}


@dataclass(frozen=True)
class Convention:
    """How a network is called: the mask, the special tokens around a sequence, and the block size if it has blocks."""

    mask_id: int
    before: tuple[int, ...]
    after: tuple[int, ...]
    block_size: int | None

    def of(self, model: MaskedLanguageModel) -> MaskedLanguageModel:
        """Return the same network by this convention; it is shared, not copied."""
        other = copy.copy(model)
        other.mask_id, other.before, other.after = self.mask_id, self.before, self.after
        other.block_size = self.block_size
        return other


@dataclass(frozen=True, eq=False)
class Design:
    """Texts and masks, and for each masked token the index of its rate."""

    rows: tuple[tuple[Tensor, Tensor], ...]
    rates: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """Losses of masked tokens at their own output and at the one before, shape (2, tokens), in nats."""

    losses: NDArray[np.float64]
    rates: NDArray[np.int64]

    @property
    def shifted(self) -> bool:
        """Where the losses are smaller on average."""
        return bool(self.losses[1].mean() < self.losses[0].mean())

    @property
    def best(self) -> NDArray[np.float64]:
        """The losses where they are smaller on average."""
        losses: NDArray[np.float64] = self.losses[int(self.shifted)]
        return losses


def convention_findings(trial: Trial) -> Iterator[Finding]:
    """Yield the findings on mask, special tokens, block size and shift, and whether texts are predicted."""
    model = trial.model
    declared = Convention(model.mask_id, model.before, model.after, model.block_size)
    rng = np.random.default_rng(trial.seed)
    texts = _texts(trial)
    choice, test = _design(texts[:CHOICE_TEXTS], CHOICE_MASKS, rng), _design(texts, TEST_MASKS, rng)
    if len(choice.rates) < 2:
        reason = (
            f"logits for a position are taken {WHERE[model.shifted]}, as its family does; without texts this cannot be "
            "measured"
        )
        yield Finding(Verdict("shift", "fine", reason, trial.advice_on_texts), {"shifted": None})
        return
    chance = float(np.log(model.vocabulary))
    usual = _scores(model, declared, test)
    used, losses = declared, usual

    candidate = _best(model, [replace(declared, mask_id=mask) for mask in _masks(trial, declared)], choice)
    scores = _scores(model, candidate, test)
    if candidate != declared and _better(scores.best, losses.best, test.rates, chance):
        yield _other_mask(candidate.mask_id, declared.mask_id, scores, losses)
        used, losses = candidate, scores

    around = _best(model, _surroundings(trial, used), choice)
    beside = _scores(model, around, test)
    if around != used and _better(beside.best, losses.best, test.rates, chance):
        yield _other_surroundings(around, used, beside, losses)
        used, losses = around, beside

    yield from _block_size(model, used, texts, chance, rng)
    decided = [part for part in (losses, beside) if _decided(part, chance)]
    yield _shift(model.shifted, decided[0] if decided else losses, measurable=bool(decided))
    known = _informative(losses.best, chance)
    found = {
        "best_mask_id": used.mask_id if known else None,
        "best_before": list(used.before) if known else None,
        "best_after": list(used.after) if known else None,
    }
    yield _prediction(usual.losses[int(model.shifted)], chance, found)


def _block_size(
    model: MaskedLanguageModel, used: Convention, texts: Sequence[Tensor], chance: float, rng: np.random.Generator
) -> Iterator[Finding]:
    """Compare block sizes on masks in the last tokens of texts, which are in one block of either size.

    So the visible tokens are the same: smaller blocks would show more of them, and predict better for that alone.
    """
    if used.block_size is None:
        return
    gains = {}
    for size in sorted({*BLOCK_SIZES, *model.family.block_sizes} - {used.block_size}):
        other = replace(used, block_size=size)
        halves = [_last_masks(part, (used, other), rng) for part in (texts[::2], texts[1::2])]
        pairs = [(_scores(model, other, half), _scores(model, used, half)) for half in halves if len(half.rates) > 1]
        if len(pairs) == 2:
            gains[size] = pairs
    if not gains:
        return
    best = max(gains, key=lambda size: float((gains[size][0][1].best - gains[size][0][0].best).mean()))
    scores, usual = gains[best][1]
    if not _better(scores.best, usual.best, usual.rates, chance):
        reason = f"no other block size predicts the last tokens of these texts clearly better than {used.block_size}"
        yield Finding(Verdict("block size", "fine", reason), {"best_block_size": used.block_size})
        return
    gain = usual.best.mean() - scores.best.mean()
    reason = f"blocks of {best} predict these texts better by {gain:.2g} nats per token than those of {used.block_size}"
    measured = f"{usual.best.mean():.2f} nats per token with {used.block_size}, {scores.best.mean():.2f} with {best}"
    verdict = Verdict("block size", "do not use", reason, f"load it with block_size={best}", measured)
    yield Finding(verdict, {"best_block_size": best})


def _last_masks(texts: Sequence[Tensor], conventions: Sequence[Convention], rng: np.random.Generator) -> Design:
    """Draw masks within the last block of each text, under either of two conventions."""
    rows, rates = [], []
    for tokens in texts:
        begins = [_last_block(len(tokens), convention) for convention in conventions]
        if begins[0] == begins[1]:
            continue
        first = max(1, *begins)
        masks = torch.zeros(sum(CHOICE_MASKS), len(tokens), dtype=torch.bool)
        for mask, index in zip(masks, np.repeat(np.arange(len(RATES)), CHOICE_MASKS), strict=True):
            size = max(1, round(RATES[index] * (len(tokens) - first)))
            mask[torch.from_numpy(first + rng.permutation(len(tokens) - first)[:size])] = True
            rates += [index] * size
        rows.append((tokens, masks))
    return Design(tuple(rows), np.array(rates, dtype=np.int64))


def _last_block(length: int, convention: Convention) -> int:
    assert convention.block_size is not None
    before = len(convention.before)
    return (length - 1 + before) // convention.block_size * convention.block_size - before


def _other_mask(best: int, declared: int, scores: Scores, usual: Scores) -> Finding:
    gain = usual.best.mean() - scores.best.mean()
    reason = f"another mask, token {best}, predicts these texts better by {gain:.2g} nats per token"
    measured = f"{usual.best.mean():.2f} nats per token with token {declared}, {scores.best.mean():.2f} with {best}"
    return Finding(Verdict("mask id", "do not use", reason, f"load it with {best} as mask_id=", measured))


def _other_surroundings(best: Convention, declared: Convention, scores: Scores, usual: Scores) -> Finding:
    gain = usual.best.mean() - scores.best.mean()
    reason = f"other special tokens around these texts predict them better by {gain:.2g} nats per token"
    advice = f"consider {_named(best.before)} in front (before=) and {_named(best.after)} behind (after=)"
    measured = f"{usual.best.mean():.2f} nats per token as declared, {scores.best.mean():.2f} with the others"
    return Finding(Verdict("special tokens", "caution", reason, advice, measured))


def _named(tokens: Sequence[int]) -> str:
    return ",".join(map(str, tokens)) or "none"


def _shift(declared: bool, scores: Scores, *, measurable: bool) -> Finding:
    plain, shifted = scores.losses.mean(axis=1)
    measured = f"{plain:.2f} nats per token at its own position, {shifted:.2f} one before"
    assumed = WHERE[declared]
    if not measurable:
        reason = (
            f"logits for a position are taken {assumed}, as its family does; the network predicts these texts no "
            "better one way than the other or than by chance, so this cannot be measured"
        )
        return Finding(
            Verdict("shift", "fine", reason, "pass texts that it knows with texts=", measured), {"shifted": None}
        )
    found = scores.shifted
    if found != declared:
        reason = f"the network predicts a token {WHERE[found]}, but its logits are taken {assumed}"
        advice = f"load it with shifted={found}"
        return Finding(Verdict("shift", "do not use", reason, advice, measured), {"shifted": found})
    reason = f"the network predicts a token {WHERE[found]}, where its logits are taken"
    return Finding(Verdict("shift", "fine", reason, "", measured), {"shifted": found})


def _prediction(losses: NDArray[np.float64], chance: float, found: Mapping[str, object]) -> Finding:
    measured = f"{losses.mean():.2f} nats per token; {chance:.2f} by chance"
    values = {"text_nll": float(losses.mean()), "chance_nll": chance, **found}
    if not _informative(losses, chance):
        reason = "the network does not predict these texts better than chance, so its conventions were not confirmed"
        advice = "pass texts that it knows; if it does not predict those either, its conventions are wrong"
        return Finding(Verdict("prediction", "caution", reason, advice, measured), values)
    return Finding(Verdict("prediction", "fine", "the network predicts these texts", "", measured), values)


def _informative(losses: NDArray[np.float64], chance: float) -> bool:
    """Return whether losses are clearly below those of equally likely tokens."""
    margin = min(BETTER, chance / 20)
    return bool(losses.mean() + STANDARD_ERRORS * _standard_error(losses) < chance - margin)


def _better(losses: NDArray[np.float64], than: NDArray[np.float64], rates: NDArray[np.int64], chance: float) -> bool:
    """Return whether losses are clearly smaller than others: on average, at every rate, and below chance.

    A network may be trained at low rates only, and predict by chance better with another token at high ones.
    """
    gain = than - losses
    everywhere = all(gain[rates == rate].mean() > 0 for rate in np.unique(rates))
    clear = gain.mean() > max(BETTER, STANDARD_ERRORS * _standard_error(gain))
    return bool(everywhere and clear and _informative(losses, chance))


def _decided(scores: Scores, chance: float) -> bool:
    difference = scores.losses[0] - scores.losses[1]
    apart = abs(difference.mean()) > max(chance / 100, STANDARD_ERRORS * _standard_error(difference))
    return bool(apart and _informative(scores.best, chance))


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / len(values) ** 0.5)


def _best(model: MaskedLanguageModel, candidates: Sequence[Convention], design: Design) -> Convention:
    """Return the best of some conventions, or an earlier one that is practically as good."""
    means = [float(_scores(model, candidate, design).best.mean()) for candidate in candidates]
    return next(candidate for candidate, mean in zip(candidates, means, strict=True) if mean <= min(means) + EQUAL)


def _texts(trial: Trial) -> list[Tensor]:
    """Return tokens with room for special tokens around them, without those that the model refuses."""
    model = trial.model
    around = len(model.before) + len(model.after)
    room = int(model.longest) + around - max(2, around)
    return [torch.from_numpy(row[:room]) for row in trial.encoded if len(row[:room]) > 1]


def _design(texts: Sequence[Tensor], counts: Sequence[int], rng: np.random.Generator) -> Design:
    """Draw masks; the first position is always visible, so that all conventions predict the same tokens."""
    rows, rates = [], []
    for tokens in texts:
        masks = torch.zeros(sum(counts), len(tokens), dtype=torch.bool)
        for mask, index in zip(masks, np.repeat(np.arange(len(RATES)), counts), strict=True):
            size = max(1, round(RATES[index] * (len(tokens) - 1)))
            mask[torch.from_numpy(1 + rng.permutation(len(tokens) - 1)[:size])] = True
            rates += [index] * size
        rows.append((tokens, masks))
    return Design(tuple(rows), np.array(rates, dtype=np.int64))


def _scores(model: MaskedLanguageModel, convention: Convention, design: Design) -> Scores:
    model = convention.of(model)
    parts = []
    for tokens, masks in design.rows:
        size = max(1, LOGITS // (model.vocabulary * (len(tokens) + 2)))
        for start in range(0, len(masks), size):
            masked = masks[start : start + size]
            repeated = tokens.expand(len(masked), -1)
            outputs = model.outputs(repeated, masked)
            rows, places = masked.to(outputs.device).nonzero(as_tuple=True)
            targets = tokens.to(outputs.device)[places]
            chosen = []
            for aligned in (outputs, model.shift(outputs, repeated)):
                logits = aligned[rows, places + len(model.before)]
                if model.exclude_mask and model.mask_id < logits.shape[-1]:
                    logits[:, model.mask_id] = -torch.inf
                logs = logits.log_softmax(dim=-1).gather(1, targets[:, None])[:, 0]
                chosen.append(logs.double().cpu().numpy())
            parts.append(-np.stack(chosen))
    losses = np.nan_to_num(np.concatenate(parts, axis=1), nan=MOST_LOSS, posinf=MOST_LOSS).clip(max=MOST_LOSS)
    return Scores(losses, design.rates)


def _masks(trial: Trial, declared: Convention) -> list[int]:
    """Return plausible mask ids, the declared one first."""
    model, tokenizer = trial.model, trial.model.tokenizer
    special = special_ids(tokenizer)
    named = [model.config.get("mask_token_id"), special.pop("mask_token", None)]
    added = {int(token): str(word) for token, word in dict(getattr(tokenizer, "added_tokens_decoder", {})).items()}
    known = tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else {}
    named += [known.get(word) for word in model.family.mask_words]
    named += [token for token, word in added.items() if "mask" in word.casefold()]
    last, size = model.vocabulary - 1, len(tokenizer) if hasattr(tokenizer, "__len__") else model.vocabulary
    named += [last, size - 1, *special.values()]
    named += [*range(size, min(size + UNUSED, model.vocabulary)), *range(last - 1, last - UNUSED, -1)]
    named += [*list(added)[:UNUSED], *list(added)[: -UNUSED - 1 : -1]]
    named += range(last, max(-1, last - MOST_MASKS), -1)  # all of a small vocabulary
    in_texts = {token for row in trial.encoded for token in row.tolist()}
    usable = [
        token
        for token in dict.fromkeys(named)
        if isinstance(token, int) and 0 <= token < model.vocabulary and token not in in_texts
    ]
    return list(dict.fromkeys([declared.mask_id, *usable[:MOST_MASKS]]))


def _surroundings(trial: Trial, used: Convention) -> list[Convention]:
    """Return conventions with other special tokens around a text, the declared ones first, then those with few."""
    special, vocabulary = special_ids(trial.model.tokenizer), trial.model.vocabulary

    def sides(declared: tuple[int, ...], names: Sequence[str]) -> list[tuple[int, ...]]:
        tokens = [(special[name],) for name in names if special.get(name, vocabulary) < vocabulary]
        return list(dict.fromkeys([declared, (), *tokens]))

    fronts = sides(used.before, ("bos_token", "cls_token", "eos_token"))
    backs = sides(used.after, ("eos_token", "sep_token"))
    others = sorted(product(fronts, backs), key=lambda sides: len(sides[0]) + len(sides[1]))
    return [used, *(replace(used, before=front, after=back) for front, back in others)]
