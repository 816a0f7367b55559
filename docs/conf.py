"""How Sphinx builds the manual: `make docs`."""

from inference_core import __version__

project = "MRSISuperRes"
author = "The MRSISuperRes developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
# A name that is imported into a package's face has two places.
suppress_warnings = ["ref.python"]
if tags.has("pages"):  # noqa: F821
    # A quick check of the pages alone: `sphinx-build -t pages`.
    exclude_patterns += ["api"]
    suppress_warnings += ["toc.excluded", "toc.not_readable", "myst.xref_missing"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

# In docstrings, single backticks are code.
default_role = "code"
autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"MRSISuperRes {release}"
html_static_path = ["_static"]
html_show_sphinx = False
html_logo = "../Resources/Icons/MRSISuperRes.png"
html_theme_options = {
    "source_repository": "https://github.com/MRSISuperRes/MRSISuperRes/",
    "source_branch": "main",
    "source_directory": "docs/",
}
