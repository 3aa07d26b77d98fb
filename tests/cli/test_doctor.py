"""`doctor` reports problems and how to repair them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.command_line import COMMAND, KEY

if TYPE_CHECKING:
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.fake_platform import FakePlatform


def checks(cli: Cli, **env: str) -> dict[str, dict[str, str]]:
    """Return the checks of --json by name."""
    found = json.loads(cli("doctor", "--json", **env).stdout)
    assert found["ok"] == all(check["status"] != "failed" for check in found["checks"])
    return {check["name"]: check for check in found["checks"]}


def test_all_checks_pass_after_connect(cli: Cli, kernel: LocalKernel) -> None:
    (cli.home / ".cursor").mkdir()
    cli(
        *("connect", "--api-key", kernel.api_key, "--base-url", kernel.base_url),
        *("--yes", "--client", "all"),
    )
    found = checks(cli)
    names = ["Python", "PATH", "Credentials", "Key", "Base URL", "Platform", "MCP server"]
    assert {found[name]["status"] for name in [*names, "~/.claude/mcp.json", "Cursor"]} == {"ok"}
    assert found["VS Code"]["status"] == "absent"
    assert "profile default" in found["Key"]["detail"]
    done = cli("doctor")
    assert done.returncode == 0
    assert kernel.api_key not in done.stdout
    assert "✓ Platform" in done.stdout


def test_without_credentials_it_says_how_to_start(cli: Cli) -> None:
    done = cli("doctor")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "→ chaojiyuyan connect" in done.stdout


def test_a_dead_server_a_wrong_key_and_another_api_differ(
    cli: Cli, kernel: LocalKernel, platform: FakePlatform
) -> None:
    key = {"CHAOJIYUYAN_API_KEY": KEY}
    dead = checks(cli, HEBING_BASE_URL="http://127.0.0.1:9", **key)["Platform"]
    wrong = checks(cli, HEBING_BASE_URL=kernel.base_url, **key)["Platform"]
    path = "/kernel-jobs/00000000-0000-0000-0000-000000000000"
    platform.say_html(path, b"<html>welcome</html>")
    other = checks(cli, HEBING_BASE_URL=platform.base_url, **key)["Platform"]
    assert {check["status"] for check in (dead, wrong, other)} == {"failed"}
    assert "no answer" in dead["detail"]
    assert "refuses the key" in wrong["detail"]
    assert "base URL" in other["remedy"]


def test_a_readable_credentials_file_is_a_warning_with_a_remedy(cli: Cli) -> None:
    cli.log_in("http://127.0.0.1:9")
    cli.credentials.chmod(0o644)
    found = checks(cli)["Credentials"]
    assert found["status"] == "warning"
    assert found["remedy"] == f"chmod go-rwx {cli.credentials}"


def test_an_overridden_base_url_is_a_warning(cli: Cli) -> None:
    cli.log_in("http://127.0.0.1:9")
    found = checks(cli, HEBING_BASE_URL="http://127.0.0.1:7")["Settings"]
    assert found["status"] == "warning"
    assert "http://127.0.0.1:7" in found["detail"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{ // mine\n}", "not valid JSON"),
        ({"command": "chaojiyuyan"}, "PATH"),
        ({"command": "/gone/chaojiyuyan"}, "not a program"),
        ({"command": str(COMMAND), "env": {"CHAOJIYUYAN_API_KEY": "nxt_ag_old"}}, "another key"),
        (
            {"command": str(COMMAND), "env": {"HEBING_BASE_URL": "http://127.0.0.1:7"}},
            "another base URL",
        ),
        ("entry", "not an object"),
    ],
    ids=lambda value: str(value)[:16],
)
def test_a_broken_entry_is_found(cli: Cli, content: object, why: str) -> None:
    cli.log_in("http://127.0.0.1:9")
    cli.mcp_json.parent.mkdir()
    text = str(content)
    if not text.startswith("{ //"):
        text = json.dumps({"mcpServers": {"chaojiyuyan": content}})
    cli.mcp_json.write_text(text)
    found = checks(cli)["~/.claude/mcp.json"]
    assert found["status"] == "failed"
    assert why in found["detail"]
    assert found["remedy"]


def test_a_bad_certificate_file_is_named_and_checks_continue(cli: Cli, tmp_path: Path) -> None:
    # httpx before 0.28 ignores a file that does not exist, but not one that it cannot read.
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    cli.log_in("https://127.0.0.1:9/api/v1")
    found = checks(cli, SSL_CERT_FILE=str(bad))
    assert found["Certificates"]["status"] == "failed"
    assert f"SSL_CERT_FILE names {bad}" in found["Certificates"]["detail"]
    assert found["Platform"]["status"] == "failed"
    assert "Cursor" in found
    for command in (["jobs"], ["whoami"]):
        done = cli(*command, SSL_CERT_FILE=str(bad))
        assert done.returncode == 1
        assert f"SSL_CERT_FILE names {bad}" in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii"])
def test_an_encoding_without_the_marks_gets_ascii_marks(cli: Cli, encoding: str) -> None:
    done = subprocess.run(
        [*cli.command, "doctor"],
        capture_output=True,
        env={**cli.env, "PYTHONIOENCODING": encoding},
        timeout=30,
    )
    shown = done.stdout.decode(encoding)
    assert "\\u" not in shown
    assert "+ Python" in shown


def test_a_missing_script_is_restored_by_one_command(cli: Cli) -> None:
    code = (
        "import sys, sysconfig\n"
        "sysconfig.get_path = lambda _: '/nowhere'\n"
        "sys.argv = ['/lib/chaojiyuyan_cli/__main__.py']\n"
        "from chaojiyuyan_cli.main import main; sys.exit(main(['doctor', '--json']))"
    )
    cli.command = [sys.executable, "-c", code]
    [check] = [check for check in json.loads(cli().stdout)["checks"] if check["name"] == "PATH"]
    assert check["status"] == "failed"
    assert "pip install --force-reinstall --no-deps chaojiyuyan-cli" in check["remedy"]


def test_a_path_without_the_command_says_what_to_add(cli: Cli) -> None:
    found = checks(cli, PATH="/usr/bin")["PATH"]
    assert found["status"] == "warning"
    assert str(COMMAND.parent) in found["remedy"]
