"""A published training loss that was taken for a likelihood: weights of the visible share of the tokens."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design
from estimators.masked.mask_law import MaskLaw
from estimators.masked.mask_maps import MaskMap, WeightedMasks
from estimators.masked.published.base import PublishedPoints, Purpose
from estimators.masked.published.rates import given_mask, nodes

__all__ = ["PublishedParameterGolfLoss"]

LEAST_VISIBLE = 0.1  # the setting that the pull request recommends; its script has 0.001


@dataclass(frozen=True)
class _VisibleShare:
    """Visible share ``a`` uniform on ``(least, 1)``, rate ``1 - a``, weight ``(1 - least)/a``."""

    name: ClassVar[str] = "published-visible-share"
    summary: ClassVar[str] = "visible share uniform on (0.1, 1), weighted by its inverse"
    unbiased: ClassVar[bool] = False
    finite_variance: ClassVar[bool] = True

    def masks(self, points: NDArray[np.float64]) -> WeightedMasks:
        visible = 1.0 - (1.0 - LEAST_VISIBLE) * points[..., 0]
        masks = points[..., 1:] < (1.0 - visible)[..., None]
        return masks, masks.any(axis=-1) * (1.0 - LEAST_VISIBLE) / visible

    def law(self, length: int) -> MaskLaw:
        visible, shares = nodes(LEAST_VISIBLE, 1.0, length)
        given, weights = given_mask(1.0 - visible, length), (1.0 - LEAST_VISIBLE) / visible
        first, second = (shares * weights) @ given, (shares * weights**2) @ given
        first[0] = second[0] = 0.0
        # Not polynomials: int (1 - a)^n / a da and int (1 - a)^n / a^2 da over the visible share.
        hidden = 1.0 - LEAST_VISIBLE
        first[length] = _inverse(length)
        second[length] = hidden * (hidden**length / LEAST_VISIBLE - length * _inverse(length - 1))
        if length > 1:
            second[length - 1] = hidden * _inverse(length - 1)
        return MaskLaw(shares @ given, first, second)


def _inverse(power: int) -> float:
    """Return the integral of ``(1 - a)^power / a`` over ``(LEAST_VISIBLE, 1)``."""
    powers = np.arange(1, power + 1)
    return float(-math.log(LEAST_VISIBLE) - ((1.0 - LEAST_VISIBLE) ** powers / powers).sum())


@dataclass(frozen=True)
class PublishedParameterGolfLoss(PublishedPoints):
    """The Monte-Carlo loss of a masked diffusion model in a contest: losses over the visible share of the tokens.

    The ELBO divides the losses of a draw by the masked share ``1 - a``; this loss divides them by the visible share
    ``a``. With ``h(r)`` the sum of the expected losses of the positions, each masked for sure and the others at the
    rate ``r``, the mean is ``int (1 - a)/a h(1 - a) da`` over ``(0.1, 1)``. Where losses do not depend on the rate
    that is ``log 10 - 0.9 = 1.40`` times the likelihood, and 5.9 times with a visible share of at least 0.001. Losses
    are largest where most is masked, which has most of the weight.

    References
    ----------
    S. Sahoo et al., *Simple and effective masked diffusion language models*, NeurIPS 2024, arXiv 2406.07524, for the
    ELBO; pull requests 1100 and 1106 of the repository for this loss.
    """

    name: ClassVar[str] = "published-parameter-golf-loss"
    summary: ClassVar[str] = "as published in parameter-golf: the training loss, weighted by the visible share; no ELBO"
    source: ClassVar[str] = (
        "openai/parameter-golf, records/track_non_record_16mb/2026-03-29_LLaDA_MDLM_Diffusion/train_mdlm.py"
    )
    purpose: ClassVar[Purpose] = "perplexity"

    mask_map: MaskMap = field(default=_VisibleShare(), init=False)
    design: Design = field(default=IID(), init=False)
