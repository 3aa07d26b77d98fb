"""PEP 740 attestations, made and verified like in a release, with a local Sigstore."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
NODE_TOOLS = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or ROOT / ".hatch" / "node")
WORKFLOW = "https://github.com/owner/name/.github/workflows/release.yml@refs/tags/v0.5.0"

pytestmark = pytest.mark.skipif(
    not (NODE_TOOLS / "node_modules" / "@sigstore").is_dir(),
    reason="no Node tools here: scripts/node-tools installs them",
)


def token() -> str:
    """Return a token like GitHub's for a workflow; the local authority checks no signature."""
    now = int(time.time())
    claims = {
        "aud": "sigstore",
        "iss": "https://token.actions.githubusercontent.com",
        "sub": WORKFLOW,
        "job_workflow_ref": WORKFLOW.removeprefix("https://github.com/"),
        "iat": now,
        "exp": now + 600,
    }
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".AA"


@pytest.fixture(scope="module")
def trust_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The trust config of a running Sigstore."""
    script = ROOT / "tests" / "support" / "sigstore.mjs"
    command = [NODE_TOOLS / "bin" / "node", script, NODE_TOOLS]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        path = tmp_path_factory.mktemp("sigstore") / "trust.json"
        path.write_text(process.stdout.readline(), encoding="utf-8")
        yield path
        process.terminate()


@pytest.fixture(scope="module")
def attest(trust_config: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs ``scripts/attest``."""

    def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
        command = [ROOT / "scripts" / "attest", *args, "--trust-config", trust_config]
        return subprocess.run(command, text=True, capture_output=True, timeout=200)

    return run


@pytest.fixture(scope="module")
def attested(
    wheels: Path,
    tmp_path_factory: pytest.TempPathFactory,
    attest: Callable[..., subprocess.CompletedProcess[str]],
) -> Path:
    """All files that a release uploads, each with its attestation."""
    folder = tmp_path_factory.mktemp("attested")
    for file in (*wheels.glob("*.whl"), *wheels.glob("*.tar.gz")):
        shutil.copy(file, folder)
    signed = attest("sign", folder, "--identity-token", token())
    assert signed.returncode == 0, signed.stderr
    return folder


def test_every_file_is_attested_and_verified(
    attested: Path, attest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    files = {file.name for file in attested.iterdir() if not file.name.endswith(".attestation")}
    packages = {path.name for path in (ROOT / "packages").iterdir()}
    assert len(files) == 2 * len(packages)
    assert {path.name for path in attested.glob("*.publish.attestation")} == {
        f"{name}.publish.attestation" for name in files
    }
    verified = attest("verify", attested, WORKFLOW)
    assert verified.returncode == 0, verified.stderr
    assert {line.split()[1] for line in verified.stdout.splitlines()} == files


def test_a_file_of_another_workflow_is_refused(
    attested: Path, attest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    refused = attest("verify", attested, WORKFLOW.replace("release.yml", "ci.yml"))
    assert refused.returncode == 1
    assert "ci.yml" in refused.stderr


def test_a_changed_file_is_refused(
    attested: Path, tmp_path: Path, attest: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (sdist,) = attested.glob("chaojiyuyan_core-*.tar.gz")
    for file in (sdist, sdist.with_name(f"{sdist.name}.publish.attestation")):
        shutil.copy(file, tmp_path)
    with (tmp_path / sdist.name).open("ab") as changed:
        changed.write(b"\0")
    refused = attest("verify", tmp_path, WORKFLOW)
    assert refused.returncode == 1
    assert "the attestation is of another file" in refused.stderr
