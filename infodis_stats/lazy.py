"""What is imported on first use, so that a command imports only what it needs."""

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

__all__ = ["attach", "on_first_call"]


def attach(package: str, stub: Path | str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package, by PEP 562.

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    stub : Path or str
        The file that says which names come from which modules, as ``from .module import name as name``: type checkers
        read the same file. ``__file__`` of the package means ``__init__.pyi`` beside it. No name may be that of a
        module of the package, because Python itself binds the modules of a package.

    Returns
    -------
    tuple
        The two functions and the list of names.

    Examples
    --------
    >>> from infodis_stats import analysis
    >>> analysis.student_t.__module__  # imported now, if nothing else has imported it
    'infodis_stats.analysis.intervals'
    """
    lines = ast.parse(Path(stub).with_suffix(".pyi").read_text("utf-8")).body
    imports = [line for line in lines if isinstance(line, ast.ImportFrom)]
    modules = {alias.name: f"{package}.{line.module}" for line in imports for alias in line.names}

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(modules[name]), name)
        setattr(sys.modules[package], name, value)  # the next access does not come here
        return value

    return get, lambda: sorted(modules), list(modules)


def on_first_call(path: str) -> Callable[..., Any]:
    """Return a function that stands for another one, whose module is imported when it is called.

    Parameters
    ----------
    path : str
        The module and the function, as ``package.module:function``.

    Examples
    --------
    >>> on_first_call("math:sqrt")(4)
    2.0
    """

    def call(*arguments: Any) -> Any:
        return resolve_name(path)(*arguments)

    return call
