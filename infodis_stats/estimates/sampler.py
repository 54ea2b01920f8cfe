"""Likelihoods of deterministic decoders and of fixed orders: exact, without noise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from estimators import DistributionModel, Model, ModelError, Target, make_targets
from estimators.evaluate import Progress
from estimators.masked.decoding.decoder import Decoder
from estimators.masked.decoding.replay import Replay, replay
from estimators.target import Context, Tokens
from infodis_stats.estimates.settings import Device, Execution, rows_per_call
from infodis_stats.laws import Law
from infodis_stats.results.labels import Variable, describe
from infodis_stats.results.provenance import model_attributes, stated_conventions
from infodis_stats.results.validity import CAUTIONS, Caution, caution_variable

__all__ = ["sampler_nll"]

ROUNDING = 1e-5  # nats by which a float32 network's scores differ between batches
ROUNDING_OF_LAWS, ROUNDING_IN_HALF = 1e-9, 0.05
HALF = ("bfloat16", "float16")

FORWARD_PASSES = Variable("1", "forward passes of the decoder")


def sampler_nll(
    model: Model | DistributionModel,
    tokens: Tokens,
    rule: str | ArrayLike = "confidence",
    *,
    tokens_per_step: int = 1,
    block: int | None = None,
    context: Context = None,
    names: Sequence[str] | None = None,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Compute ``-log p(scored tokens | context)`` of a deterministic decoder: the exact likelihood of what it writes.

    A decoder that chooses positions by what is revealed, and draws their tokens from the model's distributions, has one
    likelihood: the rule is replayed on the true tokens, and each adds its log-probability at the step that reveals it.
    That takes one forward pass a step and has no noise. It is another quantity than the any-order value of
    `estimate_nll`; under a law, they agree at one token per step.

    Parameters
    ----------
    model : DistributionModel or ConditionalModel
        A law, a network, or anything with ``token_log_probs``; for a fixed order ``token_nll`` is enough.
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    rule : str or array of int, default "confidence"
        What is revealed first: ``confidence``, the largest probability of the distribution at a position;
        ``entropy``, the smallest entropy; ``margin``, the largest difference of the two largest probabilities;
        ``left-to-right`` or ``right-to-left``; or an order, a permutation of the positions of a sequence.
    tokens_per_step : int, default 1
        Positions that a step reveals, given what the steps before have revealed.
    block : int, optional
        Positions of a block: blocks are decoded from left to right, the first begins at the first scored position.
        Default: the blocks of a block-diffusion model, which must not have others; else everything is one block.
    context : int, array of bool, sequence of arrays of bool, or None
        The first ``context`` tokens are given, or the positions marked True.
    names : sequence of str, optional
        Distinct names of the sequences.
    batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        ``nll (sequence)`` in nats, ``length`` and ``forward_passes (sequence)``. Of rules that look at the model also
        ``closest_choice (sequence)``, how far the closest choice is from another one, in nats or for ``margin`` as a
        probability; the choice stays the same while scores change by less than half of that. ``cautions (sequence,
        caution)`` has ``close-choice`` where rounding may exceed that. The attribute ``estimand`` is the name of the
        decoder, such as ``sampler(entropy, tokens_per_step=4, block=16)``. If the model fails on some sequences, the
        others finish: ``failed (sequence)`` gives the reason, and ``nll`` is NaN.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, the model gives no distributions where the rule needs them, or it fails on every
        sequence.

    See Also
    --------
    estimate_nll : the any-order value.

    Notes
    -----
    Scores within 1e-4 of the one that decides count as equal, and of equal ones the lowest positions are revealed, so
    that rounding does not choose between positions that the model does not distinguish.

    ``confidence``, ``entropy`` and ``margin`` are the rules ``maskgit_plus``, ``entropy`` and ``topk_margin`` of
    Dream's decoder, and with ``block`` the first is LLaDA's low-confidence remasking at temperature 0. Published
    decoders may look at the token that they have just drawn: at temperature 0 that is the likeliest one, so the choice
    is as here, but the text is then deterministic as well. The likelihood here is that of drawing at temperature 1 at
    positions that are chosen without looking at what is drawn. LLaDA's steps reveal equal numbers of positions if their
    number divides the block, Dream's if their number is the length; otherwise their schedules are others.

    References
    ----------
    DUEL, arXiv 2603.01367: exact likelihoods of decoders that choose positions deterministically.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> tokens = law.sample(2, length=8, seed=1)
    >>> result = ids.sampler_nll(law, tokens, "entropy")
    >>> bool(abs(result["nll"] - law.nll(tokens)).max() < 1e-12), result.estimand
    (True, 'sampler(entropy)')
    """
    decoder = Decoder(cast("str | tuple[int, ...]", rule), tokens_per_step, block)  # which checks the rule
    execution = Execution(batch_size, device, progress)
    targets = make_targets(tokens, context, names)
    replays = replay(
        model,
        decoder,
        targets,
        batch_size=rows_per_call(model, execution.batch_size),
        device=execution.device,
        progress=execution.callback,
    )
    if all(done.problem for done in replays):
        raise ModelError(f"{targets[0].label}, {replays[0].problem}")
    return _dataset(model, decoder.settled(model), targets, replays, names)


def _dataset(
    model: object, decoder: Decoder, targets: Sequence[Target], replays: Sequence[Replay], names: Sequence[str] | None
) -> xr.Dataset:
    passes = [done.forward_passes for done in replays]
    columns: dict[str, Any] = {
        "nll": [done.nll for done in replays],
        "length": [target.length for target in targets],
        "forward_passes": passes,
    }
    variables = {"forward_passes": FORWARD_PASSES}
    held: list[list[Caution]] = [[] for _ in replays]
    if decoder.looks:
        closest = [np.nan if done.problem else done.closest_choice for done in replays]
        rounding = _rounding(model)
        columns["closest_choice"] = closest
        units = "1" if decoder.rule == "margin" else "nat"
        variables["closest_choice"] = Variable(units, "how far the closest choice of a position is from another one")
        held = [[CAUTIONS["close-choice"]] if distance < 2 * rounding else [] for distance in closest]
    if any(done.problem for done in replays):
        columns["failed"] = [done.problem or "" for done in replays]
    dataset = describe(
        xr.Dataset(
            {name: ("sequence", values) for name, values in columns.items()},
            coords={"sequence": list(names or range(len(targets)))},
        ),
        variables,
    )
    dataset["cautions"] = caution_variable(["sequence"], held, [len(held)])
    rule = {"rule": decoder.rule} if isinstance(decoder.rule, str) else {"order": json.dumps(decoder.rule)}
    dataset.attrs = {
        "estimand": decoder.name,
        **rule,
        "tokens_per_step": decoder.tokens_per_step,
        **({} if decoder.block is None else {"block": decoder.block}),
        "forward_passes": sum(passes),
        **model_attributes(model),
    }
    return dataset


def _rounding(model: object) -> float:
    """Return by how much rounding may change a score."""
    if isinstance(model, Law):
        return ROUNDING_OF_LAWS
    stated = stated_conventions(model)
    return ROUNDING_IN_HALF if {stated.get("dtype"), stated.get("autocast")} & set(HALF) else ROUNDING
