"""Build the wheel and the source distribution, and check them where the repository is not (``make dist-check``).

The archives are left in ``out/dist``. Each check prints a line; the first that fails ends the run with status 1.
"""

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.packaging.archives import (
    FilesDifferError,
    check_same_files,
    check_sdist,
    check_wheel,
    sdist_files,
    tracked_files,
    wheel_files,
)
from tests.packaging.environments import CommandError, Environment, make_environment, run
from tests.packaging.readme import code_examples, command_examples, write_example_files

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
OUT = ROOT / "out" / "dist"
FEWEST_COMMANDS = 5
"""The README has more examples of commands; fewer found means that it is no longer read correctly."""

FALSE_TYPES = """

def misuse(law: ids.MarkovChain, result: xr.Dataset) -> None:
    assert_type(ids.summary(result), str)
    ids.estimate_nll(law, [[0, 1]], passes=[16])
"""
ERRORS = 2
"""What a type checker finds in `FALSE_TYPES` if the names have types from outside."""


def main() -> int:
    """Run all checks; return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="of the fresh environments")
    python = parser.parse_args().python
    try:
        with tempfile.TemporaryDirectory(prefix="infodis-stats-") as folder:
            _check_all(Path(folder), python)
    except (CommandError, FilesDifferError) as error:
        print(f"\nfailed: {error}", file=sys.stderr)
        return 1
    print(f"the archives in {OUT.relative_to(ROOT)} can be published")
    return 0


def _check_all(folder: Path, python: str) -> None:
    constraints = ROOT / "constraints.txt"
    shutil.rmtree(OUT, ignore_errors=True)
    with _step("build and describe"):
        tools = make_environment(folder / "tools", constraints, python)
        tools.install("build", "twine")
        wheel, sdist = _build(tools, folder / "direct")
    with _step("files"):
        repository = tracked_files(ROOT)
        check_wheel(wheel_files(wheel), repository)
        check_sdist(sdist_files(sdist), repository)
        (direct,) = (folder / "direct").glob("*.whl")
        check_same_files(wheel_files(wheel), wheel_files(direct), "the wheel from the source distribution")
    with _step("install"):
        user = make_environment(folder / "user", constraints, python)
        user.install(str(wheel))
        user.check()
    with _step("types"):
        _check_types(user, _empty(folder / "types"))
    with _step("README, Python"):
        _run_code(user, _empty(folder / "code"))
    commands = command_examples((ROOT / "README.md").read_text(encoding="utf-8"))
    if len(commands) < FEWEST_COMMANDS:
        raise FilesDifferError(
            f"the README has {len(commands)} examples of commands; expected {FEWEST_COMMANDS} or more"
        )
    elsewhere = _empty(folder / "commands")
    write_example_files(elsewhere)
    for command in ("infodis-stats --help", "infodis-stats doctor", *commands):
        with _step(command):
            run(shlex.split(command), elsewhere, first=user.python.parent)
    with _step("estimators with numpy and torch alone"):
        bare = make_environment(folder / "bare", constraints, python)
        bare.install("numpy", "torch")
        bare.install("--no-deps", str(wheel))
        shutil.copy(HERE / "bare_estimators.py", _empty(folder / "estimators"))
        run([str(bare.python), "bare_estimators.py"], folder / "estimators")


def _build(tools: Environment, direct: Path) -> tuple[Path, Path]:
    """Build a source distribution, a wheel from it, and a wheel from the repository; check the first two's metadata."""
    build = [str(tools.python), "-m", "build"]
    run([*build, "--outdir", str(OUT), str(ROOT)], tools.folder)
    run([*build, "--wheel", "--outdir", str(direct), str(ROOT)], tools.folder)
    (wheel,) = OUT.glob("*.whl")
    (sdist,) = OUT.glob("*.tar.gz")
    run([str(tools.python), "-m", "twine", "--no-color", "check", "--strict", str(wheel), str(sdist)], tools.folder)
    return wheel, sdist


def _check_types(user: Environment, folder: Path) -> None:
    """Check a user's code with mypy in strict mode, and that mypy finds errors in false code."""
    text = (HERE / "typed_user.py").read_text(encoding="utf-8")
    (folder / "user.py").write_text(text, encoding="utf-8")
    (folder / "false.py").write_text(text + FALSE_TYPES, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(user.python), "--no-error-summary"]
    run([*mypy, "user.py"], folder)
    try:
        run([*mypy, "false.py"], folder)
    except CommandError as error:
        found = str(error).count("error:")
        if found == ERRORS:
            return
        raise CommandError(f"mypy finds {found} errors in code with two wrong types\n{error}") from None
    raise CommandError("mypy finds nothing wrong with wrong types: the public names have none from outside")


def _run_code(user: Environment, folder: Path) -> None:
    code = code_examples((ROOT / "README.md").read_text(encoding="utf-8"))
    (folder / "readme.py").write_text(code, encoding="utf-8")
    run([str(user.python), "readme.py"], folder)
    where = run([str(user.python), "-c", "import infodis_stats as ids; print(ids.__file__)"], folder).strip()
    if not Path(where).is_relative_to(user.folder):
        raise CommandError(f"the examples ran with {where}, not with the wheel")


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _step(name: str) -> Iterator[None]:
    print(f"{name:<60}", end=" ", flush=True)
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:5.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
