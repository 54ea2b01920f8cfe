"""Stored studies: one NetCDF file each, written atomically with a checksum, verified on opening, read lazily.

The checksum follows the HDF5 data, so other programs can read the file too. Files without one are not verified.
"""

import contextlib
import shutil
from pathlib import Path

import h5py
import xarray as xr

from infodis_stats.io.files import StoreError, atomic_path, intact, write_with_checksum

__all__ = ["SCHEMA", "copy_store", "netcdf", "read_store", "write_store"]

SCHEMA = "infodis-stats/4"
"""Name and version of the storage layout."""

GROUPS = ("summary", "provenance")
MOST_BYTES = 2**32  # of all arrays; larger totals need a file at least as large, since a small file can claim any size
LOADED_BYTES = 2**20  # arrays up to this size are loaded on opening
CHUNK_BYTES = 2**24


def netcdf(data: xr.Dataset | xr.DataTree) -> memoryview:
    """Serialise data to NetCDF in memory, because the HDF5 library aborts the process when the disk is full."""
    return data.to_netcdf(engine="h5netcdf")


def write_store(tree: xr.DataTree, path: Path | str) -> None:
    """Write a study to a NetCDF file, atomically.

    Parameters
    ----------
    tree : xarray.DataTree
        The result of `run_study`.
    path : Path or str
        File to write; an existing file is replaced.

    Raises
    ------
    StoreError
        If it is no DataTree, or the file cannot be written; an existing file is then unchanged.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import xarray as xr
    >>> from infodis_stats.io.store import SCHEMA
    >>> groups = {"summary": xr.Dataset({"nll": ("sequence", [2.5, 3.0])}), "provenance": xr.Dataset()}
    >>> tree = xr.DataTree.from_dict(groups)
    >>> tree.attrs["schema"] = SCHEMA
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_store(tree, pathlib.Path(folder) / "study.nc")
    ...     read_store(folder)["summary"]["nll"].values
    array([2.5, 3. ])
    """
    path = Path(path)
    if not isinstance(tree, xr.DataTree):
        raise StoreError(
            f"write_store writes a DataTree, as run_study returns it, got {type(tree).__name__}; xarray writes other "
            "results: result.to_netcdf(path, engine='h5netcdf')"
        )
    try:
        with atomic_path(path) as temporary:
            write_with_checksum(temporary, netcdf(tree))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def copy_store(path: Path | str, target: Path | str) -> None:
    """Copy the file of a stored study, atomically; do nothing if the target is that file.

    Parameters
    ----------
    path : Path or str
        The file, or the folder that contains it as ``study.nc``.
    target : Path or str
        File to write; an existing file is replaced.

    Raises
    ------
    StoreError
        If there is no such study, or the file cannot be written.
    """
    source, target = _file(path), Path(target)
    try:
        if target.exists() and source.samefile(target):
            return
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror or error}") from error


def read_store(path: Path | str) -> xr.DataTree:
    """Open a study written by `write_store`.

    Parameters
    ----------
    path : Path or str
        The file, or the folder that contains it as ``study.nc``.

    Returns
    -------
    xarray.DataTree
        The groups of the study. Arrays larger than 1 MiB stay on disk: each access, such as
        ``tree["draws"]["estimate"][:100]``, reads the selected values, and ``tree.load()`` reads everything. A study
        with such arrays keeps its file open until ``tree.close()``, or the end of ``with read_store(...) as tree``.

    Raises
    ------
    StoreError
        If the file is missing, damaged, truncated, or not a study of this version. The whole file is verified here,
        in chunks.

    Examples
    --------
    >>> tree = read_store("reports/dna_table")  # doctest: +SKIP
    >>> sorted(tree.children)  # doctest: +SKIP
    ['draws', 'provenance', 'summary', 'truth']
    """
    path = Path(path)
    damaged = f"{path} is not a readable NetCDF file: it is damaged, truncated or of another format"
    path = _file(path)
    if intact(path) is False:
        raise StoreError(damaged)
    try:
        bounded = _bounded(path)
        if bounded:
            tree = _opened(path)
    except Exception as error:  # the HDF5 libraries raise many types for a damaged file
        raise StoreError(damaged) from error
    if not bounded:
        raise StoreError(
            f"{path} is not a study: it refers to other files, or its arrays claim more than {MOST_BYTES} bytes and "
            "more than the size of the file"
        )
    schema = str(tree.attrs.get("schema", "none"))
    if schema != SCHEMA or any(group not in tree.children for group in GROUPS):
        tree.close()
        raise StoreError(f"{path} is not a study of this version (its schema is {schema!r}, expected {SCHEMA!r})")
    return tree


def _file(path: Path | str) -> Path:
    """Return the file of a stored study."""
    path = Path(path)
    try:
        path = path / "study.nc" if path.is_dir() else path
        present = path.is_file()
    except OSError:  # not a valid file name
        present = False
    if not present:
        raise StoreError(f"there is no study at {path}")
    return path


def _bounded(path: Path) -> bool:
    """Return whether a file contains all its arrays, and their total size is at most MOST_BYTES or the file's."""
    sizes: list[int] = []
    most = max(MOST_BYTES, path.stat().st_size)

    def visit(_: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            sizes.append(most + 1 if node.external or node.is_virtual else node.nbytes)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return sum(sizes) <= most


def _opened(path: Path) -> xr.DataTree:
    """Open a file and load its small arrays; decode the large ones once, in chunks, to verify that they can be read."""
    with contextlib.ExitStack() as stack:
        tree = stack.enter_context(xr.open_datatree(path, engine="h5netcdf", cache=False))
        variables = [variable for node in tree.subtree for variable in node.variables.values()]
        for variable in variables:
            read = _decode if variable.nbytes > LOADED_BYTES else xr.Variable.load
            read(variable)
        if any(variable.nbytes > LOADED_BYTES for variable in variables):  # otherwise everything is loaded: close it
            stack.pop_all()
    return tree


def _decode(variable: xr.Variable) -> None:
    longest = max(variable.dims, key=lambda name: variable.sizes[name])
    size = max(1, variable.sizes[longest] * CHUNK_BYTES // variable.nbytes)
    for start in range(0, variable.sizes[longest], size):
        variable.isel({longest: slice(start, start + size)}).load()
