"""Fresh environments, made by uv where it is installed, else by pip."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CommandError", "Environment", "make_environment", "run"]

TIMEOUT = 600  # seconds, for one command
SHOWN = 4000  # characters of the output of a failed command


class CommandError(Exception):
    """A command ended with an error; its last output is in the message."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Parameters
    ----------
    folder : Path
    constraints : Path
        The file of pinned versions.
    """

    folder: Path
    constraints: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.folder / "bin" / "python"

    def install(self, *requirements: str) -> None:
        """Install packages with all that they need."""
        if shutil.which("uv"):
            command = ["uv", "pip", "install", "--quiet", "--python", str(self.python)]
        else:
            command = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pinned = () if "--no-deps" in requirements else ("--constraint", str(self.constraints))
        run([*command, *pinned, *requirements], self.folder)

    def check(self) -> None:
        """Raise unless all installed packages have what they need.

        Raises
        ------
        CommandError
        """
        if shutil.which("uv"):
            run(["uv", "pip", "check", "--python", str(self.python)], self.folder)
        else:
            run([str(self.python), "-m", "pip", "check"], self.folder)


def make_environment(folder: Path, constraints: Path, python: str) -> Environment:
    """Make an empty environment; one that exists is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if shutil.which("uv"):
        run(["uv", "venv", "--quiet", "--python", python, str(folder)], folder.parent)
    else:
        run([python, "-m", "venv", str(folder)], folder.parent)
    return Environment(folder, constraints)


def run(command: Sequence[str], folder: Path, first: Path | None = None) -> str:
    """Run a command that sees nothing of the repository; return what it printed.

    Parameters
    ----------
    command : sequence of str
    folder : Path
        Where it runs.
    first : Path, optional
        A folder whose programs come first.

    Raises
    ------
    CommandError
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    if first is not None:
        environment["PATH"] = f"{first}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-SHOWN:]}")
    return done.stdout
