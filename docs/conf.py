"""The site: `make docs` builds it into build/docs. It asks for nothing from elsewhere, fonts and scripts included."""

import re
from importlib import metadata

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "cropworth"
project_copyright = "the authors of cropworth"
release = metadata.version("cropworth")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["conf.py"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 4  # the same links as on a code host: page.md#heading
suppress_warnings = ["myst.header"]  # results printed by `cropworth report` begin with the heading of their place there

html_theme = "furo"
html_title = "cropworth"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#00588f", "color-brand-content": "#00588f"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "exclude-members": "training, forward"}
autoclass_content = "class"
napoleon_numpy_docstring = False
napoleon_use_rtype = False

default_role = "code"  # `names` in docstrings are names


def plain(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text: their asterisks and bars are signs of arithmetic, and no markup."""
    for place, line in enumerate(lines):
        lines[place] = "`".join(
            part if number % 2 else re.sub(r"[*|]", r"\\\g<0>", part) for number, part in enumerate(line.split("`"))
        )


def setup(app: Sphinx) -> None:
    """Before napoleon, whose priority is 500, adds markup of its own."""
    app.add_lexer("csv", TextLexer)
    app.connect("autodoc-process-docstring", plain, priority=400)


nitpicky = True  # a reference that leads nowhere is an error
nitpick_ignore_regex = [
    ("py:.*", r"(torch|numpy|np|nn|collections|pathlib|typing|F)(\..*)?"),
    # Aliases of types, which have no page.
    ("py:class", r"cropworth\.(crops\.spatial\.Reader|data\.signature\.Numbers|study\.classifier\.Classifier)"),
    ("py:class", r"dict\[str"),
]
