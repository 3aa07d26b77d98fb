"""The Claude Desktop bundle, unpacked and run by its own command from the built wheels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from support.environments import INSTALLER_ENVIRONMENT, ROOT

from .test_claude_desktop import CONVERSATION, TOOLS

if TYPE_CHECKING:
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel


def test_it_runs_from_the_built_wheels(
    wheels: Path, uv: Path, interpreter_3_10: Path, kernel: LocalKernel, tmp_path: Path
) -> None:
    script = [sys.executable, ROOT / "scripts" / "build_mcpb.py", tmp_path]
    subprocess.run(script, check=True, capture_output=True, timeout=60)
    (bundle,) = tmp_path.glob("*.mcpb")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(unpacked)
    config = json.loads((unpacked / "manifest.json").read_text())["server"]["mcp_config"]
    asked = {"api_key": kernel.api_key, "base_url": kernel.base_url, "read_only": "true"}

    def filled(text: str) -> str:
        """Fill in the placeholders, as Claude Desktop does."""
        for name, value in asked.items():
            text = text.replace(f"${{user_config.{name}}}", value)
        return text.replace("${__dirname}", str(unpacked))

    assert config["command"] == "uv"
    with subprocess.Popen(
        [uv, *map(filled, config["args"])],
        env={
            **INSTALLER_ENVIRONMENT,
            **{name: filled(value) for name, value in config["env"].items()},
            "HOME": str(tmp_path),
            "PATH": os.defpath,
            "UV_FIND_LINKS": str(wheels),
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
