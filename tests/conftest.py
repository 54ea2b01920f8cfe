"""Small studies and their reports, shared by many tests, each run once per process."""

import gc
from pathlib import Path

import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.report.document import Document
from infodis_stats.studies import document_of
from tests.support.small_studies import SMALL_CALIBRATION, SMALL_FRONTIER, SMALL_INFORMATION, SMALL_RATIO, SMALL_STUDY


def pytest_collection_finish() -> None:
    """Exclude imported objects from garbage collection: statsmodels collects at every adjusted p-value."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL_STUDY)
    return path


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(SMALL_STUDY)
    return ids.run_study(path)


@pytest.fixture(scope="session")
def ratio_study(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("study") / "ratio.toml"
    path.write_text(SMALL_RATIO)
    return ids.run_study(path)


@pytest.fixture(scope="session")
def frontier_study(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("study") / "frontier.toml"
    path.write_text(SMALL_FRONTIER)
    return ids.run_study(path)


@pytest.fixture(scope="session")
def calibration_study(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("study") / "calibration.toml"
    path.write_text(SMALL_CALIBRATION)
    return ids.run_study(path)


@pytest.fixture(scope="session")
def information_study(tmp_path_factory: pytest.TempPathFactory) -> xr.DataTree:
    path = tmp_path_factory.mktemp("study") / "information.toml"
    path.write_text(SMALL_INFORMATION)
    return ids.run_study(path)


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
