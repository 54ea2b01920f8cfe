"""Losses from logits: float32 for logits of any dtype, and independent of chunking."""

import pytest
import torch

from infodis_stats.models import losses


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("excluded", [None, 7])
def test_log_sum_exps_are_float32_for_logits_of_any_dtype(dtype, excluded, monkeypatch):
    """Within 1e-5 of float64 for the same logits; half-precision arithmetic would have errors of 1e-3 or more."""
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(23, 500, generator=generator)).to(dtype)
    targets = torch.randint(8, 500, (23,), generator=generator)
    exact = logits.double()
    if excluded is not None:
        exact[:, excluded] = -torch.inf
    expected = -exact.log_softmax(dim=-1).gather(-1, targets[:, None])[:, 0]
    monkeypatch.setattr(losses, "LOGITS_PER_CHUNK", 5 * 500)
    found = losses.token_losses(lambda part: logits[part].clone(), targets, 500, excluded)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-5)
