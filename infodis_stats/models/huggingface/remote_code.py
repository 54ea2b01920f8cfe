"""Python code stored with the weights: importing classes from a model folder without copying or registering them."""

import contextlib
import hashlib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.folder import code_folder

__all__ = ["import_class"]

REFERENCE = re.compile(r"(?:(?P<repository>[\w./-]+)--)?(?P<module>\w+(?:\.\w+)*)\.(?P<name>\w+)")


def import_class(folder: Path, reference: str) -> type:
    """Import a class from the Python files of a model folder, which executes them.

    The folder is imported as a package with a unique name, so that its relative imports work at any depth and the
    classes and modules of different checkpoints are kept apart.

    Parameters
    ----------
    folder : Path
    reference : str
        As in ``auto_map`` of ``config.json``: ``"module.Class"``, or ``"org/repo--module.Class"``, whose files are
        beside the weights or in that repository.

    Raises
    ------
    StoreError
        If the reference is malformed, or its file or class is missing. Errors of the code itself are passed on.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise StoreError(f"{folder}: {reference!r} in auto_map of config.json is not of the form module.Class")
    file = match["module"].replace(".", "/") + ".py"
    folder = code_folder(folder, match["repository"], file)
    with _no_bytecode():
        module = importlib.import_module(f"{_package(folder).__name__}.{match['module']}")
    found = getattr(module, match["name"], None)
    if not isinstance(found, type):
        raise StoreError(f"{folder / file} has no class {match['name']}, which config.json names")
    return found


def _package(folder: Path) -> ModuleType:
    """Return the folder as a package, named by a digest of its path and its code."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    name = f"infodis_checkpoint_{digest.hexdigest()[:16]}"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        importlib.invalidate_caches()
    return sys.modules[name]


@contextlib.contextmanager
def _no_bytecode() -> Iterator[None]:
    # Model folders are not ours to write into.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
