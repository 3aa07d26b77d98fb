"""Make the Claude Desktop bundle: a few small files, from which uv installs the server.

The manifest's version and tool list are those of the server in this checkout. The same checkout
gives the same bytes. With ``--wheels`` the bundle is locked: it holds a ``uv.lock`` with every
version that the index serves now, and their hashes; those of ours must be the hashes of the wheels
in that folder. A release is locked, after the wheels were uploaded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from chaojiyuyan_mcp import __version__
from chaojiyuyan_mcp._tools import TOOLS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

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

from chaojiyuyan_mcp import main

sys.exit(main())
"""


def lock(wheels: Path) -> bytes:
    """Lock what the bundle installs to what the index serves now.

    Args:
        wheels: The folder of the wheels that were built. Each distribution of ours must have the
            same hash on the index.

    Returns:
        The text of ``uv.lock``.
    """
    beside_hatch = ROOT / ".hatch" / "tool" / "bin" / "uv"
    uv = beside_hatch if beside_hatch.exists() else shutil.which("uv")
    # The constraints of the checkout are not those of a user.
    environment = {name: value for name, value in os.environ.items() if name != "UV_CONSTRAINT"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_bytes(contents()["pyproject.toml"])
        command = [str(uv), "lock", "--quiet", "--project", folder]
        subprocess.run(command, check=True, env=environment)
        text = Path(folder, "uv.lock").read_bytes()
    built = {
        f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" for wheel in wheels.glob("*.whl")
    }
    for package in tomllib.loads(text.decode())["package"]:
        served = {wheel["hash"] for wheel in package.get("wheels", [])}
        if package["name"].startswith("chaojiyuyan-") and not served <= built:
            sys.exit(f"The index serves another {package['name']} than {wheels} holds")
    return text


def manifest(*, locked: bool) -> dict[str, object]:
    """Fill in what the server alone knows, and how uv starts it.

    Args:
        locked: Whether uv is held to the bundle's lock.

    Returns:
        The manifest, version 0.4.
    """
    described = json.loads((DESKTOP / "manifest.json").read_text(encoding="utf-8"))
    if locked:
        described["server"]["mcp_config"]["args"].insert(1, "--frozen")
    tools = [{"name": tool.name, "description": tool.description} for tool in TOOLS]
    return {**described, "version": __version__, "tools": tools}


def contents(locked: bytes | None = None) -> dict[str, bytes]:
    """Make the files of the bundle.

    Args:
        locked: The text of ``uv.lock``, where there is one.

    Returns:
        Their bytes by their names.
    """
    described = json.dumps(manifest(locked=locked is not None), indent=2, ensure_ascii=False)
    files = {
        "manifest.json": described.encode() + b"\n",
        "pyproject.toml": PROJECT.format(version=__version__).encode(),
        "server.py": START.encode(),
        "icon.png": (DESKTOP / "icon.png").read_bytes(),
        "LICENSE": (ROOT / "LICENSE").read_bytes(),
    }
    return files if locked is None else {**files, "uv.lock": locked}


def build(folder: Path, wheels: Path | None = None) -> Path:
    """Write the bundle into a folder.

    Args:
        folder: Where it is written; made if it is missing.
        wheels: The wheels that the lock must agree with; without them there is no lock.

    Returns:
        The path of the bundle.
    """
    files = contents(lock(wheels) if wheels else None)
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / f"chaojiyuyan-{__version__}.mcpb"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return bundle


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/build-mcpb", description=__doc__)
    parser.add_argument("dir", nargs="?", type=Path, default=ROOT / "dist", metavar="DIR")
    parser.add_argument("--wheels", type=Path, help="lock the bundle, and hold it to these wheels")
    args = parser.parse_args()
    print(build(args.dir, args.wheels))


if __name__ == "__main__":
    main()
