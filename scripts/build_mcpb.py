"""Build the Claude Desktop bundle: a few small files with which uv installs the server.

The manifest's version and tool list are those of the server in this checkout. The same checkout
gives the same bytes. With ``--wheels`` the bundle is locked: it contains a ``uv.lock`` with the
versions that the index serves now and their hashes, and the hashes of this project's distributions
must be those of the wheels in that folder. A release is locked after its wheels were uploaded.
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
    """Lock the bundle's dependencies to the versions that the index serves now.

    Args:
        wheels: The folder with the built wheels. Each of this project's distributions must have the
            same hash on the index.

    Returns:
        The text of ``uv.lock``.
    """
    beside_hatch = ROOT / ".hatch" / "tool" / "bin" / "uv"
    uv = beside_hatch if beside_hatch.exists() else shutil.which("uv")
    # A user does not have the constraints of the checkout.
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
            sys.exit(f"The {package['name']} on the index differs from the one in {wheels}")
    return text


def manifest(*, locked: bool) -> dict[str, object]:
    """Fill in the manifest from the server, and how uv starts it.

    Args:
        locked: Whether uv uses the bundle's lock.

    Returns:
        The manifest, version 0.4.
    """
    described = json.loads((DESKTOP / "manifest.json").read_text(encoding="utf-8"))
    if locked:
        described["server"]["mcp_config"]["args"].insert(1, "--frozen")
    tools = [{"name": tool.name, "description": tool.description} for tool in TOOLS]
    return {**described, "version": __version__, "tools": tools}


def contents(locked: bytes | None = None) -> dict[str, bytes]:
    """Return the files of the bundle.

    Args:
        locked: The text of ``uv.lock``, or None for a bundle without a lock.

    Returns:
        The bytes of each file by its name.
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
        folder: The target folder; created if it does not exist.
        wheels: The folder of the wheels for the lock; None for a bundle without a lock.

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
    parser.add_argument(
        "--wheels", type=Path, help="lock the bundle, and check it against these wheels"
    )
    args = parser.parse_args()
    print(build(args.dir, args.wheels))


if __name__ == "__main__":
    main()
