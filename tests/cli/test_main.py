"""The command as a process: exit codes, one-line errors and common options."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_cli import _group, _help_page
from chaojiyuyan_cli._failures import Steps
from chaojiyuyan_cli._group import cli as group
from chaojiyuyan_cli._session import Session
from chaojiyuyan_cli.main import EX_API_ERROR, EX_OK, EX_USER_ERROR, main
from support.command_line import COMMAND, KEY

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.fake_platform import FakePlatform

DEAD = "http://127.0.0.1:9/api/v1"  # the discard port, on which no server listens


def assert_one_line(stderr: str) -> None:
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert "Traceback" not in stderr


# --- the page and the commands -------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_page_shows_the_quick_start(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 0
    assert "Quick start" in done.stdout
    assert "chaojiyuyan connect" in done.stdout
    assert done.stderr == ""


def test_the_generated_help_page_is_up_to_date() -> None:
    context = group.make_context("chaojiyuyan", ["version"])
    assert _group.render_help_page(context) == _help_page.PAGE, "run scripts/help_page.py"


def test_the_help_page_lists_every_command() -> None:
    folder = Path(_group.__file__).with_name("_commands")
    modules = {path.stem.replace("_", "-") for path in folder.glob("[a-z]*.py")}
    assert set(_group.COMMANDS) == modules


def test_every_command_takes_the_common_options() -> None:
    context = group.make_context("chaojiyuyan", ["version"])
    for name in _group.COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        names = {option for parameter in command.params for option in parameter.opts}
        assert {"--profile", "--base-url", "--debug"} <= names, name


def test_a_mistyped_command_gets_a_suggestion(cli: Cli) -> None:
    done = cli("statsu")
    assert done.returncode == 2
    assert "Did you mean" in done.stderr
    assert "'status'" in done.stderr
    assert "--wait" in cli("call", "x", "--wiat").stderr


def test_main_returns_the_code_and_raises_for_wrong_usage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (EX_OK, EX_USER_ERROR, EX_API_ERROR) == (0, 1, 2)
    assert main(["version"]) == 0
    assert main(["status", "--help"]) == 0
    assert "chaojiyuyan-sdk 0." in capsys.readouterr().out
    with pytest.raises(SystemExit) as usage:
        main(["no-such-command"])
    assert usage.value.code == 2


def test_the_version_is_also_an_option(cli: Cli) -> None:
    version = cli("version").stdout
    assert version.startswith("chaojiyuyan-sdk 0.")
    assert cli("--version").stdout == cli("--debug", "--version").stdout == version


def test_the_module_can_be_run(cli: Cli) -> None:
    cli.command = [sys.executable, "-m", "chaojiyuyan_cli"]
    assert cli("version").stdout == cli("version", "--base-url", DEAD).stdout


def test_version_lists_all_packages_as_json(cli: Cli) -> None:
    versions = json.loads(cli("version", "--json").stdout)
    assert versions["chaojiyuyan-cli"].startswith("0.")
    assert set(versions) >= {"chaojiyuyan-sdk", "chaojiyuyan-core", "chaojiyuyan-client"}


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["version"], ["click", "httpx", "typing", "importlib.metadata"]),
        (["--version"], ["click", "httpx", "typing", "importlib.metadata"]),
        (["--help"], ["click", "httpx", "typing", "importlib.metadata"]),
        (["status"], ["httpx", "chaojiyuyan_client", "importlib.metadata"]),
        (["connect", "--dry-run"], ["httpx", "chaojiyuyan_client", "chaojiyuyan_worker"]),
    ],
    ids=lambda value: " ".join(value) if value[0] != "click" else "",
)
def test_unused_modules_are_not_imported(cli: Cli, arguments: list[str], absent: list[str]) -> None:
    code = (
        "import sys; before = set(sys.modules); from chaojiyuyan_cli.main import main;"
        f"main({arguments!r}); print(sorted((set(sys.modules) - before) & set({absent!r})))"
    )
    cli.command = [sys.executable, "-c", code]
    assert cli().stdout.splitlines()[-1] == "[]"


# --- errors --------------------------------------------------------------------------------------

WITH_A_KEY = [
    ["whoami"],
    ["capabilities"],
    ["jobs"],
    ["events", "j"],
    ["status", "j"],
    ["call", "x"],
]


@pytest.mark.parametrize("arguments", [*WITH_A_KEY, ["worker", "x", "--yes"], ["mcp-server"]])
def test_without_credentials_one_line_says_what_to_do(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "chaojiyuyan connect" in done.stderr


@pytest.mark.parametrize("arguments", [["capabilities"], ["login"]])
def test_a_dead_server_gives_a_one_line_error(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments, "--base-url", DEAD, CHAOJIYUYAN_API_KEY=KEY)
    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert "http://127.0.0.1:9" in done.stderr


def test_a_refused_key_gives_a_one_line_error(cli: Cli, kernel: LocalKernel) -> None:
    done = cli("jobs", CHAOJIYUYAN_API_KEY=KEY, HEBING_BASE_URL=kernel.base_url)
    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert "401" in done.stderr


def test_html_instead_of_json_gives_a_one_line_error(cli: Cli, platform: FakePlatform) -> None:
    platform.say_html("/kernel-jobs", b"<html><h1>Down for\n maintenance</h1>" * 100)
    done = cli("jobs", CHAOJIYUYAN_API_KEY=KEY, HEBING_BASE_URL=platform.base_url)
    assert done.returncode == 2
    assert_one_line(done.stderr)


def test_text_of_a_server_cannot_control_the_terminal(cli: Cli, platform: FakePlatform) -> None:
    nasty = "\x1b]0;owned\x07\x1b[2J\u202ered\r\n\x9b31m"
    platform.say("/kernel-jobs", {"detail": {"error": nasty, "code": nasty}}, status=400)
    row = {"capability_key": nasty, "price_nc": nasty, "name": nasty}
    platform.say("/capability-specs", {"data": {"items": [row]}})
    job = {"id": "j", "status": nasty, "capability_key": nasty, "error_message": nasty}
    platform.say("/kernel-jobs/j", {"data": job})
    platform.say(
        "/kernel-jobs/j/events", {"data": [{"event_type": nasty, "payload": {"a": nasty}}]}
    )
    for arguments in (["jobs"], ["capabilities"], ["status", "j"], ["events", "j"]):
        for form in ([], ["--json"]):
            done = cli(
                *arguments, *form, CHAOJIYUYAN_API_KEY=KEY, HEBING_BASE_URL=platform.base_url
            )
            shown = done.stdout + done.stderr
            assert shown
            assert not set("\x1b\x07\u202e\r\x9b") & set(shown), arguments


@pytest.mark.parametrize("content", [b"no section", b"\xff\xfe", b"[default]\napi_key\n"])
def test_a_broken_credentials_file_gives_a_one_line_error(cli: Cli, content: bytes) -> None:
    cli.credentials.parent.mkdir()
    cli.credentials.write_bytes(content)
    for arguments in (
        ["status"],
        ["jobs"],
        ["connect", "--no-verify", "--api-key", KEY],
        ["disconnect"],
    ):
        done = cli(*arguments)
        assert done.returncode == 1, arguments
        assert_one_line(done.stderr)
    assert cli.credentials.read_bytes() == content


def test_a_folder_as_credentials_file_gives_a_one_line_error(cli: Cli) -> None:
    cli.credentials.mkdir(parents=True)
    done = cli("status")
    assert done.returncode == 1
    assert_one_line(done.stderr)


def test_an_invalid_base_url_gives_a_one_line_error(cli: Cli) -> None:
    done = cli("jobs", "--base-url", "ftp://x", CHAOJIYUYAN_API_KEY=KEY)
    assert done.returncode == 1
    assert_one_line(done.stderr)


def test_a_job_id_for_another_endpoint_is_refused(connected: Cli) -> None:
    done = connected("status", "..")
    assert done.returncode == 1
    assert_one_line(done.stderr)


@pytest.mark.parametrize("arguments", [["--help"], ["jobs", "--json"], ["status"]])
def test_a_closed_pipe_ends_the_command_silently(connected: Cli, arguments: list[str]) -> None:
    if "jobs" in arguments:  # earlier releases documented this module path
        connected.command = [sys.executable, "-m", "chaojiyuyan_sdk.cli"]
    process = connected.start(*arguments)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 0


def test_a_closed_pipe_stops_the_remaining_steps(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    with steps.step():
        raise PermissionError(13, "Permission denied", "mcp.json")
    assert steps.failed
    assert_one_line(capsys.readouterr().err)
    with pytest.raises(BrokenPipeError), steps.step():
        raise BrokenPipeError
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("arguments", [["version"], ["status", "--json"]])
def test_a_full_disk_gives_a_one_line_error(cli: Cli, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*cli.command, *arguments], stdout=full, stderr=subprocess.PIPE, env=cli.env, text=True
        )
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "No space left" in done.stderr


@pytest.mark.parametrize("arguments", ["version", "status", "login --no-verify --api-key -"])
def test_closed_standard_streams_count_as_empty(cli: Cli, arguments: str) -> None:
    cli.command = ["/bin/sh", "-c", f"exec {COMMAND} {arguments} <&- >&-"]
    done = cli()
    if "login" in arguments:  # there is no key to read
        assert done.returncode == 1
        assert_one_line(done.stderr)
    else:
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", [["connect", KEY], [KEY], ["call", "x", "--timeout", KEY]], ids=str
)
def test_a_key_in_a_wrong_argument_is_not_shown(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert "nxt_…cret" in done.stderr
    assert KEY not in done.stderr


def test_a_character_that_the_encoding_lacks_is_escaped(cli: Cli, platform: FakePlatform) -> None:
    platform.say("/capability-specs", [{"capability_key": "k", "price_nc": 1, "name": "文"}])
    done = cli(
        "capabilities",
        CHAOJIYUYAN_API_KEY=KEY,
        HEBING_BASE_URL=platform.base_url,
        PYTHONIOENCODING="latin-1",
    )
    assert done.returncode == 0
    assert "\\u6587" in done.stdout


def test_debug_output_cannot_control_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # so that they are not closed
    session = Session()
    session.keep_secret("a-key-of-another-kind")
    try:
        session.show_requests()
        logging.getLogger("x").warning("job %s", "\x1b[2J a-key-of-another-kind")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    shown = capfd.readouterr().err
    assert "job \\u001b[2J" in shown
    assert "\x1b" not in shown
    assert "another" not in shown


def test_debug_shows_requests_and_the_traceback_without_the_key(
    cli: Cli, kernel: LocalKernel
) -> None:
    odd = "a-key-of-another-kind"
    for key in (kernel.api_key, odd):
        done = cli(
            "--debug", "status", "nope", CHAOJIYUYAN_API_KEY=key, HEBING_BASE_URL=kernel.base_url
        )
        assert done.returncode == 2
        assert "/kernel-jobs/nope" in done.stderr
        assert "Traceback" in done.stderr
        assert key not in done.stderr + done.stdout


@pytest.mark.parametrize("arguments", [["connect", "--dry-run"], ["disconnect"], ["doctor"]])
def test_a_missing_home_folder_gives_a_one_line_error(cli: Cli, arguments: list[str]) -> None:
    # As in a container whose user id is not in the user database.
    code = (
        "import pwd, sys\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody\n"
        f"from chaojiyuyan_cli.main import main; sys.exit(main({arguments!r}))"
    )
    cli.command = [sys.executable, "-c", code]
    del cli.env["HOME"]
    done = cli()
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "HOME" in done.stderr
    assert cli.files() == set()


# --- where key and base URL come from ------------------------------------------------------------


def test_the_base_url_of_the_file_wins_with_a_warning(cli: Cli) -> None:
    cli.log_in("https://saved.example/api")
    done = cli("status", HEBING_BASE_URL="https://environment.example/api")
    assert "https://saved.example/api" in done.stdout
    assert done.stderr.startswith("Warning: ")
    assert_one_line(done.stderr)
    assert "https://saved.example/api" in done.stderr
    assert "https://environment.example/api" in done.stderr


def test_options_override_environment_and_file(cli: Cli, kernel: LocalKernel) -> None:
    cli.log_in(kernel.base_url, kernel.api_key, profile="local")
    cli.log_in("https://saved.example/api")
    environment = {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": DEAD}
    assert cli("jobs", **environment).returncode == 2
    for arguments in (["--profile", "local", "jobs"], ["jobs", "--profile", "local"]):
        done = cli(*arguments, "--base-url", kernel.base_url, **environment)
        assert (done.returncode, done.stderr) == (0, "")
    done = cli("jobs", "--profile", "local", CHAOJIYUYAN_API_KEY=KEY)
    assert done.returncode == 0
    done = cli("jobs", "--profile", "absent", **environment)
    assert done.returncode == 1
    assert "'absent'" in done.stderr


def test_status_names_the_sources_and_masks_the_key(cli: Cli) -> None:
    done = cli("status")
    assert (done.returncode, done.stdout) == (
        0,
        "Not connected. Run `chaojiyuyan connect`.\n",
    )
    done = cli("status", CHAOJIYUYAN_API_KEY=KEY)
    assert "nxt_…cret" in done.stdout
    assert "CHAOJIYUYAN_API_KEY" in done.stdout
    assert KEY not in done.stdout
    cli.log_in("https://saved.example/api")
    done = cli("status", "--json")
    status = json.loads(done.stdout)
    assert status["connected"] is True
    assert status["base_url"] == "https://saved.example/api"
    assert status["credentials_path"] == str(cli.credentials)
    assert json.loads(cli("status", "--json", HOME="/nonexistent").stdout) == {"connected": False}


@pytest.mark.parametrize("encoding", ["cp1252", "cp936"])
def test_json_is_valid_on_a_narrow_encoding(
    cli: Cli, platform: FakePlatform, encoding: str
) -> None:
    rows = [{"capability_key": "k", "price_nc": 1, "name": "文 é \U0001f680 \u202e"}]
    platform.say("/capability-specs", rows)
    cli.log_in(platform.base_url)
    done = subprocess.run(
        [*cli.command, "capabilities", "--json"],
        capture_output=True,
        env={**cli.env, "PYTHONIOENCODING": encoding},
        timeout=30,
    )
    assert json.loads(done.stdout.decode(encoding)) == {"capabilities": rows}


def test_a_base_url_without_its_path_gets_a_hint(cli: Cli, kernel: LocalKernel) -> None:
    origin = kernel.base_url.removesuffix("/api/v1")
    done = cli("jobs", "--base-url", origin, CHAOJIYUYAN_API_KEY=kernel.api_key)
    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert f"Did you mean {kernel.base_url} ?" in done.stderr


COMPLETE = {"_CHAOJIYUYAN_COMPLETE": "bash_complete"}


def complete(cli: Cli, line: str, **env: str) -> list[str]:
    """Return the completions of bash at the end of a line."""
    place = str(len(line.split(" ")) - 1)
    done = cli(COMP_WORDS=line, COMP_CWORD=place, **COMPLETE, **env)
    assert done.stderr == ""
    return [offer.partition(",")[2] for offer in done.stdout.split()]


def test_capabilities_and_jobs_are_completed(connected: Cli, kernel: LocalKernel) -> None:
    job_id = json.loads(connected("call", "test.echo.v1", "--json").stdout)["id"]
    assert complete(connected, "chaojiyuyan call test.e") == ["test.echo.v1"]
    assert complete(connected, "chaojiyuyan status job_") == [job_id]
    assert "test.echo.v1" in complete(connected, "chaojiyuyan capabilities show ")
    assert complete(connected, "chaojiyuyan jobs --status f") == ["failed"]
    assert complete(connected, "chaojiyuyan jobs --profile d") == ["default"]
    # The second completion uses the cache and sends no request.
    connected.credentials.write_text(
        connected.credentials.read_text().replace(kernel.base_url, kernel.base_url)
    )
    before = (connected.home / ".chaojiyuyan" / "completion.json").stat().st_mtime_ns
    assert complete(connected, "chaojiyuyan rerun job_") == [job_id]
    assert (connected.home / ".chaojiyuyan" / "completion.json").stat().st_mtime_ns == before


def test_a_completion_that_fails_is_silent(cli: Cli, platform: FakePlatform) -> None:
    assert complete(cli, "chaojiyuyan call x") == []
    cli.log_in(DEAD)
    assert complete(cli, "chaojiyuyan call x") == []
    assert complete(cli, "chaojiyuyan statsu ") == []
    assert complete(cli, "chaojiyuyan statsu --x") == []
    assert complete(cli, "chaojiyuyan --profile absent call x") == []


def test_a_completion_cannot_run_a_command(cli: Cli, platform: FakePlatform) -> None:
    keys = ["$(touch owned)", "`id`", "a b", "a;b", "a\nb", "a\x1b[2J", "图像.v1", "fine.v1"]
    platform.say("/capability-specs", [{"capability_key": key, "price_nc": 1} for key in keys])
    cli.log_in(platform.base_url)
    assert complete(cli, "chaojiyuyan call ") == ["图像.v1", "fine.v1"]


def test_completion_scripts_are_printed_and_answered(cli: Cli) -> None:
    for shell in ("bash", "zsh", "fish", "powershell"):
        assert "_CHAOJIYUYAN_COMPLETE" in cli("completion", shell).stdout
    asked = {"_CHAOJIYUYAN_COMPLETE": "bash_complete"}
    done = cli(COMP_WORDS="chaojiyuyan ca", COMP_CWORD="1", **asked)
    assert done.stdout.split() == ["plain,capabilities", "plain,call"]
    done = cli(COMP_WORDS="chaojiyuyan call --wa", COMP_CWORD="2", **asked)
    assert done.stdout.split() == ["plain,--wait"]


def test_bash_loads_the_completion_script(cli: Cli, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(cli("completion", "bash").stdout)
    done = subprocess.run(
        ["bash", "-ec", f". {script}; complete -p {COMMAND.name}"],
        capture_output=True,
        text=True,
        env=cli.env,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "chaojiyuyan" in done.stdout
