"""The site: ``./scripts/hatch run docs:build``. Strict, and offline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util.logging import getLogger

import chaojiyuyan_sdk

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "chaojiyuyan SDK"
author = "chaojiyuyan"
project_copyright = "chaojiyuyan, MIT licence"
version = release = chaojiyuyan_sdk.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["requirements*.txt"]
html_theme = "furo"
html_logo = html_favicon = "logo.svg"
html_title = f"chaojiyuyan SDK {release}"
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = False
myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "tasklist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # an attribute with an entry of its own would be described twice

# Every reference to a name of ours must lead somewhere. The names of others have no page here.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!chaojiyuyan_).*|chaojiyuyan_\w+\._.*")]

TYPE_VARIABLES = {
    "C": "Client",
    "J": "Job | AsyncJob",
    "T": "Result",
    "T_co": "Result",
    "Function": "Callable",
    "LifespanT": "Callable",
    "Model": "BaseModel",
}
"""What a reader sees in the place of a type variable, or of a type that stands for another's."""

DOCUMENTED = {"module", "class", "exception", "function", "method", "property"}


def require_docstring(
    _app: Sphinx, what: str, name: str, obj: object, _options: object, lines: list[str]
) -> None:
    """Warn, which fails the build, of what is public and says nothing."""
    module = getattr(obj, "__module__", None) or "chaojiyuyan_"
    if not module.startswith("chaojiyuyan_"):
        return  # A module imports it; it is not shown.
    if what in DOCUMENTED and not any(line.strip() for line in lines):
        getLogger(__name__).warning("%s %s has no docstring", what, name)


def simplify(
    _app: Sphinx,
    _what: str,
    _name: str,
    _obj: object,
    _options: object,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Show ``**options`` without a type, since the docstring names them, and ``Flow[Result]``."""
    if signature:
        signature = re.sub(r": ~?[\w.]*Unpack\[[^\]]+\]", "", signature)
        signature = signature.replace("Flow[T]", "Flow[Result]")
    return signature, returned


def name_type(
    _app: Sphinx, _env: BuildEnvironment, node: nodes.Element, content: nodes.Element
) -> nodes.Element | None:
    """Show a type without a page of its own by a name that says what it is."""
    target = node.get("reftarget", "")
    name = target.rpartition(".")[2]
    if name in TYPE_VARIABLES:
        return nodes.inline(text=TYPE_VARIABLES[name])
    is_private = target.startswith("chaojiyuyan_") and "._" in target
    return content if is_private else None


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the docstring check and the names of types."""
    app.connect("autodoc-process-docstring", require_docstring)
    app.connect("autodoc-process-signature", simplify)
    app.connect("missing-reference", name_type)
    return {"parallel_read_safe": True}
