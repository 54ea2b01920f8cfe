"""Estimators of the likelihoods of masked diffusion models: random plans of weighted masks.

Needs numpy and torch only, so it can be imported inside a training loop. All values are in nats.
"""

from estimators.auto import Auto, Choice
from estimators.contrast import Contrast, Coupled, Decoupled
from estimators.designs import IID, Antithetic, Design, LatinHypercube, Sobol, Stratified, Systematic
from estimators.errors import InfodisError, InputError, ModelError, PassesError, TokenError
from estimators.estimator import Estimator
from estimators.evaluate import Evaluation, Job, evaluate
from estimators.masked.chains import BlockChain, Chain
from estimators.masked.exhaustive import Exhaustive, pass_totals
from estimators.masked.mask_law import MaskLaw, all_masks, estimand_weights
from estimators.masked.mask_maps import MaskMap, RootCount, TimeFree, TimeIntegral, UniformCount
from estimators.masked.plan import MaskPlan
from estimators.masked.points import PointEstimator
from estimators.masked.regression import Regression
from estimators.masked.substitutions import evaluate_substitutions
from estimators.masked.systematic import SystematicCount
from estimators.masked.triangular import Triangular
from estimators.masked.without_replacement import WithoutReplacement
from estimators.model import ConditionalModel
from estimators.registry import estimator, estimator_names
from estimators.sampling import Cell, Draw, Sampler, draw
from estimators.target import Pair, Target, make_pairs, make_targets

__all__ = [
    "IID",
    "Antithetic",
    "Auto",
    "BlockChain",
    "Cell",
    "Chain",
    "Choice",
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
    "LatinHypercube",
    "MaskLaw",
    "MaskMap",
    "MaskPlan",
    "ModelError",
    "Pair",
    "PassesError",
    "PointEstimator",
    "Regression",
    "RootCount",
    "Sampler",
    "Sobol",
    "Stratified",
    "Systematic",
    "SystematicCount",
    "Target",
    "TimeFree",
    "TimeIntegral",
    "TokenError",
    "Triangular",
    "UniformCount",
    "WithoutReplacement",
    "all_masks",
    "draw",
    "estimand_weights",
    "estimator",
    "estimator_names",
    "evaluate",
    "evaluate_substitutions",
    "make_pairs",
    "make_targets",
    "pass_totals",
]
