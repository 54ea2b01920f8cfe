"""Studies on disk: one NetCDF file, written beside and moved into place, read whole and checked."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import xarray as xr

from estimators import InfodisError
from infodis_stats.provenance import SCHEMA

__all__ = ["StoreError", "atomic_path", "read_store", "writable_folder", "write_store"]

GROUPS = ("draws", "truth", "summary", "provenance")


class StoreError(InfodisError):
    """A file that cannot be written, or is not a study of ours."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` that takes its place when the block ends, and is removed when it fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    beside = Path(name)
    try:
        yield beside
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def writable_folder(path: Path | str) -> Path:
    """Make a folder if need be and return it; `StoreError` if files cannot be written into it."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be written: {error.strerror}") from error
    return folder


def write_store(tree: xr.DataTree, path: Path | str) -> None:
    """Write a study to a NetCDF file, all or nothing.

    Parameters
    ----------
    tree : xarray.DataTree
        What `run_study` returns.
    path : Path or str
        File to write; an old one is replaced.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    path = Path(path)
    try:
        with atomic_path(path) as beside:
            tree.to_netcdf(beside, engine="h5netcdf")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def read_store(path: Path | str) -> xr.DataTree:
    """Read a study written by `write_store` into memory.

    Parameters
    ----------
    path : Path or str
        The file, or the folder that holds it as ``study.nc``.

    Returns
    -------
    xarray.DataTree

    Raises
    ------
    StoreError
        If there is no such file, or it is truncated, or not a study of ours.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.nc"
    if not path.is_file():
        raise StoreError(f"there is no study at {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            loaded = tree.load()
    except Exception as error:  # the HDF5 layers raise many types for a damaged file
        raise StoreError(f"{path} is not a readable NetCDF file: it is damaged, truncated or another kind") from error
    if loaded.attrs.get("schema") != SCHEMA or any(group not in loaded.children for group in GROUPS):
        found = loaded.attrs.get("schema", "none")
        raise StoreError(f"{path} is not a study of this version (its schema is {found!r}, ours {SCHEMA!r})")
    return loaded
