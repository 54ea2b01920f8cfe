"""Models that come with installed packages."""

import importlib.util
from pathlib import Path

import pytest


def package_folder(name: str) -> Path:
    """Return the folder of an installed package; skip the test if it is not installed."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{name} is not installed")
    return Path(found.submodule_search_locations[0])
