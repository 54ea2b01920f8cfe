"""Names of estimators: ``"time-free+antithetic"`` is a mask map and a design, ``"score-entropy(uniform)"`` a noise.

Every other estimator has a name of its own.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import replace
from typing import Any

from estimators.auto import Auto
from estimators.designs import IID, Antithetic, Design, LatinHypercube, Sobol, Stratified
from estimators.errors import InputError
from estimators.estimator import Estimator, Family
from estimators.masked.chains import BlockChain, Chain
from estimators.masked.exhaustive import Exhaustive
from estimators.masked.mask_maps import MaskMap, RootCount, TimeFree, TimeIntegral, UniformCount
from estimators.masked.points import PointEstimator
from estimators.masked.published import (
    InfodisCount,
    PublishedBD3LM,
    PublishedD1,
    PublishedDiffuCoder,
    PublishedDiscreteELBO,
    PublishedDream,
    PublishedELBOKTO,
    PublishedESPO,
    PublishedGDPO,
    PublishedGIDD,
    PublishedInfodis,
    PublishedLLaDA,
    PublishedMDLM,
    PublishedMDLMDiscrete,
    PublishedParameterGolfLoss,
    PublishedPLL,
    PublishedRADD,
    PublishedSMDM,
    PublishedSPG,
)
from estimators.masked.regression import Regression
from estimators.masked.systematic import SystematicCount
from estimators.masked.triangular import Triangular
from estimators.masked.without_replacement import WithoutReplacement
from estimators.names import Name, number, parse
from estimators.score_entropy.naming import KINDS, score_entropy_named
from estimators.score_entropy.naming import catalogue as score_entropies

__all__ = ["estimator", "estimator_names"]

MASK_MAPS: dict[str, MaskMap] = {
    mask_map.name: mask_map for mask_map in (TimeIntegral(), TimeFree(), UniformCount(), RootCount())
}
DESIGNS: dict[str, Design] = {design.name: design for design in (Antithetic(), Stratified(), LatinHypercube(), Sobol())}
OTHERS: dict[str, Estimator] = {
    other.name: other
    for other in (
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
        PublishedInfodis(),
        PublishedInfodis(InfodisCount(mean=True)),
        PublishedMDLM(),
        PublishedMDLMDiscrete(),
        PublishedBD3LM(),
        PublishedRADD(),
        PublishedGIDD(),
        PublishedDiscreteELBO(),
        PublishedParameterGolfLoss(),
        PublishedLLaDA(),
        PublishedDream(),
        PublishedSMDM(),
        PublishedPLL(),
        PublishedDiffuCoder(),
        PublishedD1(),
        PublishedESPO(),
        PublishedGDPO(),
        PublishedSPG(),
        PublishedELBOKTO(),
    )
}


def _catalogue(family: Family | None = None) -> dict[str, Estimator]:
    designs = (IID(), *DESIGNS.values())
    points = (PointEstimator(mask_map, design) for mask_map in MASK_MAPS.values() for design in designs)
    noised = (replace(plain, design=design) for plain in score_entropies() for design in designs)
    families: dict[Family, dict[str, Estimator]] = {
        "masked": {Auto.kind: Auto()} | {point.name: point for point in points} | OTHERS,
        "noised": {noisy.name: noisy for noisy in noised},
    }
    return families[family] if family else families["masked"] | families["noised"]


def estimator_names(family: Family | None = None) -> list[str]:
    """Return the names of all estimators, or of those of a family: ``"masked"`` or ``"noised"``.

    Examples
    --------
    >>> len(estimator_names()), estimator_names("noised")[0]
    (80, 'score-entropy(absorbing)')
    """
    return list(_catalogue(family))


def estimator(name: str) -> Estimator:
    """Return the estimator of a name.

    Parameters
    ----------
    name : str
        A mask map (``time-integral``, ``time-free``, ``uniform-count``, ``root-count``), with independent points, or
        with a design after it: ``+antithetic``, ``+stratified``, ``+latin-hypercube``, ``+sobol``;
        ``time-integral(eps=0.001)`` cuts the integral. Or one of the others: ``auto``, which
        ``auto(pass_cost=0.005)`` tells how many seconds a pass of one sequence takes, ``systematic``, ``chain``,
        ``chain+antithetic``, ``block-chain``, ``triangular``, ``without-replacement``, ``regression``, ``exhaustive``,
        or what a public implementation computes, such as ``published-llada`` or ``published-spg(beta=1)``;
        `estimator_names` lists them all.
        From noised tokens: ``score-entropy(NOISE)`` or ``marginal-score-entropy(NOISE)``, with a noise (``absorbing``,
        ``uniform``) and, after commas, a schedule (``log-linear``, ``polynomial``, ``geometric``), its parameters,
        ``end=`` and ``pilot=``; designs as above.

    Raises
    ------
    InputError
        If there is no such estimator; the message names the nearest ones.

    Examples
    --------
    >>> estimator("time-free+antithetic")
    PointEstimator(mask_map=TimeFree(), design=Antithetic())
    >>> estimator("time-integral(eps=0.001)").name
    'time-integral(eps=0.001)'
    >>> estimator("score-entropy(uniform,geometric,largest=5)+stratified").name
    'score-entropy(uniform,geometric,largest=5)+stratified'
    """
    parsed = parse(name)
    designs = {"": IID(), IID.name: IID()} | DESIGNS
    if parsed and parsed.kind in KINDS and parsed.design in designs:
        return replace(score_entropy_named(parsed), design=designs[parsed.design])
    plain = _without_values(parsed) if parsed else None
    if parsed is None or plain is None:
        names = estimator_names()
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        kinds = dict.fromkeys(re.split("[+(]", known)[0] for known in names)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(kinds)}"
        raise InputError(f"there is no estimator {name!r}; {hint}")
    return _with_values(plain, parsed, f"estimator {name!r}") if parsed.words or parsed.values else plain


def _without_values(name: Name) -> Estimator | None:
    """Return the masked estimator of a name but for the values in its parentheses; None if there is none."""
    if name.plain == Auto.kind:
        return Auto()
    if name.kind in MASK_MAPS and name.design in ("", *DESIGNS):
        return PointEstimator(MASK_MAPS[name.kind], DESIGNS.get(name.design, IID()))
    return OTHERS.get(name.plain)


def _with_values(plain: Estimator, name: Name, where: str) -> Estimator:
    """Return an estimator with the parameters of a name instead of its own."""
    parameters = {kind: tuple(vars(mask_map)) for kind, mask_map in MASK_MAPS.items()}
    parameters |= {Auto.kind: ("pass_cost",), PublishedSPG.kind: ("beta",)}
    for key in (*name.words, *name.values):
        if key in name.words or key not in parameters.get(name.kind, ()):
            if key in name.words and key in parameters.get(name.kind, ()):
                raise InputError(f"{where}: {key} needs a value, such as {name.kind}({key}=0.001)")
            others = [kind for kind, known in parameters.items() if key in known]
            only = f", only {' and '.join(others)} has" if others else ""
            raise InputError(f"{where}: {name.kind} has no {key}{only}")
    values = {key: number(where, key, value, float) for key, value in name.values.items()}
    if isinstance(plain, Auto):
        return replace(plain, pass_cost=values["pass_cost"])
    if isinstance(plain, PublishedSPG):
        return replace(plain, beta=values["beta"])
    assert isinstance(plain, PointEstimator)  # nothing else has parameters
    mask_map: Any = plain.mask_map
    return replace(plain, mask_map=replace(mask_map, **values))
