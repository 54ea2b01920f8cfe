"""Compute a likelihood with `estimators` where nothing but numpy and torch is installed; run as a script."""

import importlib.util
import math
from pathlib import Path

import torch
from torch import Tensor

import estimators

LENGTH = 4
ABSENT = ("scipy", "pandas", "xarray", "matplotlib", "statsmodels", "pydantic", "transformers")


class Joint:
    """The conditionals of a table of probabilities of all sequences of four tokens from {0, 1}."""

    def __init__(self, table: Tensor) -> None:
        self.sequences = torch.cartesian_prod(*[torch.arange(2)] * LENGTH)
        self.table = table.double().flatten() / table.double().sum()

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the negative log-likelihood of each masked token given the visible ones, in nats."""
        agrees = self.sequences[None] == tokens[:, None]
        given = (agrees | masked[:, None]).all(2).double() @ self.table
        with_token = torch.stack(
            [
                (agrees | (masked[:, None] & (torch.arange(LENGTH) != position))).all(2).double() @ self.table
                for position in range(LENGTH)
            ],
            1,
        )
        return masked * (given[:, None].log() - with_token.log())


def main() -> None:
    """Compare an exhaustive and a random estimate with the exact value."""
    found = [name for name in ABSENT if importlib.util.find_spec(name)]
    assert not found, f"this environment should have numpy and torch alone, and has {', '.join(found)}"
    assert "site-packages" in Path(estimators.__file__).parts, f"estimators is not installed: {estimators.__file__}"
    generator = torch.Generator().manual_seed(0)
    table = torch.rand(2**LENGTH, generator=generator) ** 3
    tokens = torch.tensor([[0, 1, 1, 0]])
    exact = -math.log(table[0b0110] / table.sum())

    def estimate(model: Joint, name: str, passes: int, replicates: int) -> Tensor:
        sampled = estimators.estimator(name).sample(model, tokens, passes=passes, replicates=replicates, rng=0)
        return torch.as_tensor(sampled)[0]

    exhaustive = estimate(Joint(table), "exhaustive", 2**LENGTH - 1, 1).item()
    assert abs(exhaustive - exact) < 1e-5, f"exhaustive enumeration gives {exhaustive}, exact is {exact}"
    draws = estimate(Joint(table), "uniform-count+stratified", 4, 500)
    error = (draws.mean() - exact).abs() / (draws.std() / len(draws) ** 0.5)
    assert error < 5, f"a random estimate differs from the exact value by {error:.1f} standard errors"
    wrong = estimate(Joint(table.flip(0)), "exhaustive", 2**LENGTH - 1, 1).item()
    assert abs(wrong - exact) > 0.1, "the check does not notice the conditionals of another law"
    print(f"{exhaustive:.6f} nats, exact {exact:.6f}")


if __name__ == "__main__":
    main()
