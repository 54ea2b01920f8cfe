"""A tiny network with random weights, saved as a user would save it, and the reports of the small studies."""

from pathlib import Path

import pytest
import torch
import xarray as xr

from infodis_stats.models import Denoiser, DenoiserConfig
from infodis_stats.report.document import Document
from infodis_stats.studies import document_of


@pytest.fixture(scope="session")
def network_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    network = Denoiser(DenoiserConfig("GATC ", length=40, layers=1, width=16, heads=2))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    network.save(path)
    return path


@pytest.fixture(scope="session")
def document(study: xr.DataTree) -> Document:
    return document_of(study)


@pytest.fixture(scope="session")
def ratio_document(ratio_study: xr.DataTree) -> Document:
    return document_of(ratio_study)


@pytest.fixture(scope="session")
def frontier_document(frontier_study: xr.DataTree) -> Document:
    return document_of(frontier_study)


@pytest.fixture(scope="session")
def calibration_document(calibration_study: xr.DataTree) -> Document:
    return document_of(calibration_study)


@pytest.fixture(scope="session")
def information_document(information_study: xr.DataTree) -> Document:
    return document_of(information_study)
