"""Names of score-entropy estimators: ``score-entropy(uniform,polynomial,power=3,pilot=64)``."""

from dataclasses import fields, replace
from typing import Any

from estimators.errors import InputError
from estimators.noise.process import Absorbing, Noise, Uniform
from estimators.noise.schedule import Geometric, LogLinear, Polynomial, Schedule
from estimators.score_entropy.estimator import ScoreEntropy

__all__ = ["KINDS", "catalogue", "score_entropy_named"]

KINDS = {"score-entropy": False, "marginal-score-entropy": True}
NOISES: dict[str, Noise] = {one.name: one for one in (Absorbing(), Uniform())}
SCHEDULES: dict[str, type[LogLinear | Polynomial | Geometric]] = {
    "log-linear": LogLinear,
    "polynomial": Polynomial,
    "geometric": Geometric,
}
OWN = {"end": float, "pilot": int}


def catalogue() -> list[ScoreEntropy]:
    """Return the estimators that have a name of their own, without a design."""
    schedules: tuple[Schedule, ...] = (LogLinear(), Polynomial())
    plain = [ScoreEntropy(noise, schedule) for noise in NOISES.values() for schedule in schedules]
    return [*plain, *(ScoreEntropy(Uniform(), schedule, marginal=True) for schedule in schedules)]


def score_entropy_named(kind: str, words: list[str]) -> ScoreEntropy:
    """Return the estimator for the words in its parentheses: a noise, and as wanted a schedule and parameters.

    Raises
    ------
    InputError
        If a word is not known, or a value is none.

    Examples
    --------
    >>> score_entropy_named("score-entropy", ["uniform", "polynomial", "power=3"]).name
    'score-entropy(uniform,polynomial,power=3)'
    """
    bare = [word for word in words if "=" not in word]
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    noises, clocks = [word for word in bare if word in NOISES], [word for word in bare if word in SCHEDULES]
    unknown = [word for word in bare if word not in NOISES and word not in SCHEDULES]
    if unknown or len(noises) != 1 or len(clocks) > 1:
        wrong = f"; {unknown[0]!r} is neither" if unknown else ""
        raise InputError(
            f"{kind} needs one noise ({', '.join(NOISES)}) and at most one schedule ({', '.join(SCHEDULES)}){wrong}"
        )
    clock = SCHEDULES[clocks[0] if clocks else "log-linear"]
    parameters = [field.name for field in fields(clock)]
    schedule, own = {}, {}
    for key, value in pairs.items():
        if key in OWN:
            own[key] = _number(kind, key, value, OWN[key])
        elif key in parameters:
            schedule[key] = _number(kind, key, value, float)
        else:
            known = ", ".join([*parameters, *OWN])
            raise InputError(f"{kind} with this schedule has no {key!r}; it has {known}")
    return replace(ScoreEntropy(NOISES[noises[0]], clock(**schedule), marginal=KINDS[kind]), **own)


def _number(kind: str, key: str, value: str, type_of: Any) -> Any:
    try:
        return type_of(value)
    except ValueError as error:
        raise InputError(f"{kind} needs a number for {key}, got {value!r}") from error
