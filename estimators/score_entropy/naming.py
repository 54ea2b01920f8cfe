"""Names of score-entropy estimators: ``score-entropy(uniform,polynomial,power=3,pilot=64)``."""

import re
from dataclasses import fields, replace
from typing import Any

from estimators.errors import InputError
from estimators.names import Name, number
from estimators.noise.mixed import Mixed
from estimators.noise.process import Absorbing, Noise, Uniform
from estimators.noise.schedule import Geometric, LogLinear, Polynomial, Schedule
from estimators.score_entropy.estimator import ScoreEntropy

__all__ = ["KINDS", "catalogue", "score_entropy_named"]

KINDS = {"score-entropy": False, "marginal-score-entropy": True}
NOISES: dict[str, Noise] = {noise.name: noise for noise in (Absorbing(), Uniform())}
SCHEDULES: dict[str, type[LogLinear | Polynomial | Geometric]] = {
    "log-linear": LogLinear,
    "polynomial": Polynomial,
    "geometric": Geometric,
}
OPTIONS: dict[str, Any] = {"end": float, "pilot": int}  # of the estimator, not of its schedule


def catalogue() -> list[ScoreEntropy]:
    """Return the estimators that `estimator_names` lists, without their designs."""
    schedules: tuple[Schedule, ...] = (LogLinear(), Polynomial())
    plain = [ScoreEntropy(noise, schedule) for noise in NOISES.values() for schedule in schedules]
    return [*plain, *(ScoreEntropy(Uniform(), schedule, marginal=True) for schedule in schedules)]


def score_entropy_named(name: Name) -> ScoreEntropy:
    """Return the score entropy of a name, without its design: a noise, and if given a schedule and parameters.

    Raises
    ------
    InputError
        If an argument is not known, or its value is not a number.

    Examples
    --------
    >>> score_entropy_named(Name("score-entropy", ("uniform", "polynomial"), {"power": "3"})).name
    'score-entropy(uniform,polynomial,power=3)'
    """
    noises = [noise for word in name.words if (noise := _noise(word)) is not None]
    schedules = [word for word in name.words if word in SCHEDULES]
    unknown = [word for word in name.words if word not in SCHEDULES and _noise(word) is None]
    if unknown or len(noises) != 1 or len(schedules) > 1:
        wrong = f"; {unknown[0]!r} is neither" if unknown else ""
        raise InputError(
            f"{name.kind} needs one noise ({', '.join(NOISES)}, mixed-SHARE) and at most one schedule "
            f"({', '.join(SCHEDULES)}){wrong}"
        )
    schedule = SCHEDULES[schedules[0] if schedules else LogLinear().name]
    parameters = [parameter.name for parameter in fields(schedule)]
    of_schedule, of_estimator = {}, {}
    for key, value in name.values.items():
        if key in OPTIONS:
            of_estimator[key] = number(name.kind, key, value, OPTIONS[key])
        elif key in parameters:
            of_schedule[key] = number(name.kind, key, value, float)
        else:
            known = ", ".join([*parameters, *OPTIONS])
            raise InputError(f"{name.kind} with this schedule has no {key!r}; it has {known}")
    plain = ScoreEntropy(noises[0], schedule(**of_schedule), marginal=KINDS[name.kind])
    return replace(plain, **of_estimator)


def _noise(word: str) -> Noise | None:
    """Return the noise of a name, such as ``"uniform"`` or ``"mixed-0.2"``; None if it is not one."""
    share = re.fullmatch(r"mixed-(\d+(?:\.\d+)?(?:e-\d+)?)", word)
    return NOISES.get(word) if share is None else Mixed(float(share[1]))
