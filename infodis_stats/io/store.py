"""Studies on disk: one NetCDF file, sealed with its digest, moved into place, checked whole and read as it is used.

The seal stands behind what HDF5 reads, so that other programs read the file too. Files without one are read unchecked.
"""

import contextlib
import shutil
from pathlib import Path

import h5py
import xarray as xr

from infodis_stats.io.files import StoreError, atomic_path, intact, write_sealed

__all__ = ["SCHEMA", "copy_store", "netcdf", "read_store", "write_store"]

SCHEMA = "infodis-stats/4"
"""Name and version of the layout of everything that is stored."""

GROUPS = ("summary", "provenance")
MOST_BYTES = 2**32  # of all arrays beyond those of the file: a small file can claim any size
LOADED_BYTES = 2**20
PIECE_BYTES = 2**24


def netcdf(data: xr.Dataset | xr.DataTree) -> memoryview:
    """Return data as a NetCDF file, made in memory: on a full disk the HDF5 library takes the process with it."""
    return data.to_netcdf(engine="h5netcdf")


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
            write_sealed(beside, netcdf(tree))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def copy_store(path: Path | str, target: Path | str) -> None:
    """Copy a stored study as it is, all or nothing; nothing where it is there already.

    Parameters
    ----------
    path : Path or str
        What `read_store` reads.
    target : Path or str
        File to write; an old one is replaced.

    Raises
    ------
    StoreError
        If there is no such study, or the file cannot be written.
    """
    source, target = _file(path), Path(target)
    try:
        if target.exists() and source.samefile(target):
            return
        with atomic_path(target) as beside:
            shutil.copyfile(source, beside)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error


def read_store(path: Path | str) -> xr.DataTree:
    """Read a study written by `write_store`: arrays of more than a mebibyte stay on disk until they are asked for.

    Parameters
    ----------
    path : Path or str
        The file, or the folder that holds it as ``study.nc``.

    Returns
    -------
    xarray.DataTree
        What is asked for of a large array, such as ``tree["draws"]["estimate"][:100]``, is read each time;
        ``tree.load()`` keeps everything. Where there is one the file stays open: ``with read_store(...) as tree``
        closes it.

    Raises
    ------
    StoreError
        If there is no such file, or it is truncated, or not a study of ours. All of it is checked here, in pieces.
    """
    path = Path(path)
    damaged = f"{path} is not a readable NetCDF file: it is damaged, truncated or another kind"
    path = _file(path)
    if intact(path) is False:
        raise StoreError(damaged)
    try:
        bounded = _bounded(path)
        if bounded:
            tree = _opened(path)
    except Exception as error:  # the HDF5 layers raise many types for a damaged file
        raise StoreError(damaged) from error
    if not bounded:
        raise StoreError(
            f"{path} is not a study: it points to other files, or its arrays have more than {MOST_BYTES} bytes "
            "and more than the file"
        )
    found = str(tree.attrs.get("schema", "none"))
    if found != SCHEMA or any(group not in tree.children for group in GROUPS):
        tree.close()
        raise StoreError(f"{path} is not a study of this version (its schema is {found!r}, ours {SCHEMA!r})")
    return tree


def _file(path: Path | str) -> Path:
    """Return the file of a stored study."""
    path = Path(path)
    try:
        path = path / "study.nc" if path.is_dir() else path
        present = path.is_file()
    except OSError:  # a name that no file can have
        present = False
    if not present:
        raise StoreError(f"there is no study at {path}")
    return path


def _bounded(path: Path) -> bool:
    """Whether all arrays of a file are its own, and no larger than it or than what may be loaded."""
    sizes: list[int] = []
    most = max(MOST_BYTES, path.stat().st_size)

    def visit(_: str, one: object) -> None:
        if isinstance(one, h5py.Dataset):
            sizes.append(most + 1 if one.external or one.is_virtual else one.nbytes)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return sum(sizes) <= most


def _opened(path: Path) -> xr.DataTree:
    """Open a file and load its small arrays; decode the large ones once, piece by piece, to see that they can be."""
    with contextlib.ExitStack() as opened:
        tree = opened.enter_context(xr.open_datatree(path, engine="h5netcdf", cache=False))
        variables = [one for node in tree.subtree for one in node.variables.values()]
        for variable in variables:
            read = _decode if variable.nbytes > LOADED_BYTES else xr.Variable.load
            read(variable)
        if any(one.nbytes > LOADED_BYTES for one in variables):  # else nothing is left in the file, and it is closed
            opened.pop_all()
    return tree


def _decode(variable: xr.Variable) -> None:
    longest = max(variable.dims, key=lambda name: variable.sizes[name])
    size = max(1, variable.sizes[longest] * PIECE_BYTES // variable.nbytes)
    for start in range(0, variable.sizes[longest], size):
        variable.isel({longest: slice(start, start + size)}).load()
