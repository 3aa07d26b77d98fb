"""Lock everything that this checkout installs: versions and hashes.

Writes three files in ``requirements/``, each for all supported systems and Python versions:

``hatch.txt``   the build tool and its dependencies, which ``scripts/hatch`` installs
``tests.txt``   the dependencies of the packages and the tests, for Python 3.10 and later
``tools.txt``   the linters, the site and the build, for Python 3.11 and later

``scripts/hatch`` passes the last two to uv as constraints for every environment.
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
    """Return the dependencies of the environments in ``hatch.toml``.

    Args:
        root: The checkout.
        tools: True for the environments of the tools, False for all others.

    Returns:
        PEP 508 requirements.
    """
    environments = read_toml(root / "hatch.toml")["envs"]
    chosen = (env for name, env in environments.items() if (name in TOOLS) is tools)
    return [line for env in chosen for line in env.get("dependencies", [])]


def of_packages(root: Path) -> list[str]:
    """Return the dependencies of the packages and their extras, without each other.

    Args:
        root: The checkout.

    Returns:
        PEP 508 requirements.
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
        requirements: PEP 508 requirements.
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
