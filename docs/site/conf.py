"""Settings of Sphinx. `build.py` prepares the pages and starts it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "pullback"
author = "The pullback developers"
copyright = author
html_title = "pullback"

extensions = ["docstrings", "mathml", "tables", "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_design"]
exclude_patterns = ["include/**"]
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["style.css"]
html_show_sphinx = False
html_show_search_summary = False  # browsers do not let pages read each other without a server
html_show_copyright = False
html_copy_source = False
html_math_renderer = "mathml"
html_theme_options = {"light_css_variables": {"color-brand-primary": "#1f4e79", "color-brand-content": "#1f5f99"}}
pygments_style = "friendly"

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4

# Notebooks are run every time, since what they show depends on the library, and an exception in one ends the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_rtype = False
