"""The Claude Desktop bundle and the registry entry. tests/packaging runs the bundle."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chaojiyuyan_core.settings import API_KEY_VARIABLES, BASE_URL_VARIABLES
from chaojiyuyan_mcp import __version__
from chaojiyuyan_mcp._options import (
    ASK_ABOVE_VARIABLE,
    BUDGET_VARIABLE,
    READ_ONLY_VARIABLE,
    TOOLSET_VARIABLE,
    TOOLSETS,
    choose_smaller,
)
from chaojiyuyan_mcp._tools import TOOLS

ROOT = Path(__file__).parents[2]
NODE_TOOLS = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or ROOT / ".hatch" / "node") / "bin"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = build(tmp_path_factory.mktemp("dist"))
    return path


def build(folder: Path) -> Path:
    made: Path = runpy.run_path(str(ROOT / "scripts" / "build_mcpb.py"))["build"](folder)
    return made


@pytest.fixture
def manifest(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        loaded: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return loaded


def test_the_build_script_names_the_bundle(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "scripts" / "build_mcpb.py"), str(tmp_path / "new")]
    made = subprocess.run(script, capture_output=True, text=True, timeout=60, check=True)
    expected = tmp_path / "new" / f"chaojiyuyan-{__version__}.mcpb"
    assert made.stdout.strip() == str(expected)
    assert expected.exists()


def test_the_same_checkout_gives_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == bundle.read_bytes()


def test_the_manifest_matches_the_server(manifest: dict[str, Any]) -> None:
    assert (manifest["manifest_version"], manifest["version"]) == ("0.4", __version__)
    assert [tool["name"] for tool in manifest["tools"]] == [tool.name for tool in TOOLS]
    assert manifest["server"]["type"] == "uv"


def test_the_manifest_declares_the_key_as_a_secret(manifest: dict[str, Any]) -> None:
    asked = manifest["user_config"]
    assert (asked["api_key"]["sensitive"], asked["api_key"]["required"]) == (True, True)
    env = manifest["server"]["mcp_config"]["env"]
    assert env == {
        API_KEY_VARIABLES[0]: "${user_config.api_key}",
        BASE_URL_VARIABLES[0]: "${user_config.base_url}",
        READ_ONLY_VARIABLE: "${user_config.read_only}",
        ASK_ABOVE_VARIABLE: "${user_config.ask_above}",
        BUDGET_VARIABLE: "${user_config.budget}",
    }
    # Optional settings have a default, so that a variable never contains the placeholder.
    assert all("default" in each for each in asked.values() if not each["required"])


def test_the_bundle_asks_above_0_and_has_no_budget(manifest: dict[str, Any]) -> None:
    asked = manifest["user_config"]
    environ = {
        ASK_ABOVE_VARIABLE: str(asked["ask_above"]["default"]),
        BUDGET_VARIABLE: str(asked["budget"]["default"]),
    }
    assert choose_smaller(environ, ASK_ABOVE_VARIABLE, "--ask-above", None) == 0
    assert choose_smaller(environ, BUDGET_VARIABLE, "--budget", None) is None


def test_the_bundle_has_only_the_expected_files(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        assert sorted(archive.namelist()) == [
            "LICENSE",
            "icon.png",
            "manifest.json",
            "pyproject.toml",
            "server.py",
        ]
        assert f'"chaojiyuyan-mcp=={__version__}"' in archive.read("pyproject.toml").decode()
        assert archive.read("icon.png").startswith(b"\x89PNG")


@pytest.mark.skipif(
    not (NODE_TOOLS / "mcpb").exists(),
    reason="no Node tools here: scripts/node-tools installs them",
)
def test_mcpb_accepts_the_bundle(bundle: Path, tmp_path: Path) -> None:
    path = f"{NODE_TOOLS}{os.pathsep}{os.environ['PATH']}"
    for command in (["unpack", bundle, tmp_path / "x"], ["validate", tmp_path / "x/manifest.json"]):
        done = subprocess.run(
            [str(NODE_TOOLS / "mcpb"), *map(str, command)],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ERROR" not in done.stdout


def test_the_registry_entry_is_valid() -> None:
    entry = json.loads((ROOT / "packages" / "mcp" / "server.json").read_text(encoding="utf-8"))
    readme = (ROOT / "packages" / "mcp" / "README.md").read_text(encoding="utf-8")
    assert f"mcp-name: {entry['name']}" in readme
    assert len(entry["description"]) <= 100
    assert entry["version"] == __version__
    (package,) = entry["packages"]
    assert (package["identifier"], package["version"]) == ("chaojiyuyan-mcp", __version__)
    variables = {each["name"]: each for each in package["environmentVariables"]}
    assert variables[API_KEY_VARIABLES[0]]["isSecret"] is True
    assert variables[TOOLSET_VARIABLE]["choices"] == list(TOOLSETS)
    assert set(variables) == {
        API_KEY_VARIABLES[0],
        BASE_URL_VARIABLES[0],
        READ_ONLY_VARIABLE,
        TOOLSET_VARIABLE,
        ASK_ABOVE_VARIABLE,
        BUDGET_VARIABLE,
    }
