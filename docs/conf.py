"""The site: ``./scripts/hatch run docs:build``. Strict, and offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sphinx.util.logging import getLogger

import chaojiyuyan_sdk

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "chaojiyuyan SDK"
author = "chaojiyuyan"
project_copyright = "chaojiyuyan, MIT licence"
version = release = chaojiyuyan_sdk.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["requirements*.txt"]
html_theme = "furo"
html_title = f"chaojiyuyan SDK {release}"
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute with an entry of its own would be described twice

# Every reference to a name of ours must lead somewhere. The names of others have no page here.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!chaojiyuyan_).*"), ("py:(obj|class)", r".*\.(T_co|J)")]

DOCUMENTED = {"module", "class", "exception", "function", "method", "property"}


def require_docstring(
    _app: Sphinx, what: str, name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Warn, which fails the build, of what is public and says nothing."""
    if what in DOCUMENTED and not any(line.strip() for line in lines):
        getLogger(__name__).warning("%s %s has no docstring", what, name)


def setup(app: Sphinx) -> dict[str, Any]:
    """Hook the docstring check in."""
    app.connect("autodoc-process-docstring", require_docstring)
    return {"parallel_read_safe": True}
