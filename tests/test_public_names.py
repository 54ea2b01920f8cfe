"""Public names are listed once, importable and documented, and the package runs as a command."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import estimators
import infodis_stats as ids

STUB = Path(ids.__file__).with_name("public.pyi")
LAZY = {stub.parent for stub in STUB.parent.rglob("__init__.pyi")}


def test_the_stub_is_the_list_of_public_names():
    imported = [alias.name for node in ast.parse(STUB.read_text()).body for alias in node.names]
    assert sorted(ids.__all__) == sorted(imported)
    assert len(set(imported)) == len(imported)
    assert set(dir(ids)) == {*imported, *estimators.__all__, "__version__"}


@pytest.mark.parametrize("name", [*ids.__all__, *estimators.__all__])
def test_public_names_are_documented(name):
    assert getattr(ids, name).__doc__


@pytest.mark.parametrize("folder", sorted(LAZY), ids=lambda folder: folder.name)
def test_lazy_packages_give_the_names_of_their_stubs(folder):
    package = import_module(".".join(("infodis_stats", *folder.relative_to(STUB.parent).parts)))
    imports = ast.parse((folder / "__init__.pyi").read_text()).body
    names = {alias.asname: line.module for line in imports for alias in line.names}
    assert names
    assert set(dir(package)) == set(package.__all__) == set(names)
    # Python would bind a module of the same name over the function.
    assert names.keys() & {path.stem for path in folder.iterdir()} == set()
    for name, module in names.items():
        assert getattr(package, name) is getattr(import_module(f"{package.__name__}.{module}"), name)
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_control_unlisted_names_are_missing():
    with pytest.raises(AttributeError, match="no attribute 'estimate_nothing'"):
        ids.estimate_nothing  # noqa: B018


def test_the_version_matches_the_distribution():
    assert ids.__version__ == version("infodis-stats")


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "infodis_stats", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: infodis-stats")


SIGNATURES = 620  # characters: more is no signature to read


def test_signatures_are_short():
    """Types that are unfolded, such as those of arrays, take lines of a notebook's help."""
    for name in ids.__all__:
        value = getattr(ids, name)
        if inspect.isfunction(value):
            assert len(str(inspect.signature(value))) < SIGNATURES, name
        elif inspect.isclass(value) and "__init__" in vars(value):
            assert "numpy._typing" not in str(inspect.signature(value)), name
