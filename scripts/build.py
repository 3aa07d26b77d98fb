"""Build the wheel and the sdist of every distribution, reproducibly, and check them.

Each wheel is built from its sdist, so a file that is missing in the sdist is noticed. Everything
is built twice, from two copies of the sources, and the build fails if the bytes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[1]


def copy_sources(source: Path, target: Path) -> Path:
    """Copy the packages and the ``.gitignore``, which the archives are built from."""
    junk = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(source / "packages", target / "packages", ignore=junk)
    shutil.copyfile(source / ".gitignore", target / ".gitignore")
    return target


BUILD_ALL = """
import os, sys, tarfile, tempfile
from pathlib import Path
from hatchling import build

out = sys.argv[1]
for package in sorted(Path("packages").resolve().iterdir()):
    os.chdir(package)
    sdist = build.build_sdist(out)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(Path(out, sdist)) as archive:
            archive.extractall(folder)
        (unpacked,) = Path(folder).iterdir()
        os.chdir(unpacked)
        build.build_wheel(out)
        os.chdir(package)
"""
"""Builds every sdist, and its wheel from it, with the backend's PEP 517 hooks, in one process."""


def start_build(source: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start to build every package of ``source`` into its ``dist``."""
    out = source / "dist"
    out.mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", BUILD_ALL, out],
        cwd=source,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def hashes_of(source: Path, build: subprocess.Popen[str]) -> dict[str, str]:
    """Wait for a build, and return the SHA-256 of each file by its name."""
    output, _ = build.communicate()
    if build.returncode:
        sys.exit(f"{source.name} does not build:\n{output}")
    files = (source / "dist").iterdir()
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def reproducible_environment() -> dict[str, str]:
    """Return the environment in which every file in an archive gets the last commit's time."""
    environment = dict(os.environ)
    if "SOURCE_DATE_EPOCH" not in environment:
        log = subprocess.run(
            ["git", "-C", ROOT, "log", "-1", "--format=%ct"],
            check=False,
            capture_output=True,
            text=True,
        )
        if log.returncode == 0:  # outside a git checkout hatchling uses its own fixed time
            environment["SOURCE_DATE_EPOCH"] = log.stdout.strip()
    return environment


def check_bills(wheels: list[Path]) -> None:
    """Validate the bill of materials in each wheel with the CycloneDX schema."""
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            bills = [name for name in archive.namelist() if "/sboms/" in name]
            if len(bills) != 1:
                sys.exit(f"{wheel.name} holds {len(bills)} bills of materials")
            if fault := validator.validate_str(archive.read(bills[0]).decode()):
                sys.exit(f"{wheel.name}: {bills[0]}: {fault}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/build", description=__doc__)
    parser.add_argument("dir", nargs="?", type=Path, default=ROOT / "dist", metavar="DIR")
    out = parser.parse_args().dir
    environment = reproducible_environment()

    with tempfile.TemporaryDirectory() as scratch:
        one = copy_sources(ROOT, Path(scratch, "one"))
        two = copy_sources(one, Path(scratch, "another"))
        first, second = start_build(one, environment), start_build(two, environment)
        hashes, again = hashes_of(one, first), hashes_of(two, second)
        if changed := sorted(name for name in hashes if again.get(name) != hashes[name]):
            sys.exit(f"These files differ between two builds: {', '.join(changed)}")

        files = sorted((one / "dist").iterdir())
        wheels = [file for file in files if file.suffix == ".whl"]
        subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)
        subprocess.run([sys.executable, "-m", "check_wheel_contents", *wheels], check=True)
        check_bills(wheels)

        out.mkdir(parents=True, exist_ok=True)
        for old in (*out.glob("chaojiyuyan_*.whl"), *out.glob("chaojiyuyan_*.tar.gz")):
            old.unlink()
        for file in files:
            shutil.copyfile(file, out / file.name)
            print(f"{hashes[file.name]}  {file.name}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
