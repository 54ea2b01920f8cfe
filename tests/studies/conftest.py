"""A tiny network with random weights, saved as a user would save it."""

from pathlib import Path

import pytest
import torch

from infodis_stats.models import Denoiser, DenoiserConfig


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    network = Denoiser(DenoiserConfig("GATC ", length=40, layers=1, width=16, heads=2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    network.save(path)
    return path
