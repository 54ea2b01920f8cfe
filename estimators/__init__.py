"""Estimators of the likelihoods of discrete diffusion models: random plans of weighted passes.

Needs numpy and torch only, so it can be imported inside a training loop. All values are in nats.
"""

from estimators.auto import Auto
from estimators.blocks import Blocks
from estimators.contrast import Contrast, Coupled, Decoupled
from estimators.designs import IID, Antithetic, Design, LatinHypercube, Sobol, Stratified, Systematic
from estimators.errors import InfodisError, InputError, ModelError, PassesError, TokenError
from estimators.estimator import Choice, Estimator
from estimators.evaluate import Evaluation, Job, evaluate
from estimators.masked.chains import BlockChain, Chain
from estimators.masked.exhaustive import Exhaustive, pass_totals
from estimators.masked.mask_law import MaskLaw, estimand_weights
from estimators.masked.mask_maps import MaskMap, RootCount, TimeFree, TimeIntegral, UniformCount
from estimators.masked.masks import all_masks
from estimators.masked.plan import MaskPlan
from estimators.masked.points import PointEstimator
from estimators.masked.regression import Regression
from estimators.masked.substitutions import evaluate_substitutions
from estimators.masked.systematic import SystematicCount
from estimators.masked.triangular import Triangular
from estimators.masked.without_replacement import WithoutReplacement
from estimators.model import (
    BlockModel,
    ConditionalModel,
    ContextualModel,
    DistributionModel,
    Model,
    PaddedModel,
    ScoreModel,
)
from estimators.noise.mixed import Mixed
from estimators.noise.process import Absorbing, Noise, Uniform
from estimators.noise.rate_matrix import RateMatrix
from estimators.noise.schedule import Geometric, LogLinear, Polynomial, Schedule
from estimators.plan import Plan
from estimators.registry import estimator, estimator_names
from estimators.sampling import Cell, Draw, Sampler, draw
from estimators.score_entropy.estimator import ScoreEntropy
from estimators.score_entropy.plan import NoisePlan
from estimators.score_entropy.states import NoisedTokens, marginal_score_entropy, score_entropy
from estimators.target import Pair, Target, make_pairs, make_targets

__all__ = [
    "IID",
    "Absorbing",
    "Antithetic",
    "Auto",
    "BlockChain",
    "BlockModel",
    "Blocks",
    "Cell",
    "Chain",
    "Choice",
    "ConditionalModel",
    "ContextualModel",
    "Contrast",
    "Coupled",
    "Decoupled",
    "Design",
    "DistributionModel",
    "Draw",
    "Estimator",
    "Evaluation",
    "Exhaustive",
    "Geometric",
    "InfodisError",
    "InputError",
    "Job",
    "LatinHypercube",
    "LogLinear",
    "MaskLaw",
    "MaskMap",
    "MaskPlan",
    "Mixed",
    "Model",
    "ModelError",
    "Noise",
    "NoisePlan",
    "NoisedTokens",
    "PaddedModel",
    "Pair",
    "PassesError",
    "Plan",
    "PointEstimator",
    "Polynomial",
    "RateMatrix",
    "Regression",
    "RootCount",
    "Sampler",
    "Schedule",
    "ScoreEntropy",
    "ScoreModel",
    "Sobol",
    "Stratified",
    "Systematic",
    "SystematicCount",
    "Target",
    "TimeFree",
    "TimeIntegral",
    "TokenError",
    "Triangular",
    "Uniform",
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
    "marginal_score_entropy",
    "pass_totals",
    "score_entropy",
]
