"""Names of estimators: ``"time-free+antithetic"`` is a mask map and a design; what is neither has a name of its own."""

import difflib
import re
from dataclasses import replace

from estimators.auto import Auto
from estimators.designs import IID, Antithetic, Design, LatinHypercube, Sobol, Stratified
from estimators.errors import InputError
from estimators.estimator import Estimator
from estimators.masked.chains import BlockChain, Chain
from estimators.masked.exhaustive import Exhaustive
from estimators.masked.mask_maps import MaskMap, RootCount, TimeFree, TimeIntegral, UniformCount
from estimators.masked.points import PointEstimator
from estimators.masked.published import (
    InfodisCount,
    PublishedD1,
    PublishedDiffuCoder,
    PublishedDream,
    PublishedLLaDA,
    PublishedRADD,
)
from estimators.masked.regression import Regression
from estimators.masked.systematic import SystematicCount
from estimators.masked.triangular import Triangular
from estimators.masked.without_replacement import WithoutReplacement

__all__ = ["estimator", "estimator_names"]

MASK_MAPS: dict[str, MaskMap] = {one.name: one for one in (TimeIntegral(), TimeFree(), UniformCount(), RootCount())}
DESIGNS: dict[str, Design] = {one.name: one for one in (Antithetic(), Stratified(), LatinHypercube(), Sobol())}
OTHERS: dict[str, Estimator] = {
    one.name: one
    for one in (
        SystematicCount(),
        Chain(),
        Chain(antithetic=True),
        BlockChain(),
        BlockChain(antithetic=True),
        Triangular(),
        Triangular(LatinHypercube()),
        WithoutReplacement(),
        Regression(),
        Exhaustive(),
        PointEstimator(InfodisCount()),
        PointEstimator(InfodisCount(mean=True)),
        PublishedDream(),
        PublishedRADD(),
        PublishedLLaDA(),
        PublishedDiffuCoder(),
        PublishedD1(),
    )
}


def _catalogue() -> dict[str, Estimator]:
    points = (PointEstimator(one, design) for one in MASK_MAPS.values() for design in (IID(), *DESIGNS.values()))
    return {Auto.name: Auto()} | {one.name: one for one in points} | OTHERS


def estimator_names() -> list[str]:
    """Return the names of all estimators."""
    return list(_catalogue())


def estimator(name: str) -> Estimator:
    """Return the estimator of a name.

    Parameters
    ----------
    name : str
        A mask map (``time-integral``, ``time-free``, ``uniform-count``, ``root-count``), with independent points, or
        with a design after it: ``+antithetic``, ``+stratified``, ``+latin-hypercube``, ``+sobol``;
        ``time-integral(eps=0.001)`` cuts the integral. Or one of the others: ``auto``, ``systematic``, ``chain``,
        ``chain+antithetic``, ``block-chain``, ``triangular``, ``without-replacement``, ``regression``, ``exhaustive``,
        and what public implementations compute, ``published-llada`` and the like; `estimator_names` lists them all.

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
    catalogue = _catalogue()
    cut = re.fullmatch(r"(?P<base>[^(+]+)\(eps=(?P<eps>[^)]*)\)(?P<design>\+.+)?", name)
    plain = cut["base"] + (cut["design"] or "") if cut else name
    if plain not in catalogue:
        near = difflib.get_close_matches(name, catalogue, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(catalogue)}"
        raise InputError(f"there is no estimator {name!r}; {hint}")
    found = catalogue[plain]
    if cut is None:
        return found
    if not isinstance(found, PointEstimator) or cut["base"] != "time-integral":
        raise InputError(f"estimator {name!r}: {cut['base']} has no eps, only time-integral has")
    try:
        eps = float(cut["eps"])
    except ValueError as error:
        raise InputError(f"estimator {name!r} needs a number for eps, got {cut['eps']!r}") from error
    return replace(found, mask_map=TimeIntegral(eps))
