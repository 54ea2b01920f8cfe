"""Studies on disk: one NetCDF file, sealed with its digest, moved into place, read whole and checked.

The seal stands behind what HDF5 reads, so that other programs read the file too. Files without one are read unchecked.
"""

from pathlib import Path

import h5py
import xarray as xr

from infodis_stats.files import StoreError, atomic_path, intact, sealed
from infodis_stats.provenance import SCHEMA

__all__ = ["netcdf", "read_store", "write_store"]

GROUPS = ("summary", "provenance")
MOST_BYTES = 2**32  # of all arrays: a small file can claim any size


def netcdf(data: xr.Dataset | xr.DataTree) -> bytes:
    """Return data as a NetCDF file, made in memory: on a full disk the HDF5 library takes the process with it."""
    return bytes(data.to_netcdf(engine="h5netcdf"))


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
            beside.write_bytes(sealed(netcdf(tree)))
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
    damaged = f"{path} is not a readable NetCDF file: it is damaged, truncated or another kind"
    try:
        path = path / "study.nc" if path.is_dir() else path
        present = path.is_file()
    except OSError:  # a name that no file can have
        present = False
    if not present:
        raise StoreError(f"there is no study at {path}")
    if intact(path) is False:
        raise StoreError(damaged)
    try:
        bounded = _bounded(path)
        if bounded:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                loaded = tree.load()
    except Exception as error:  # the HDF5 layers raise many types for a damaged file
        raise StoreError(damaged) from error
    if not bounded:
        raise StoreError(
            f"{path} is not a study: it points to other files, or its arrays have more than {MOST_BYTES} bytes"
        )
    found = str(loaded.attrs.get("schema", "none"))
    if found != SCHEMA or any(group not in loaded.children for group in GROUPS):
        raise StoreError(f"{path} is not a study of this version (its schema is {found!r}, ours {SCHEMA!r})")
    return loaded


def _bounded(path: Path) -> bool:
    """Whether all arrays of a file are its own, and small enough to be loaded."""
    sizes: list[int] = []

    def visit(_: str, one: object) -> None:
        if isinstance(one, h5py.Dataset):
            sizes.append(MOST_BYTES + 1 if one.external or one.is_virtual else one.nbytes)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return sum(sizes) <= MOST_BYTES
