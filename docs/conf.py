"""How Sphinx builds the documentation: `make docs` writes it to out/docs, without the network."""

import os
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

os.environ["PYTHONPATH"] = str(ROOT)  # notebooks run in processes and folders of their own, on the same code

project = "infodis-stats"
author = "The infodis-stats developers"
version = release = metadata.version("infodis-stats")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_design",
    "mathml",
    "public_names",
    "sources",
]
exclude_patterns = ["_ext"]

nitpicky = True
autodoc_typehints = "none"  # the docstrings give types, with shapes
autodoc_preserve_defaults = True
add_module_names = False
default_role = "name"  # see public_names.py
toc_object_entries_show_parents = "hide"
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_url_schemes = {"http": None, "https": None, "mailto": None, "site": {"url": "{{path}}"}}  # site: see sources.py
nb_execution_mode = "cache"  # a notebook that has not changed is not run again: delete the folder to run all
nb_execution_cache_path = str(ROOT / "out" / "notebooks")
nb_execution_in_temp = True  # files that notebooks write
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_ipywidgets_js = {}  # no scripts of other servers
nb_merge_streams = True

html_theme = "pydata_sphinx_theme"
html_title = "infodis-stats"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_sidebars = {name: [] for name in ("start", "caveats")}  # pages without a section of their own
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 10,
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "show_nav_level": 1,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
