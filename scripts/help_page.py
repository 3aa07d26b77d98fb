"""Write the copy of the help page that `chaojiyuyan --help` prints."""

from __future__ import annotations

from pathlib import Path

import chaojiyuyan_cli
from chaojiyuyan_cli._group import cli, render_help_page

PATH = Path(chaojiyuyan_cli.__file__).with_name("_help_page.py")


def render_module() -> str:
    """Return the source of the module that holds the page."""
    page = render_help_page(cli.make_context("chaojiyuyan", ["version"]))
    return f'''"""The help page, made by scripts/help_page.py from the commands. Do not edit it."""

PAGE = """\\
{page}"""
"""What `chaojiyuyan --help` prints."""
'''


if __name__ == "__main__":
    PATH.write_text(render_module(), encoding="utf-8")
