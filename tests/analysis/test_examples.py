import doctest
import importlib
import pkgutil

import pytest

import infodis_stats.analysis

MODULES = [module.name for module in pkgutil.iter_modules(infodis_stats.analysis.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(f"infodis_stats.analysis.{name}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_public_names_are_sorted_and_exist():
    names = infodis_stats.analysis.__all__
    assert names == sorted(names)
    assert all(hasattr(infodis_stats.analysis, name) for name in names)
