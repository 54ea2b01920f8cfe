"""Small studies shared by many tests, each run once per process."""

import gc
from pathlib import Path

import pytest
import xarray as xr

import infodis_stats as ids
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
