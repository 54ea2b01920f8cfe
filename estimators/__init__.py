"""Estimators of the likelihoods of masked diffusion models: random plans of weighted masks.

Needs numpy and torch only, so it can be imported inside a training loop. All values are in nats.
"""

from estimators.contrast import Contrast, Coupled, Decoupled
from estimators.designs import IID, Antithetic, Design, Stratified
from estimators.errors import InfodisError, InputError, ModelError, PassesError, TokenError
from estimators.estimator import Estimator, PointEstimator
from estimators.evaluate import Evaluation, Job, evaluate
from estimators.exhaustive import Exhaustive, pass_totals
from estimators.mask_law import MaskLaw, all_masks, estimand_weights
from estimators.mask_maps import MaskMap, TimeFree, TimeIntegral, UniformCount
from estimators.model import ConditionalModel
from estimators.plan import MaskPlan
from estimators.registry import estimator, estimator_names
from estimators.regression import Regression
from estimators.sampling import Cell, Draw, Sampler, draw
from estimators.target import Pair, Target, make_pairs, make_targets

__all__ = [
    "IID",
    "Antithetic",
    "Cell",
    "ConditionalModel",
    "Contrast",
    "Coupled",
    "Decoupled",
    "Design",
    "Draw",
    "Estimator",
    "Evaluation",
    "Exhaustive",
    "InfodisError",
    "InputError",
    "Job",
    "MaskLaw",
    "MaskMap",
    "MaskPlan",
    "ModelError",
    "Pair",
    "PassesError",
    "PointEstimator",
    "Regression",
    "Sampler",
    "Stratified",
    "Target",
    "TimeFree",
    "TimeIntegral",
    "TokenError",
    "UniformCount",
    "all_masks",
    "draw",
    "estimand_weights",
    "estimator",
    "estimator_names",
    "evaluate",
    "make_pairs",
    "make_targets",
    "pass_totals",
]
