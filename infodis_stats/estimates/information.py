"""Mutual information of a law's sequences and what noise leaves of them: exactly, and from score entropies."""

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
    draw,
    make_targets,
)
from estimators.evaluate import Progress
from infodis_stats.analysis import student_t, variance
from infodis_stats.estimates.origin import what_made_it
from infodis_stats.estimates.request import check_replicates, named_estimator, rows_a_call
from infodis_stats.laws import Law
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.validity import cautions_of

__all__ = ["Curve", "entropy_of", "estimate_information", "exact_information", "plan_curve"]

MOST_NOISED = 2**20  # noised strings that are enumerated


def exact_information(law: Law, noise: Noise, total_noise: ArrayLike, length: int | None = None) -> NDArray[np.float64]:
    """Return the mutual information ``I(x_0; x_t)`` of a law's sequences and the noised ones, by enumeration.

    Parameters
    ----------
    law : Law
    noise : Noise
    total_noise : array_like, shape (level,)
        How much noise there is: 0, where ``x_t`` is ``x_0``, to infinity, where it knows nothing of it.
    length : int, optional
        Tokens of a sequence; needed unless the law has a length of its own.

    Returns
    -------
    array of float64, shape (level,)
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
    amounts = np.asarray(total_noise, dtype=np.float64)
    if amounts.ndim != 1 or not (amounts >= 0).all():
        raise InputError(f"total noise needs numbers of at least 0 in one dimension, got {amounts}")
    size, states = law.vocabulary_size, noise.states(law.vocabulary_size)
    length = law.length if length is None else length
    if length is not None and states**length > MOST_NOISED:
        raise InputError(
            f"{noise.name} noise has {states}^{length} strings of length {length}, more than the {MOST_NOISED} that "
            "can be enumerated; estimate_information needs no enumeration"
        )
    joint = law.joint(length)
    counts = sum(joint.sum(axis=tuple(np.delete(np.arange(joint.ndim), place))) for place in range(joint.ndim))
    information = np.zeros(len(amounts))
    for index in np.flatnonzero(np.isfinite(amounts)):  # without end, nothing is left
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
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate ``I(x_0; x_t)`` at every level of noise at once, with a simultaneous band.

    ``I(x_0; x_t) = E int_t^inf l_DSE``: the score entropy of all later noise, averaged over sequences of the law and
    over their noise (I-MDSE). One estimate of a likelihood has it for every ``t``: the terms of the passes that have
    more noise. Where there is no noise yet, it is the entropy of the law.

    Parameters
    ----------
    law : Law
        Where sequences are drawn, and what gives the scores.
    noise : Noise
    length : int, optional
        Tokens of a sequence; needed unless the law has a length of its own.
    estimator : str or Estimator, optional
        A score entropy of this noise, unbiased. None: ``marginal-score-entropy(...,polynomial)+stratified`` where the
        noise joins all states, else ``score-entropy(...,polynomial)+stratified``.
    sequences : int, default 256
        Independent draws of the law. They are the replicates: their spread has both the sequences' and the noise's.
    passes : int, default 16
        Forward passes for each sequence.
    levels : int, default 33
        Points of the grid of noise levels ``1 - exp(-total noise)``, from 0 to 1.
    seed : int, default 0
    level : float, default 0.95
        Confidence level.
    batch_size, device, progress
        See `estimators.evaluate`; they change no number.

    Returns
    -------
    xarray.Dataset
        ``information``, ``information_se (noise_level)`` and ``information_ci (noise_level, ci_bound)`` in nats, and
        ``exact (noise_level)`` where there are at most 2**20 noised strings. The band holds for all levels at once
        (Bonferroni, which is safe however much they depend on one another). The attribute ``entropy`` is the law's
        own where it can be told; the others say what made this.

    Raises
    ------
    InputError
        One sentence: what, where, what would be right.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> found = estimate_information(law, ids.Uniform(), length=4, levels=3)
    >>> found["information"].values.round(2), found["exact"].values.round(2)
    (array([5.05, 1.21, 0.  ]), array([4.96, 1.18, 0.  ]))
    """
    curve = plan_curve(
        law, noise, length=length, estimator=estimator, sequences=sequences, passes=passes, levels=levels, seed=seed
    )
    rows = rows_a_call(law, batch_size)
    drawn = draw(law, curve.cells, curve.seed, batch_size=rows, device=device, progress=progress)
    kept = [(curve.later(one), one.forward_passes) for one in drawn]
    later, forward_passes = zip(*kept, strict=True)
    dataset = curve.labelled(np.stack(later, axis=-1), level)
    size = len(curve.cells[0].item.sides[0].tokens)
    dataset.attrs = what_made_it(
        law,
        curve.cells[0],
        [size],
        seed=seed,
        level=level,
        forward_passes=sum(forward_passes),
        cautions={
            caution.key: caution.sentence
            for caution in cautions_of(curve.sampler, sequences, passes=sequences * passes)
        },
    ) | {
        "noise": noise.name,
        "length": size,
        "sequences": sequences,
        "ci_kind": "student-t over sequences, simultaneous over levels of noise (Bonferroni)",
    }
    return dataset.assign_attrs(entropy_of(law, size))


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of information before it is drawn; see `estimate_information`.

    Attributes
    ----------
    law : Law
    noise : Noise
    sampler : Estimator
    cells : list of Cell
        A cell for each sequence, of one replicate.
    seed : SeedSequence
        Of the cells.
    grid : array of float64, shape (level,)
        Noise levels.
    """

    law: Law
    noise: Noise
    sampler: Estimator
    cells: list[Cell]
    seed: np.random.SeedSequence
    grid: NDArray[np.float64]

    def later(self, one: Draw) -> NDArray[np.float64]:
        """Return what the passes with more noise than each level contribute to the one replicate of a draw."""
        (evaluation,) = one.evaluations
        terms = (evaluation.plan.weights[0] * evaluation.losses[0]).sum(axis=-1)
        later: NDArray[np.float64] = (evaluation.plan.levels[0] > self.grid[:, None]) @ terms
        return later

    def labelled(self, later: NDArray[np.float64], level: float) -> xr.Dataset:
        """Average what `later` gave, (level, sequence), and label it; with the exact curve where it is short."""
        sequences, levels = len(self.cells), len(self.grid)
        band = student_t(later, 1 - (1 - level) / (levels - 1))  # at level 1 there is nothing to miss
        found = {
            "information": ("noise_level", later.mean(axis=-1)),
            "information_se": ("noise_level", np.sqrt(variance(later) / sequences)),
            "information_ci": (("noise_level", CI_BOUND[0]), np.stack([band.lower, band.upper], axis=-1)),
        }
        size = len(self.cells[0].item.sides[0].tokens)
        if self.noise.states(self.law.vocabulary_size) ** size <= MOST_NOISED:
            with np.errstate(divide="ignore"):
                exact = exact_information(self.law, self.noise, -np.log1p(-self.grid), size)
            found["exact"] = ("noise_level", exact)
        return describe(xr.Dataset(found, coords={"noise_level": self.grid, CI_BOUND[0]: CI_BOUND[1]}))


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
    """Draw the sequences of a curve and plan their cells; arguments as of `estimate_information`."""
    sampler = _score_entropy(noise, estimator)
    if levels < 2:
        raise InputError(f"a curve needs at least 2 levels of noise, got {levels}")
    check_replicates(sequences)
    own, noisy = np.random.SeedSequence(seed).spawn(2)
    tokens = law.sample(sequences, length, own)
    # Names, not contents: a sequence that is drawn twice has noise of its own each time.
    targets = make_targets(tokens, names=[str(index) for index in range(sequences)])
    cells = [Cell(sampler, target, passes, 1) for target in targets]
    return Curve(law, noise, sampler, cells, noisy, np.linspace(0.0, 1.0, levels))


def _score_entropy(noise: Noise, estimator: str | Estimator | None) -> Estimator:
    if estimator is None:
        return ScoreEntropy(noise, Polynomial(), Stratified(), marginal=noise.joins_all)
    sampler = named_estimator(estimator)
    if sampler.family != "noised" or sampler.noise != noise:
        raise InputError(f"information under {noise.name} noise needs a score entropy of it, not {sampler.name}")
    if not sampler.unbiased:
        raise InputError(f"{sampler.name} stops before the noise does, so it lacks some information; leave out its end")
    return sampler


def entropy_of(law: Law, length: int) -> dict[str, float]:
    """Return the ``entropy`` of a law's sequences; nothing where it cannot be told."""
    try:
        return {"entropy": law.entropy(length)}
    except InputError:
        return {}  # it takes an enumeration, which is too long
