"""Write the bill of materials of every distribution: CycloneDX, included in its wheel (PEP 770).

It lists the content of the wheel: the distribution itself, and bundled files of other projects.
Dependencies are not listed; they are in the distribution's metadata. The file is committed as
``packages/<name>/sbom.cdx.json``, so that every build of a checkout includes it. ``scripts/bump``
updates it, and a test fails if it is out of date.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FILE = "sbom.cdx.json"


@dataclass(frozen=True)
class Vendored:
    """Bundled files of another project, identical to those on npm.

    Attributes:
        name: The npm package.
        version: Its version.
        license: An SPDX expression.
        homepage: The project's URL.
        files: The paths of the files below the distribution's ``src`` folder.
    """

    name: str
    version: str
    license: str
    homepage: str
    files: tuple[str, ...]


STATIC = "chaojiyuyan_devserver/_console/static"
VENDORED = {
    "devserver": (
        Vendored(
            name="htmx.org",
            version="4.0.1",
            license="0BSD",
            homepage="https://htmx.org",
            files=(f"{STATIC}/htmx.min.js", f"{STATIC}/hx-sse.min.js"),
        ),
    ),
}
"""The bundled files of each distribution, by the name of its folder."""


def component_of(vendored: Vendored, source: Path) -> dict[str, Any]:
    """Describe files of another project, each with its hash."""
    purl = f"pkg:npm/{vendored.name}@{vendored.version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": vendored.name,
        "version": vendored.version,
        "licenses": [{"expression": vendored.license}],
        "purl": purl,
        "externalReferences": [{"type": "website", "url": vendored.homepage}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"{purl}#{Path(file).name}",
                "name": file,
                "hashes": [{"alg": "SHA-256", "content": sha256(source / file)}],
            }
            for file in vendored.files
        ],
    }


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def bill_of(package: Path) -> dict[str, Any]:
    """Describe the content of a package's wheel.

    Args:
        package: The package's folder.

    Returns:
        A CycloneDX 1.6 document. It contains no time and no random number, so the same sources
        give the same bytes.
    """
    text = (package / "pyproject.toml").read_text(encoding="utf-8")
    described = dict(re.findall(r'(?m)^(name|description|license|Homepage) = "(.*?)"', text))
    source = package / "src"
    version_file = source / f"chaojiyuyan_{package.name}" / "_version.py"
    version = re.findall(r'"([\d.]+)"', version_file.read_text(encoding="utf-8"))[0]
    purl = f"pkg:pypi/{described['name']}@{version}"
    components = [component_of(each, source) for each in VENDORED.get(package.name, ())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": purl,
                "name": described["name"],
                "version": version,
                "description": described["description"],
                "licenses": [{"expression": described["license"]}],
                "purl": purl,
                "externalReferences": [
                    {"type": "website", "url": described["Homepage"]},
                ],
            },
        },
        "components": components,
        "dependencies": [
            {"ref": purl, "dependsOn": [component["bom-ref"] for component in components]},
        ],
    }


def text_of(package: Path) -> str:
    """Write the bill of a package as the text of its file."""
    return json.dumps(bill_of(package), indent=2) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/sbom", description=__doc__)
    parser.parse_args()
    for package in sorted((ROOT / "packages").iterdir()):
        (package / FILE).write_text(text_of(package), encoding="utf-8")


if __name__ == "__main__":
    main()
