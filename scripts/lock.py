"""Lock everything that this checkout installs: each version, with the hashes of its files.

Writes three files in ``requirements/``; each serves every system and Python that it is for:

``hatch.txt``   the build tool and its needs, which ``scripts/hatch`` installs
``tests.txt``   the packages' needs and the tests', from Python 3.10 on
``tools.txt``   the linters, the site and the build, from Python 3.11 on, as these ask for

``scripts/hatch`` hands the last two to uv as constraints for every environment.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
HATCH = "hatch==1.18.2"
TOOLS = {"lint", "build", "docs"}
"""The environments of the tools."""


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def of_environments(root: Path, *, tools: bool) -> list[str]:
    """Read what the environments of ``hatch.toml`` ask for.

    Args:
        root: The checkout.
        tools: Whether the environments of the tools are meant, or all others.

    Returns:
        Requirements by PEP 508.
    """
    environments = read_toml(root / "hatch.toml")["envs"]
    chosen = (env for name, env in environments.items() if (name in TOOLS) is tools)
    return [line for env in chosen for line in env.get("dependencies", [])]


def of_packages(root: Path) -> list[str]:
    """Read what the packages ask for, their extras too, siblings left out.

    Args:
        root: The checkout.

    Returns:
        Requirements by PEP 508.
    """
    found = []
    for path in sorted(root.glob("packages/*/pyproject.toml")):
        described = read_toml(path)
        found += described["build-system"]["requires"]
        found += described["project"]["dependencies"]
        for extra in described["project"].get("optional-dependencies", {}).values():
            found += extra
    return [line for line in found if not re.match(r"chaojiyuyan-", line)]


def compile_lock(requirements: list[str], target: Path, *options: str | Path) -> None:
    """Resolve requirements and write them with their hashes.

    Args:
        requirements: Requirements by PEP 508.
        target: The file to write. Versions that it holds are kept where they still fit.
        options: More options of ``uv pip compile``.
    """
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "requirements.in")
        source.write_text("\n".join(sorted({*requirements})) + "\n", encoding="utf-8")
        command = [
            *("uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"),
            *("--no-header", "--no-annotate", "--output-file", target, *options, source),
        ]
        subprocess.run(command, check=True, cwd=folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/lock", description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    tests = FOLDER / "tests.txt"
    needs = of_packages(ROOT)
    oldest = ("--python-version", "3.10", *upgrade)
    compile_lock([HATCH], FOLDER / "hatch.txt", *oldest)
    compile_lock([*needs, *of_environments(ROOT, tools=False)], tests, *oldest)
    compile_lock(
        [*needs, *of_environments(ROOT, tools=True)],
        FOLDER / "tools.txt",
        *("--python-version", "3.11", "--constraint", tests, *upgrade),
    )


if __name__ == "__main__":
    main()
