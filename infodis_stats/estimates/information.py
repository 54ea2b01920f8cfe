"""Mutual information of a law's sequences and their noised versions: exactly, and from score entropies."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.special import entr

from estimators import (
    Cell,
    Draw,
    Estimator,
    InputError,
    Noise,
    Polynomial,
    ScoreEntropy,
    Stratified,
    make_targets,
)
from estimators.arguments import check_count
from estimators.evaluate import Progress
from estimators.streams import root_seed
from infodis_stats.analysis import student_t, variance
from infodis_stats.analysis.replicates import check_level
from infodis_stats.estimates.settings import Device, Execution, named_estimator
from infodis_stats.laws import Law
from infodis_stats.results.labels import CI_BOUND, Variable, describe
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable, cautions_of

__all__ = ["INFORMATION_VARIABLES", "Curve", "entropy_of", "estimate_information", "exact_information", "plan_curve"]

INFORMATION_VARIABLES = {
    "information": Variable("nat", "mutual information of the clean sequence and the noised one"),
    "information_se": Variable("nat", "standard error of the mutual information"),
    "information_ci": Variable("nat", "confidence band of the mutual information"),
}

MOST_NOISED = 2**20  # noised strings that can be enumerated


def exact_information(law: Law, noise: Noise, total_noise: ArrayLike, length: int | None = None) -> NDArray[np.float64]:
    """Return the mutual information ``I(x_0; x_t)`` of a law's sequences and the noised ones, by enumeration.

    Parameters
    ----------
    law : Law
    noise : Noise
    total_noise : array_like, shape (amount,)
        Amounts of noise: from 0, where ``x_t`` is ``x_0``, to infinity, where they are independent.
    length : int, optional
        Tokens of a sequence; required unless the law has a fixed length.

    Returns
    -------
    array of float64, shape (amount,)
        Nats: ``H(x_t) - H(x_t | x_0)``.

    Raises
    ------
    InputError
        If there are more than 2**20 noised strings, or an argument is not as above.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> exact_information(law, ids.Uniform(), [0.0, 0.5, 2.0], length=4).round(3)
    array([4.956, 1.697, 0.098])
    """
    _check_law_and_noise(law, noise)
    try:
        amounts = np.asarray(total_noise, dtype=np.float64)
    except (TypeError, ValueError):
        amounts = np.array(np.nan)
    if amounts.ndim != 1 or not (amounts >= 0).all():
        raise InputError(f"total_noise must be numbers of at least 0 in one dimension, got {reprlib.repr(total_noise)}")
    size, states = law.vocabulary_size, noise.states(law.vocabulary_size)
    if length is not None:
        check_count("length", length)
    length = law.length if length is None else length
    if length is not None and states**length > MOST_NOISED:
        raise InputError(
            f"{noise.name} noise has {states}^{length} strings of length {length}, more than the {MOST_NOISED} that "
            "can be enumerated; estimate_information needs no enumeration"
        )
    joint = law.joint(length)
    counts = sum(joint.sum(axis=tuple(np.delete(np.arange(joint.ndim), axis))) for axis in range(joint.ndim))
    information = np.zeros(len(amounts))
    for index in np.flatnonzero(np.isfinite(amounts)):  # infinite noise leaves no information
        kernel = noise.kernel(torch.tensor([amounts[index]]), size)[0].numpy()
        noised = joint.ravel()
        for _ in range(joint.ndim):  # noise the first axis, and make it the last
            noised = (kernel @ noised.reshape(size, -1)).T.ravel()
        information[index] = entr(noised).sum() - entr(kernel).sum(axis=0) @ counts
    return information


def estimate_information(
    law: Law,
    noise: Noise,
    *,
    length: int | None = None,
    estimator: str | Estimator | None = None,
    sequences: int = 256,
    passes: int = 16,
    levels: int = 33,
    seed: int = 0,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``I(x_0; x_t)`` for every amount of noise at once, with a simultaneous band.

    ``I(x_0; x_t) = E int_t^inf l_DSE``: the score entropy of all later noise, averaged over sequences of the law and
    over their noise (I-MDSE). One estimate of a likelihood gives it for every ``t``: the sum of the terms of the passes
    with more noise. Without noise it is the entropy of the law.

    Parameters
    ----------
    law : Law
        The sequences are drawn from it, and it gives the scores.
    noise : Noise
    length : int, optional
        Tokens of a sequence; required unless the law has a fixed length.
    estimator : str or Estimator, optional
        A score entropy of this noise, unbiased. None: ``marginal-score-entropy(...,polynomial)+stratified`` where the
        noise joins all states, else ``score-entropy(...,polynomial)+stratified``.
    sequences : int, default 256
        Independent draws of the law. They are the replicates: their spread includes that of the noise.
    passes : int, default 16
        Forward passes for each sequence.
    levels : int, default 33
        Points of the grid of ``1 - exp(-total noise)``, from 0 to 1.
    seed : int, default 0
    level : float, default 0.95
        Confidence level.
    batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        ``information``, ``information_se (noise_level)`` and ``information_ci (noise_level, ci_bound)`` in nats, and
        ``exact (noise_level)`` where there are at most 2**20 noised strings. The band holds for all points at once
        (Bonferroni, valid under any dependence). The attribute ``entropy`` is that of the law where it is known; the
        others are the provenance.

    Raises
    ------
    InputError
        If an argument is wrong.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: the integral of
    the score entropy (I-MDSE, Theorem 3.2).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> curve = estimate_information(law, ids.Uniform(), length=4, levels=3)
    >>> curve["information"].values.round(2), curve["exact"].values.round(2)
    (array([5.05, 1.21, 0.  ]), array([4.96, 1.18, 0.  ]))
    """
    check_level(level)
    curve = plan_curve(
        law, noise, length=length, estimator=estimator, sequences=sequences, passes=passes, levels=levels, seed=seed
    )
    drawn = Execution(batch_size, device, progress).draw(law, curve.cells, curve.seed)
    kept = [(curve.later(draw), draw.forward_passes) for draw in drawn]
    later, forward_passes = zip(*kept, strict=True)
    dataset = curve.labelled(np.stack(later, axis=-1), level)
    size = len(curve.cells[0].item.sides[0].tokens)
    cautions = cautions_of(curve.sampler, sequences, passes=sequences * passes)
    dataset["cautions"] = caution_variable([], [cautions], [])
    dataset.attrs = provenance_attributes(
        law,
        curve.cells[0],
        [curve.cells[0].item],
        seed=seed,
        level=level,
        forward_passes=sum(forward_passes),
        estimand="mutual-information",
    ) | {
        "noise": noise.name,
        "length": size,
        "sequences": sequences,
        "ci_kind": "student-t over sequences, simultaneous over amounts of noise (Bonferroni)",
    }
    return dataset.assign_attrs(entropy_of(law, size))


