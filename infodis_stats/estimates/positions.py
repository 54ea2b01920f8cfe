"""Loss maps: what each token of a text costs, with confidence intervals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Cell, Estimator, Evaluation, make_targets
from estimators.evaluate import Progress
from estimators.masked.plan import mask_plan
from estimators.model import in_blocks
from infodis_stats.analysis import centred
from infodis_stats.estimates.settings import Device, Execution, SamplingPlan, named_estimator
from infodis_stats.io.records import Text, as_record
from infodis_stats.models import TextModel, check_text_model, conditioned
from infodis_stats.results.labels import Variable, describe, replicates_dataset
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable, cautions_of, effective_positions

__all__ = ["estimate_positions", "position_nll"]


def position_nll(evaluation: Evaluation) -> NDArray[np.float64]:
    """Return the contribution of each position to the negative log-likelihood, by replicate.

    Parameters
    ----------
    evaluation : Evaluation
        At least 2 replicates of an unbiased estimator.

    Returns
    -------
    array of float64, shape (replicates, length)
        Nats. Position ``i`` of replicate ``r`` is ``sum_k W[k, i] (c(i, S_k) - b_i) + b_i``, where ``b_i`` is the
        weighted mean loss at ``i`` over the other replicates. Since ``E[sum_k W[k, i]] = 1`` and ``b_i`` is independent
        of the replicate's masks, this is unbiased: it corrects for how often the position happens to be masked.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> (target,) = ids.make_targets(law.sample(1, length=6, seed=1))
    >>> plan = ids.estimator("uniform-count").plan(6, passes=8, replicates=4, rng=np.random.default_rng(0))
    >>> (evaluation,) = ids.evaluate(law, [ids.Job(target, plan)])
    >>> position_nll(evaluation).shape
    (4, 6)
    """
    weights, losses = mask_plan(evaluation.plan, "loss maps").weights, evaluation.losses
    weight, loss = weights.sum(axis=1), (weights * losses).sum(axis=1)
    return centred(loss, weight)


def estimate_positions(
    model: TextModel,
    record: Text,
    estimator: str | Estimator = "uniform-count+stratified",
    *,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate each token's contribution to ``-log p(response | prompt)``, with a confidence interval.

    Parameters
    ----------
    model : TextModel
        As returned by `load_model`.
    record : Record, str, tuple (prompt, response), or dict
        Prompt and response must fit into the model.
    estimator, passes, replicates, seed, level, batch_size, device, progress
        As in `estimate_nll`; at least 2 replicates.

    Returns
    -------
    xarray.Dataset
        ``nll``, ``nll_se (position)``, ``nll_ci (position, ci_bound)``, ``nll_replicate (position, replicate)`` in
        nats: the mean of ``-log p(token | those revealed before it)`` over random orders. They add up to the response's
        negative log-likelihood. ``token (position)`` is the text of each.

    Raises
    ------
    InputError, ModelError
        If the record does not fit, or an argument is wrong; the message names the record.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: the terms of
    Equation 15, position by position.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> record = ids.Record("opening", "It is a truth ", "universally acknowledged")
    >>> tokens = ids.estimate_positions(ids.load_model("austen"), record, passes=4, replicates=4)
    >>> "".join(tokens["token"].values.tolist())
    'universally acknowledged'
    """
    record = as_record(record)
    sampler = named_estimator(estimator)
    plan = SamplingPlan(passes, replicates, seed, fewest_replicates=2)
    check_text_model(model, type(model).__name__)
    tokens, given = conditioned(model, record.name, record.prompt, record.response, record.suffix)
    (target,) = make_targets([tokens], [given])
    cell = Cell(sampler, target, plan.passes, plan.replicates)
    (drawn,) = Execution(batch_size, device, progress).draw(model, [cell], plan.seed)
    dataset = replicates_dataset(
        "nll", position_nll(drawn.evaluations[0]).T, labels=("position", target.scored.tolist()), level=level
    )
    dataset["token"] = ("position", [model.decode(target.tokens[[position]]) for position in target.scored])
    dataset = describe(dataset, {"token": Variable("1", "text of the token")})
    effective = effective_positions(drawn.evaluations[0].position_losses)
    dataset["cautions"] = caution_variable([], [cautions_of(sampler, plan.replicates, effective)], [])
    dataset.attrs = provenance_attributes(
        model, cell, [in_blocks(target, model)], seed=seed, level=level, forward_passes=drawn.forward_passes
    )
    return dataset
