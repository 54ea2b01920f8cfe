"""Names of estimators: ``"time-free+antithetic"`` is a mask map and a design."""

import difflib
import re

from estimators.designs import IID, Antithetic, Design, Stratified
from estimators.errors import InputError
from estimators.estimator import Estimator, PointEstimator
from estimators.exhaustive import Exhaustive
from estimators.mask_maps import TimeFree, TimeIntegral, UniformCount
from estimators.regression import Regression

__all__ = ["estimator", "estimator_names"]

MASK_MAPS = {"time-integral": TimeIntegral, "time-free": TimeFree, "uniform-count": UniformCount}
DESIGNS: dict[str, Design] = {design.name: design for design in (Antithetic(), Stratified())}
OTHERS: dict[str, Estimator] = {one.name: one for one in (Regression(), Exhaustive())}

_NAME = re.compile(r"(?P<base>[^(+]+)(?:\(eps=(?P<eps>[^)]*)\))?(?:\+(?P<design>.+))?")


def estimator_names() -> list[str]:
    """Return the names of all estimators."""
    return [name + design for name in MASK_MAPS for design in ("", *(f"+{design}" for design in DESIGNS))] + list(
        OTHERS
    )


def estimator(name: str) -> Estimator:
    """Return the estimator of a name.

    Parameters
    ----------
    name : str
        A mask map (``time-integral``, ``time-free``, ``uniform-count``), with independent points, or with
        ``+antithetic`` or ``+stratified`` after it; ``time-integral(eps=0.001)`` cuts the integral; ``regression``; or
        ``exhaustive``.

    Raises
    ------
    InputError
        If there is no such estimator; names the nearest ones.

    Examples
    --------
    >>> estimator("time-free+antithetic")
    PointEstimator(mask_map=TimeFree(), design=Antithetic())
    >>> estimator("time-integral(eps=0.001)").name
    'time-integral(eps=0.001)'
    """
    if name in OTHERS:
        return OTHERS[name]
    match = _NAME.fullmatch(name)
    base, eps, design = match.group("base", "eps", "design") if match else (None, None, None)
    if base not in MASK_MAPS or (design is not None and design not in DESIGNS):
        near = difflib.get_close_matches(name, estimator_names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(estimator_names())}"
        raise InputError(f"there is no estimator {name!r}; {hint}")
    if eps is None:
        mask_map = MASK_MAPS[base]()
    elif base == "time-integral":
        try:
            mask_map = TimeIntegral(float(eps))
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"estimator {name!r} needs a number for eps, got {eps!r}") from error
    else:
        raise InputError(f"estimator {name!r}: {base} has no eps, only time-integral has")
    return PointEstimator(mask_map, DESIGNS[design] if design else IID())