@dataclass(frozen=True, eq=False)
class Curve:
    """The plan of a curve of information against noise.

    Attributes
    ----------
    law : Law
    noise : Noise
    sampler : Estimator
    cells : list of Cell
        One per sequence, each of one replicate.
    seed : SeedSequence
        Of the cells.
    grid : array of float64, shape (point,)
        ``1 - exp(-total noise)``.
    """

    law: Law
    noise: Noise
    sampler: Estimator
    cells: list[Cell]
    seed: np.random.SeedSequence
    grid: NDArray[np.float64]

    def later(self, draw: Draw) -> NDArray[np.float64]:
        """Return the sum of the terms with more noise than each point, for a draw of one replicate."""
        (evaluation,) = draw.evaluations
        terms = (evaluation.plan.weights[0] * evaluation.losses[0]).sum(axis=-1)
        later: NDArray[np.float64] = (evaluation.plan.hidden_fractions[0] > self.grid[:, None]) @ terms
        return later

    def labelled(self, later: NDArray[np.float64], level: float) -> xr.Dataset:
        """Average and label values of `later` (point, sequence), with the exact curve where it can be enumerated."""
        sequences, points = len(self.cells), len(self.grid)
        band = student_t(later, 1 - (1 - level) / (points - 1))  # the last point is 0 without error
        variables = {
            "information": ("noise_level", later.mean(axis=-1)),
            "information_se": ("noise_level", np.sqrt(variance(later) / sequences)),
            "information_ci": (("noise_level", CI_BOUND[0]), np.stack([band.lower, band.upper], axis=-1)),
        }
        size = len(self.cells[0].item.sides[0].tokens)
        if self.noise.states(self.law.vocabulary_size) ** size <= MOST_NOISED:
            with np.errstate(divide="ignore"):
                exact = exact_information(self.law, self.noise, -np.log1p(-self.grid), size)
            variables["exact"] = ("noise_level", exact)
        curve = xr.Dataset(variables, coords={"noise_level": self.grid, CI_BOUND[0]: CI_BOUND[1]})
        return describe(curve, INFORMATION_VARIABLES)


def plan_curve(
    law: Law,
    noise: Noise,
    *,
    length: int | None = None,
    estimator: str | Estimator | None = None,
    sequences: int = 256,
    passes: int = 16,
    levels: int = 33,
    seed: int = 0,
) -> Curve:
    """Draw the sequences of a curve and plan their cells; arguments as in `estimate_information`."""
    _check_law_and_noise(law, noise)
    sampler = _score_entropy(noise, estimator)
    check_count("levels", levels, least=2)
    check_count("sequences", sequences, least=2)
    check_count("passes", passes)
    sequence_seed, draw_seed = root_seed(seed).spawn(2)
    tokens = law.sample(sequences, length, sequence_seed)
    # Named by number: a sequence that is drawn twice gets independent noise each time.
    targets = make_targets(tokens, names=[str(index) for index in range(sequences)])
    cells = [Cell(sampler, target, passes, 1) for target in targets]
    return Curve(law, noise, sampler, cells, draw_seed, np.linspace(0.0, 1.0, levels))


def _check_law_and_noise(law: object, noise: object) -> None:
    if not isinstance(law, Law):
        raise InputError(f"information is that of an exact law, got {type(law).__name__}")
    if not isinstance(noise, Noise):
        raise InputError(f"noise must be a noise such as Uniform() or Absorbing(), got {type(noise).__name__}")


def _score_entropy(noise: Noise, estimator: str | Estimator | None) -> Estimator:
    if estimator is None:
        return ScoreEntropy(noise, Polynomial(), Stratified(), marginal=noise.joins_all)
    sampler = named_estimator(estimator)
    if sampler.family != "noised" or sampler.noise != noise:
        raise InputError(f"information under {noise.name} noise needs a score entropy of it, not {sampler.name}")
    if not sampler.unbiased:
        raise InputError(
            f"{sampler.name} stops before the noise is complete, so it underestimates the information; leave out end="
        )
    return sampler


def entropy_of(law: Law, length: int) -> dict[str, float]:
    """Return the ``entropy`` of a law's sequences; empty where it cannot be computed."""
    try:
        return {"entropy": law.entropy(length)}
    except InputError:
        return {}  # too many sequences to enumerate
