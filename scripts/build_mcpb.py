"""Make the Claude Desktop bundle: a few small files, from which uv installs the server.

The manifest's version and tool list are those of the server in this checkout. The same checkout
gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from pathlib import Path

from chaojiyuyan_mcp import __version__
from chaojiyuyan_mcp.tools import TOOLS

ROOT = Path(__file__).resolve().parents[1]
DESKTOP = ROOT / "packages" / "mcp" / "desktop"
EARLIEST = (1980, 1, 1, 0, 0, 0)

PROJECT = """\
[project]
name = "chaojiyuyan-desktop"
version = "{version}"
requires-python = ">=3.10"
dependencies = ["chaojiyuyan-mcp=={version}"]

[tool.uv]
package = false
"""

START = """\
import sys

from chaojiyuyan_mcp.__main__ import main

sys.exit(main())
"""


def manifest() -> dict[str, object]:
    """The manifest, with what the server alone knows."""
    fixed: dict[str, object] = json.loads((DESKTOP / "manifest.json").read_text(encoding="utf-8"))
    tools = [{"name": tool.name, "description": tool.description} for tool in TOOLS]
    return {**fixed, "version": __version__, "tools": tools}


def contents() -> dict[str, bytes]:
    """The files of the bundle by their names."""
    return {
        "manifest.json": json.dumps(manifest(), indent=2, ensure_ascii=False).encode() + b"\n",
        "pyproject.toml": PROJECT.format(version=__version__).encode(),
        "server.py": START.encode(),
        "icon.png": (DESKTOP / "icon.png").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
    }


def build(folder: Path) -> Path:
    """Write the bundle into a folder and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / f"chaojiyuyan-{__version__}.mcpb"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents().items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return bundle


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/build-mcpb", description=__doc__)
    parser.add_argument("dir", nargs="?", type=Path, default=ROOT / "dist", metavar="DIR")
    print(build(parser.parse_args().dir))


if __name__ == "__main__":
    main()
