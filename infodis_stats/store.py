"""Studies on disk: one NetCDF file, written beside and moved into place, read whole and checked."""

from pathlib import Path

import xarray as xr

from infodis_stats.files import StoreError, atomic_path
from infodis_stats.provenance import SCHEMA

__all__ = ["read_store", "write_store"]

GROUPS = ("summary", "provenance")


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
