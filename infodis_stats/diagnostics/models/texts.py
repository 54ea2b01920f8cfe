"""Checks on texts: the tokenizer, orders and decoders, and half precision relative to the width of an interval."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from estimators import InfodisError
from infodis_stats.diagnostics.models.decoders import decoder_findings, distribution_findings
from infodis_stats.diagnostics.models.trial import Check, Finding, Trial, clear, half_masks
from infodis_stats.diagnostics.verdict import Verdict, concise
from infodis_stats.estimates import estimate_nll
from infodis_stats.estimates.order_gap import order_gap
from infodis_stats.models import MaskedLanguageModel

__all__ = ["TEXT_CHECKS"]

ORDERS, GAP_LENGTH, GAP_TEXTS = 8, 12, 3
PASSES, REPLICATES, PRECISION_TEXTS = 16, 4, 4
LARGEST_COPY = 2 * 10**9  # parameters: the largest network that is copied to another precision
NOTICEABLE = 0.5  # of the half-width of an interval


def _round_trip(trial: Trial) -> list[Finding]:
    if not trial.texts:
        reason = "without texts, the tokenizer was not examined"
        return [Finding(Verdict("tokenizer", "fine", reason, trial.advice_on_texts))]
    # Tokenizers of proteins separate residues by spaces when they decode.
    changed = [
        text
        for text in trial.texts
        if trial.model.decode(trial.model.encode(text)).replace(" ", "") != text.replace(" ", "")
    ]
    values = {"round_trips": not changed}
    if changed:
        text = changed[0]
        reason = f"{len(changed)} of {len(trial.texts)} texts change when they are encoded and decoded"
        measured = f"{text!r} becomes {trial.model.decode(trial.model.encode(text))!r}"
        advice = "the text after decoding is what is scored"
        return [Finding(Verdict("tokenizer", "caution", reason, advice, measured), values)]
    reason = f"all {len(trial.texts)} texts are the same after encoding and decoding"
    return [Finding(Verdict("tokenizer", "fine", reason), values)]


def _boundary(trial: Trial) -> list[Finding]:
    """Check whether prompts end where a token ends: a token that straddles the end is scored with the response."""
    if not trial.texts:
        return []
    cases = []
    for text in trial.texts:
        middle = max(text.find(" ", len(text) // 2), 0) or len(text) // 2
        cases += [(text[:stop], text[stop:]) for stop in (middle, middle + 1) if 0 < stop < len(text)]
    split = []
    for prompt, response in cases:
        apart = np.concatenate([trial.model.encode(prompt), trial.model.encode(response)])
        if not np.array_equal(apart, trial.model.encode(prompt + response)):
            split.append((prompt, response))
    values = {"boundary_changes": len(split), "boundaries": len(cases)}
    if split:
        reason = f"in {len(split)} of {len(cases)} texts a token straddles the end of the prompt: it is scored as well"
        measured = f"{concise([f'{prompt!r} + {response!r}' for prompt, response in split], most=1)}"
        advice = "end prompts where a token ends, usually before a space"
        return [Finding(Verdict("boundary", "caution", reason, advice, measured), values)]
    return [
        Finding(
            Verdict("boundary", "fine", "prompts end where a token ends"),
            values,
        )
    ]


def _rows(trial: Trial, count: int, length: int) -> list[NDArray[np.int64]]:
    rows = [row for row in trial.encoded if len(row) > 1] or list(trial.random.numpy())
    return [row[:length] for row in rows[:count]]


def _context(trial: Trial, rows: list[NDArray[np.int64]]) -> list[NDArray[np.bool_]]:
    return [np.arange(len(row)) < trial.first_scored for row in rows]


def _orders(trial: Trial) -> Iterator[Finding]:
    rows = _rows(trial, GAP_TEXTS, GAP_LENGTH)
    context = _context(trial, rows)
    try:
        result = order_gap(
            trial.model,
            rows,
            orders=ORDERS,
            context=context,
            seed=trial.seed,
            tolerance=clear(trial),
            device=_device(trial.model),
        )
    except InfodisError as error:
        yield Finding(Verdict("order gap", "caution", f"the chain rule fails: {error}"))
        return
    spread, gap = float(result["order_sd"].mean()), float(result.attrs["mean_order_gap"])
    values = {"order_sd": spread, "order_gap": gap}
    measured = f"standard deviation over orders {spread:.2g} nats, gap {gap:.2g} nats"
    if bool(result["one_law"].all()):
        reason = "the chain rule gives the same likelihood in every order, within rounding"
    else:
        reason = "orders disagree, as is usual for a network: the NLL is the mean over orders, an upper bound"
    yield Finding(Verdict("order gap", "fine", reason, "", measured), values)
    yield from decoder_findings(trial, rows, context, result["order_nll"], _device(trial.model))


def _precision(trial: Trial) -> Iterator[Finding]:
    """Compare half precision with float32 on the same masks, relative to the width of an interval."""
    model = trial.model
    if not isinstance(model, MaskedLanguageModel):
        return
    size = sum(weights.numel() for weights in model.network.parameters())
    if size > LARGEST_COPY:
        reason = f"{size:,} parameters are too many to copy: half precision was not compared with float32"
        yield Finding(Verdict("precision", "fine", reason))
        return
    own = next(iter(model.network.parameters()), torch.zeros(())).dtype
    other = torch.bfloat16 if own not in {torch.bfloat16, torch.float16} else torch.float32
    rows = _rows(trial, PRECISION_TEXTS, max(len(row) for row in trial.encoded or trial.random))
    arguments: dict[str, Any] = {
        "passes": PASSES,
        "replicates": REPLICATES,
        "context": _context(trial, rows),
        "seed": trial.seed,
        "device": _device(model),
    }
    here = estimate_nll(model, rows, "uniform-count+stratified", **arguments)
    try:
        there = estimate_nll(_in(model, other), rows, "uniform-count+stratified", **arguments)
    except InfodisError as error:
        reason = f"the network does not run with weights in {_name(other)}"
        yield Finding(Verdict("precision", "fine", reason, f"keep them in {_name(own)}", str(error)))
        return
    error_size = float(np.abs(there["nll"] - here["nll"]).max())
    half_width = float((here["nll_ci"].sel(ci_bound="upper") - here["nll_ci"].sel(ci_bound="lower")).mean()) / 2
    values = {"half_precision_error": error_size, "interval_half_width": half_width}
    measured = (
        f"largest difference {error_size:.2g} nats, half-width of an interval from {PASSES} x {REPLICATES} passes "
        f"{half_width:.2g} nats"
    )
    reason = f"{_name(own)} and {_name(other)} were compared on the same masks"
    if own in {torch.bfloat16, torch.float16} and error_size > NOTICEABLE * half_width:
        reason = f"the error of {_name(own)} is not small relative to the interval"
        yield Finding(Verdict("precision", "caution", reason, "load it with dtype=torch.float32", measured), values)
        return
    yield Finding(Verdict("precision", "fine", reason, "", measured), values)


def _in(model: MaskedLanguageModel, dtype: torch.dtype) -> MaskedLanguageModel:
    return MaskedLanguageModel(
        copy.deepcopy(model.network).to(dtype),
        model.family,
        mask_id=model.mask_id,
        length=model.longest + len(model.before) + len(model.after),
        before=model.before,
        after=model.after,
        shifted=model.shifted,
        exclude_mask=model.exclude_mask,
        guidance=model.guidance,
        block_size=model.block_size,
    )


def _fingerprint(trial: Trial) -> Iterator[Finding]:
    """Check that calls do not change the weights, and that the fingerprint is stable."""
    fingerprint = getattr(trial.model, "fingerprint", None)
    if fingerprint is None:
        return
    first = fingerprint()
    trial.losses(trial.random, next(half_masks(trial, trial.random.shape[1])).expand(len(trial.random), -1))
    second = copy.copy(trial.model).fingerprint()
    values = {"fingerprint": first, "fingerprint_stable": first == second}
    if first != second:
        reason = "the fingerprint changes although nothing was trained: calls change weights or buffers"
        yield Finding(Verdict("fingerprint", "do not use", reason, "freeze the network"), values)
        return
    yield Finding(Verdict("fingerprint", "fine", "the fingerprint does not change with calls"), values)


def _device(model: Any) -> torch.device:
    network = getattr(model, "network", model)
    parameters = network.parameters() if isinstance(network, torch.nn.Module) else iter(())
    return next(parameters, torch.zeros(())).device


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


TEXT_CHECKS: Mapping[str, Check] = {
    "tokenizer": _round_trip,
    "boundary": _boundary,
    "distributions": distribution_findings,
    "order gap": _orders,
    "precision": _precision,
    "fingerprint": _fingerprint,
}
"""The checks on texts or, for some, on random tokens instead."""
