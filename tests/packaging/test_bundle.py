"""The Claude Desktop bundle: locked, signed, unpacked, and run with its command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.environments import INSTALLER_ENVIRONMENT, ROOT
from support.index import Index

from .test_claude_desktop import CONVERSATION, TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

NODE_TOOLS = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or ROOT / ".hatch" / "node") / "bin"


@pytest.fixture(scope="module")
def index(wheels: Path, uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """An index with the built wheels."""
    folder = tmp_path_factory.mktemp("index")
    for wheel in wheels.glob("*.whl"):
        shutil.copy(wheel, folder)
    made = Index(folder, uv)
    yield made
    made.close()


def build(index: Index, wheels: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the bundle after the upload, like in a release."""
    script = ROOT / "scripts" / "build_mcpb.py"
    return subprocess.run(
        [sys.executable, script, "--wheels", wheels, folder],
        env={**INSTALLER_ENVIRONMENT, "UV_INDEX": f"{index.url}/simple"},
        text=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def bundle(index: Index, wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = build(index, wheels, tmp_path_factory.mktemp("bundle"))
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def test_the_bundle_runs_with_its_lock(
    bundle: Path, uv: Path, interpreter_3_10: Path, kernel: LocalKernel, tmp_path: Path
) -> None:
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(unpacked)
    manifest = json.loads((unpacked / "manifest.json").read_text())
    config = manifest["server"]["mcp_config"]
    settings = manifest["user_config"].items()
    asked = {name: str(field["default"]) for name, field in settings if "default" in field}
    asked |= {"api_key": kernel.api_key, "base_url": kernel.base_url, "read_only": "true"}

    def filled(text: str) -> str:
        """Fill in the placeholders, as Claude Desktop does."""
        for name, value in asked.items():
            text = text.replace(f"${{user_config.{name}}}", value)
        return text.replace("${__dirname}", str(unpacked))

    assert config["command"] == "uv"
    assert "--frozen" in config["args"]
    with subprocess.Popen(
        [uv, *map(filled, config["args"])],
        env={
            **INSTALLER_ENVIRONMENT,
            **{name: filled(value) for name, value in config["env"].items()},
            "HOME": str(tmp_path),
            "PATH": os.defpath,
            "UV_PYTHON": str(interpreter_3_10),
        },
        cwd=tmp_path,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for message in CONVERSATION:
                process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()
            answers: dict[int, dict[str, Any]] = {}
            while 2 not in answers:
                answer = json.loads(process.stdout.readline())
                answers[answer["id"]] = answer["result"]
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert answers[1]["serverInfo"]["name"] == "chaojiyuyan"
    readers = {"list_capabilities", "get_job", "wait_for_job", "list_artifacts"}
    offered = [tool["name"] for tool in answers[2]["tools"]]
    assert offered == [name for name in TOOLS if name.removeprefix("kernel_") in readers]


def test_the_lock_has_the_hash_of_every_version(bundle: Path, wheels: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        lock = archive.read("uv.lock").decode()
    (wheel,) = wheels.glob("chaojiyuyan_mcp-*.whl")
    assert f'name = "chaojiyuyan-mcp"\nversion = "{wheel.name.split("-")[1]}"' in lock
    files = [line for line in lock.splitlines() if ".whl" in line or ".tar.gz" in line]
    assert files
    assert all('hash = "sha256:' in line for line in files)


def test_another_wheel_on_the_index_is_refused(index: Index, wheels: Path, tmp_path: Path) -> None:
    others = tmp_path / "wheels"
    shutil.copytree(wheels, others)
    (core,) = others.glob("chaojiyuyan_core-*.whl")
    core.write_bytes(core.read_bytes() + b"\0")
    made = build(index, others, tmp_path / "bundle")
    assert made.returncode == 1
    assert "The chaojiyuyan-core on the index differs" in made.stderr


@pytest.mark.skipif(
    not (NODE_TOOLS / "mcpb").exists(),
    reason="no Node tools here: scripts/node-tools installs them",
)
def test_it_can_be_signed(bundle: Path, tmp_path: Path) -> None:
    signed = tmp_path / "signed.mcpb"
    shutil.copy(bundle, signed)

    def run(*command: str | Path) -> None:
        environment = {**os.environ, "PATH": f"{NODE_TOOLS}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    subject = ("-subj", "/CN=chaojiyuyan", "-days", "2")
    new_key = ("-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem")
    run("openssl", "req", "-x509", *new_key, *subject)
    run(NODE_TOOLS / "mcpb", "sign", "--cert", "cert.pem", "--key", "key.pem", signed)
    # mcpb 2.1 cannot verify its own signatures, a PKCS #7 signature after the archive; openssl can.
    content, _, rest = signed.read_bytes().partition(b"MCPB_SIG_V1")
    assert content == bundle.read_bytes()
    size = int.from_bytes(rest[:4], "little")
    (tmp_path / "content").write_bytes(content)
    (tmp_path / "signature").write_bytes(rest[4 : 4 + size])
    given = ("-inform", "DER", "-in", "signature", "-content", "content", "-binary")
    trust = ("-CAfile", "cert.pem", "-purpose", "any")
    run("openssl", "cms", "-verify", *given, *trust, "-out", "checked")
    run(NODE_TOOLS / "mcpb", "unpack", signed, tmp_path / "unpacked")
