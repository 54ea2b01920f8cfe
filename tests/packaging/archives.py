"""What wheels and source distributions contain, and what they should."""

import hashlib
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = [
    "FilesDifferError",
    "check_same_files",
    "check_sdist",
    "check_wheel",
    "sdist_files",
    "tracked_files",
    "wheel_files",
]

PACKAGES = ("estimators", "infodis_stats")
LICENCES = ("LICENSE", "NOTICE.md")
LEFT_OUT = (".ci/", ".gitignore")
"""Files of the repository that the source distribution need not contain; hatchling adds .gitignore itself."""

Files = Mapping[str, str]
"""The SHA-256 of each file's content."""


class FilesDifferError(Exception):
    """An archive has not the files that it should have."""


def wheel_files(path: Path) -> dict[str, str]:
    """Return the files of a wheel."""
    with zipfile.ZipFile(path) as wheel:
        return {name: _digest(wheel.read(name)) for name in wheel.namelist() if not name.endswith("/")}


def sdist_files(path: Path) -> dict[str, str]:
    """Return the files of a source distribution, without the name of its top-level folder."""
    with tarfile.open(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        contents = [(member.name, archive.extractfile(member)) for member in members]
        return {name.partition("/")[2]: _digest(file.read()) for name, file in contents if file is not None}


def tracked_files(repository: Path) -> dict[str, str]:
    """Return the files of the working tree that git tracks."""
    command = ["git", "-C", str(repository), "ls-files", "-z"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    return {name: _digest((repository / name).read_bytes()) for name in names if (repository / name).is_file()}


def check_wheel(wheel: Files, repository: Files) -> None:
    """Raise unless a wheel contains the two packages with all their files, licences, and nothing else.

    Raises
    ------
    FilesDifferError
    """
    code = {name: digest for name, digest in repository.items() if name.startswith(tuple(f"{p}/" for p in PACKAGES))}
    information = {name for name in wheel if name.partition("/")[0].endswith(".dist-info")}
    check_same_files({name: digest for name, digest in wheel.items() if name not in information}, code, "the wheel")
    licences = {name.partition("/licenses/")[2]: wheel[name] for name in information if "/licenses/" in name}
    wanted = {name: digest for name, digest in repository.items() if name in LICENCES or name.startswith("LICENSES/")}
    check_same_files(licences, wanted, "the folder of licences in the wheel")


def check_sdist(sdist: Files, repository: Files) -> None:
    """Raise unless a source distribution contains what the repository tracks, and nothing else.

    Raises
    ------
    FilesDifferError
    """
    found = {name: digest for name, digest in sdist.items() if name not in ("PKG-INFO", *LEFT_OUT)}
    wanted = {name: digest for name, digest in repository.items() if not name.startswith(LEFT_OUT)}
    check_same_files(found, wanted, "the source distribution")


def check_same_files(found: Files, wanted: Files, what: str) -> None:
    """Raise if files are missing, not wanted, or have other content.

    Raises
    ------
    FilesDifferError
        Names the files.
    """
    changed = [name for name in found.keys() & wanted.keys() if found[name] != wanted[name]]
    problems = [
        f"{problem} {_listed(names)}"
        for problem, names in (
            ("lacks", wanted.keys() - found.keys()),
            ("should not contain", found.keys() - wanted.keys()),
            ("has other content in", changed),
        )
        if names
    ]
    if problems:
        raise FilesDifferError(f"{what} {'; it '.join(problems)}")


def _listed(names: Iterable[str]) -> str:
    first, rest = sorted(names)[:5], len(list(names)) - 5
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
