"""The reference of the public names, and links to it from everywhere else.

In docstrings every name in single backticks is looked up, as in ``see `draw```; on other pages, names of classes, and
functions with the package before them, as in ``ids.draw``.
"""

import ast
import inspect
import re
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import roles
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

import estimators
import infodis_stats
from infodis_stats import analysis

NOT_INHERITED = "Module, BaseException, Protocol, ABC, Generic, object"
"""Base classes whose members say nothing about likelihoods."""

PREFIXED = re.compile(r"(?:ids|infodis_stats|estimators)\.(\w+)(?:\(.*\))?", re.DOTALL)


def modules() -> dict[str, str]:
    """Return the module that each public name is imported from.

    Examples
    --------
    >>> modules()["estimate_nll"], modules()["Sobol"]
    ('infodis_stats.estimates', 'estimators.designs')
    """
    found = {}
    for file, package in ((estimators.__file__, ""), (infodis_stats.__file__, "infodis_stats.")):
        path = Path(file) if not package else Path(file).with_name("public.pyi")
        for line in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(line, ast.ImportFrom):
                found |= {alias.name: f"{package}{line.module}" for alias in line.names}
    return found


def full_name(name: str) -> str:
    """Return a public name with the package that the reference documents it in."""
    return f"{'estimators' if name in estimators.__all__ else 'infodis_stats'}.{name}"


def names_of(*prefixes: str) -> list[str]:
    """Return the full names that come from modules, or from packages with everything in them.

    Those of `infodis_stats.analysis` are public there, and not at the top level.

    Examples
    --------
    >>> names_of("estimators.auto")
    ['estimators.Auto']
    """
    if prefixes == (analysis.__name__,):
        return [f"{analysis.__name__}.{name}" for name in analysis.__all__]
    return [
        full_name(name)
        for name, module in modules().items()
        if any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)
    ]


def generate(*prefixes: str) -> str:
    """Return the documentation of the public names of some modules: a table, then every name."""
    names = names_of(*prefixes)
    if not names:
        raise ValueError(f"no public name comes from {', '.join(prefixes)}")
    table = [".. autosummary::", "   :nosignatures:", "", *(f"   ~{name}" for name in names)]
    return "\n".join(["```{eval-rst}", *table, "", *(_entry(name) for name in names), "```"])


def _entry(name: str) -> str:
    package, _, short = name.rpartition(".")
    value = getattr(import_module(package), short)
    if inspect.isclass(value):
        if issubclass(value, BaseException):
            signature = "" if "__init__" in vars(value) else "(message)"
            return f".. autoexception:: {name}{signature}\n"
        return f".. autoclass:: {name}\n   :members:\n   :inherited-members: {NOT_INHERITED}\n"
    if callable(value):
        return f".. autofunction:: {name}\n"
    words = [f"   {line}" for line in _words_below(short, value).splitlines()]
    return "\n".join([f".. py:data:: {short}", f"   :module: {package}", "", *words, ""])


def _words_below(name: str, value: Any) -> str:
    """Return the string below the definition of a constant or of a type that is no class."""
    for module in list(sys.modules.values()):
        if getattr(module, name, None) is value and module.__name__.startswith(("estimators", "infodis_stats")):
            lines = ast.parse(inspect.getsource(module)).body
            for line, below in pairwise(lines):
                targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
                if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                    return str(ast.literal_eval(below.value)) if isinstance(below, ast.Expr) else ""
    return ""


def _short_signature(app: Sphinx, kind: str, name: str, value: Any, *_: Any) -> tuple[str, None] | None:
    """Leave out the arguments of protocols, which nobody calls."""
    return ("", None) if inspect.isclass(value) and getattr(value, "_is_protocol", False) else None


def _name_role(role: str, raw: str, text: str, *_: Any, **__: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    return [nodes.literal(raw, text, classes=["name"])], []


class Links(SphinxPostTransform):
    """Turns code that is a public name into a link to the reference."""

    default_priority = 5  # before references are resolved

    def run(self, **_: Any) -> None:
        """Link the names of a page."""
        known = modules()
        for literal in list(self.document.findall(nodes.literal)):
            if (
                isinstance(literal.parent, nodes.title | nodes.reference | pending_xref)
                or literal.parent.parent is None
            ):
                continue
            text = literal.astext()
            match = PREFIXED.fullmatch(text)
            name = match[1] if match else text
            if name in known and (match or "name" in literal["classes"] or name[0].isupper()):
                link = pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=full_name(name), refexplicit=True, refwarn=True
                )
                link["refdoc"] = self.env.docname
                literal.replace_self(link)
                link += literal


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the role of names in docstrings, the links, and the signatures of protocols."""
    roles.register_local_role("name", _name_role)
    app.add_post_transform(Links)
    app.connect("autodoc-process-signature", _short_signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
