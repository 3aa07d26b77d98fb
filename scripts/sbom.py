"""Write the bill of materials of every distribution: CycloneDX, for its wheel by PEP 770.

It lists what is inside a wheel: the distribution itself, and the files of others that come with
it. What a distribution asks for is in its metadata, and is installed beside it. The file is
committed as ``packages/<name>/sbom.cdx.json``, so that every build of a checkout has it;
``scripts/bump`` writes it again, and a test fails where it is not up to date.
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
    """Files of another project that a distribution brings, byte for byte as npm has them.

    Attributes:
        name: The npm package.
        version: Its version.
        license: An SPDX expression.
        homepage: Where it is from.
        files: Their paths below the distribution's ``src`` folder.
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
"""What each distribution brings along, by its folder's name."""


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
    """Describe what is inside the wheel of a package.

    Args:
        package: The package's folder.

    Returns:
        A CycloneDX 1.6 document. It holds no time and no random number, so the same sources give
        the same bytes.
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
