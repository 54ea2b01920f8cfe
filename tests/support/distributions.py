"""Distributions over the vocabulary against the losses of the same model, token by token."""

from typing import Any

import torch

__all__ = ["check_distributions"]


def check_distributions(
    model: Any, tokens: torch.Tensor, masked: torch.Tensor, *, tolerance: float = 1e-5, **padding: torch.Tensor
) -> torch.Tensor:
    """Assert that a model's distributions are normalised and have the losses of all tokens; return them.

    Of a block-diffusion model only the true tokens are compared: others would be seen by later blocks.
    """
    found: torch.Tensor = model.token_log_probs(tokens, masked, **padding)
    assert found.shape[0] == int(masked.sum())
    torch.testing.assert_close(found.double().exp().sum(dim=1), torch.ones(len(found)).double(), atol=1e-5, rtol=0)

    def compare(other: torch.Tensor) -> None:
        losses = model.token_nll(other, masked, **padding)[masked]
        own = -found.gather(1, other[masked][:, None])[:, 0]
        finite = torch.isfinite(own)
        torch.testing.assert_close(own, losses, atol=tolerance, rtol=tolerance)
        assert finite.any()

    compare(tokens)
    if getattr(model, "block_size", None) is None:
        for symbol in sorted(set(tokens.flatten().tolist())):
            compare(torch.where(masked, symbol, tokens))
    return found
