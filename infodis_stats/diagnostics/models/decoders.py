"""Checks of distributions over the vocabulary, and how far other likelihoods are from the any-order value."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import InfodisError
from estimators.model import gives_distributions, needs_context
from infodis_stats.diagnostics.models.trial import Finding, Trial, clear, half_masks, largest
from infodis_stats.diagnostics.verdict import Verdict
from infodis_stats.estimates.sampler import sampler_nll

__all__ = ["decoder_findings", "distribution_findings"]

RULES = {"confidence": "confidence_difference", "left-to-right": "left_to_right_difference"}


def distribution_findings(trial: Trial) -> Iterator[Finding]:
    """Compare the distributions of a model, if it gives them, with its losses of the true tokens."""
    model = trial.model
    if not gives_distributions(model) or needs_context(model):
        return
    difference = 0.0
    for hidden in half_masks(trial, trial.random.shape[1]):
        masked = hidden.expand(trial.random.shape).clone()
        with torch.no_grad():
            distributions = model.token_log_probs(trial.random.clone(), masked.clone())
        own = -distributions.double().cpu().gather(1, trial.random[masked][:, None])[:, 0]
        difference = max(difference, largest(own, trial.losses(trial.random, masked)[masked]))
    values, measured = {"distribution_difference": difference}, f"largest difference {difference:.2g} nats"
    if difference > clear(trial):
        reason = "token_log_probs has other log-probabilities of the true tokens than token_nll"
        advice = "without correction, likelihoods of decoders are those of another model"
        yield Finding(Verdict("distributions", "do not use", reason, advice, measured), values)
        return
    reason = "the log-probabilities of the true tokens in token_log_probs are those of token_nll"
    yield Finding(Verdict("distributions", "fine", reason, "", measured), values)


def decoder_findings(
    trial: Trial,
    rows: Sequence[NDArray[np.int64]],
    context: Sequence[NDArray[np.bool_]],
    orders: xr.DataArray,
    device: torch.device,
) -> Iterator[Finding]:
    """Say how far decoders and the order-marginal value are from the any-order value.

    The order-marginal value is bounded by the orders that were run: on average it is farther away.

    Parameters
    ----------
    trial : Trial
    rows, context : sequence of arrays
        The sequences that were scored, and what was given of them.
    orders : DataArray, (sequence, order)
        Their negative log-likelihoods in random orders, in nats.
    device : torch.device
    """
    model = trial.model
    if not gives_distributions(model) or needs_context(model):
        return
    any_order = orders.mean("order").values
    error = float(np.sqrt((orders.var("order", ddof=1) / orders.sizes["order"]).sum())) / len(rows)
    marginal = np.log(orders.sizes["order"]) - np.logaddexp.reduce(
        -orders.transpose("sequence", "order").values, axis=1
    )
    values = {"order_marginal_difference": float((marginal - any_order).mean())}
    for rule, name in RULES.items():
        try:
            result = sampler_nll(model, rows, rule, context=context, device=device)
        except InfodisError as failure:
            yield Finding(Verdict("decoders", "caution", f"the decoder {rule} fails: {failure}"))
            return
        values[name] = float((result["nll"].values - any_order).mean())
    tokens = sum(int((~given).sum()) for given in context)
    differences = ", ".join(f"{rule} {values[name]:+.2g}" for rule, name in RULES.items())
    bound = f"order-marginal {values['order_marginal_difference']:+.2g} or less"
    measured = f"{differences}, {bound}, nats (standard error {error:.2g})"
    reason = (
        "NLL of decoders, and that of random orders (bracket_nll), minus the any-order value, on average over "
        f"{len(rows)} sequences of {tokens / len(rows):.3g} tokens: which likelihood is meant matters that much"
    )
    yield Finding(Verdict("decoders", "fine", reason, "", measured), values)
