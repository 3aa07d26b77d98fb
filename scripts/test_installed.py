"""Run the tests on the built wheels instead of the checkout.

uv resolves the lowest or the highest versions of the dependencies that are allowed and have wheels
for the Python, and the newest for the tests. pip or uv installs them with the wheels.
``CHAOJIYUYAN_WHEELS`` names a folder of wheels; without it, ``scripts/build`` makes them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lock import of_environments, of_packages

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = sorted(path.name for path in (ROOT / "packages").iterdir())
UV = ROOT / ".hatch" / "tool" / "bin" / "uv"
# The lock files are only for the checkout's environments.
VARIABLES = {name: value for name, value in os.environ.items() if name != "UV_CONSTRAINT"}
TESTS = "tests-of-the-checkout"
CHECK = """
import importlib, sysconfig

for name in {names}:
    module = importlib.import_module(name)
    assert module.__file__.startswith(sysconfig.get_path("purelib")), module.__file__
"""


def run(*command: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a program; if it fails, exit with its code."""
    done = subprocess.run([*map(str, command)], check=False, cwd=ROOT, env=environment)
    if done.returncode:
        sys.exit(done.returncode)


def built_wheels(folder: Path) -> list[Path]:
    """Return the wheels to test; build them unless a folder is given."""
    given = os.environ.get("CHAOJIYUYAN_WHEELS")
    if given is None:
        run(ROOT / "scripts" / "build", folder)
    return sorted(Path(given or folder).glob("chaojiyuyan_*.whl"))


def resolve(args: argparse.Namespace, wanted: list[str], folder: Path) -> Path:
    """Resolve the dependencies of the distributions and of the tests.

    Args:
        args: The Python and the dependencies.
        wanted: The wheels and their dependencies.
        folder: The folder for the files.

    Returns:
        The path of the file with the versions.
    """
    # As the dependencies of a project, the tests' get the newest versions that fit.
    tests = folder / TESTS
    tests.mkdir()
    needs = of_environments(ROOT, tools=False)
    project = f'[project]\nname = "{TESTS}"\nversion = "0"\ndependencies = {json.dumps(needs)}\n'
    (tests / "pyproject.toml").write_text(project, encoding="utf-8")
    source, pins = folder / "wanted.in", folder / "pins.txt"
    lines = [*wanted, f"{TESTS} @ {tests.as_uri()}"]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    resolution = {"lowest": "lowest-direct", "highest": "highest"}[args.dependencies]
    run(
        *(UV, "pip", "compile", "--quiet", "--no-header", "--no-annotate", source),
        *("--resolution", resolution, "--only-binary", ":all:", "--python", args.python),
        *("--no-emit-package", TESTS, "--output-file", pins),
        environment=VARIABLES,
    )
    return pins


def install(args: argparse.Namespace, wheels: list[Path], environment: Path) -> None:
    """Create an environment with the wheels, their dependencies and those of the tests.

    Args:
        args: The Python, the dependencies and the installer.
        wheels: The wheels.
        environment: The environment's folder.
    """
    names = [wheel.name.partition("-")[0].replace("_", "-") for wheel in wheels]
    files = [f"{name} @ {wheel.as_uri()}" for name, wheel in zip(names, wheels, strict=True)]
    pins = resolve(args, [*files, *of_packages(ROOT)], environment.parent)
    seed = ["--seed"] if args.installer == "pip" else []
    run(UV, "venv", "--quiet", *seed, "--python", args.python, environment, environment=VARIABLES)
    python = environment / "bin" / "python"
    installer = [python, "-m", "pip"] if args.installer == "pip" else [UV, "pip"]
    there = [] if args.installer == "pip" else ["--python", python]
    run(*installer, "install", "--quiet", *there, "--requirement", pins, environment=VARIABLES)
    modules = [name.replace("-", "_") for name in names]
    run(python, "-I", "-c", CHECK.format(names=modules))


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/test-installed", description=__doc__)
    parser.add_argument("--python", default="3.10", help="the Python version, 3.10 by default")
    parser.add_argument("--dependencies", choices=["lowest", "highest"], default="lowest")
    parser.add_argument("--installer", choices=["pip", "uv"], default="uv")
    parser.add_argument("folders", nargs="*", default=FOLDERS, metavar="FOLDER")
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="chaojiyuyan-installed-"))
    try:
        environment = scratch / "environment"
        install(args, built_wheels(scratch / "wheels"), environment)
        print(f"Python {args.python}, {args.dependencies}, {args.installer}", flush=True)
        folders = [f"tests/{name}" for name in args.folders]
        pytest = (environment / "bin" / "python", "-m", "pytest", "-q")
        run(*pytest, "--numprocesses", "2", "--dist", "loadfile", *folders)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
