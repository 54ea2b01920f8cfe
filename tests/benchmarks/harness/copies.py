"""How the harness copies of published models count: in batches, with masks of their own for each choice."""

from dataclasses import dataclass

import numpy as np

from estimators import Estimator, Target
from estimators.masked.plan import MaskPlan
from estimators.streams import root_seed, stream


@dataclass(frozen=True)
class Copied(Estimator):
    """The mean of a scheme over batches; choices of one question share no masks."""

    scheme: Estimator
    batch: int

    @property
    def name(self) -> str:
        return f"{self.scheme.name}, batches of {self.batch}"

    @property
    def summary(self) -> str:
        return f"{self.scheme.summary}; in batches of {self.batch}"

    @property
    def unbiased(self) -> bool:
        return self.scheme.unbiased

    def plan(self, length: int, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        assert replicates == 1
        assert passes % self.batch == 0
        batches = self.scheme.plan(length, self.batch, passes // self.batch, rng)
        shape = (1, passes, length)
        return MaskPlan(batches.masks.reshape(shape), batches.weights.reshape(shape) * self.batch / passes)

    def plan_target(self, target: Target, passes: int, replicates: int, rng: np.random.Generator) -> MaskPlan:
        own = target.tokens.astype("<i8").tobytes().hex()
        return self.plan(target.length, passes, replicates, stream(root_seed(rng), own))
