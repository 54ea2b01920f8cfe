"""Formulas as MathML, by the converter of docutils: browsers typeset them without a script."""

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)


def _visit(writer: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    block = isinstance(node, nodes.math_block)
    try:
        formula = tex2mathml(node.astext(), as_block=block)
    except MathError as error:
        logger.warning("this formula cannot be typeset: %s: %s", error, node.astext(), location=node)
        formula = writer.encode(node.astext())
    number = writer.encode(f"({node['number']})") if block and node.get("number") else ""
    if block:
        identifiers = "".join(f'<span id="{name}"></span>' for name in node["ids"])
        writer.body.append(f'<div class="formula">{identifiers}{formula}<span>{number}</span></div>\n')
    else:
        writer.body.append(formula)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the renderer ``mathml``."""
    app.add_html_math_renderer("mathml", inline_renderers=(_visit, None), block_renderers=(_visit, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
