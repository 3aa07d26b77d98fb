"""What `doctor` looks at, each with what to do about it."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_core.settings import Settings

    from ._clients.json_text import Json
    from ._clients.locations import McpClient
    from ._clients.wiring import Wiring
    from ._session import Session


@dataclass(frozen=True)
class Check:
    """Something that was looked at.

    Args:
        name: What.
        status: ``ok``; ``warning``: works, with a snag; ``failed``; ``absent``: not in use here.
        detail: What was found.
        remedy: What to do about it, empty where nothing need be done.
    """

    name: str
    status: Literal["ok", "warning", "failed", "absent"]
    detail: str
    remedy: str = ""


def all_checks(session: Session, wiring: Wiring) -> Iterator[Check]:
    """Look at one thing after the other, those that ask the platform included.

    Args:
        session: The options.
        wiring: The MCP clients.
    """
    yield _python()
    yield _path()
    yield _credentials_file()
    with warnings.catch_warnings(record=True) as doubts:
        warnings.simplefilter("always")
        settings = _settings(session)
    for doubt in doubts:
        yield Check("Settings", "warning", str(doubt.message), "--base-url or --profile decides")
    if isinstance(settings, Check):
        yield settings
    else:
        yield from _platform(settings)
    yield _mcp_package()
    key = "" if isinstance(settings, Check) else settings.api_key
    yield _client(wiring.mcp_json, key, "chaojiyuyan connect")
    yield _client(wiring.claude_code, key, "chaojiyuyan connect")
    for client in wiring.file_clients.values():
        yield _client(client, key, f"chaojiyuyan connect --client {client.name}")


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("Python", "ok", f"{version} at {sys.executable}")


def _path() -> Check:
    from ._clients.wiring import server_command

    here = server_command()[0]
    found = shutil.which("chaojiyuyan")
    if found is None:
        folder = Path(here).parent
        return Check("PATH", "warning", "has no chaojiyuyan", f"add {folder} to PATH")
    if Path(here).name.startswith("chaojiyuyan") and not Path(found).samefile(here):
        remedy = "remove one of them, or put the one you want first"
        return Check("PATH", "warning", f"finds {found}, but this is {here}", remedy)
    return Check("PATH", "ok", found)


def _credentials_file() -> Check:
    from chaojiyuyan_core.credentials import CREDENTIALS_PATH

    name, places = "Credentials", (CREDENTIALS_PATH, CREDENTIALS_PATH.parent)
    try:
        modes = {path: path.stat().st_mode for path in places}
    except FileNotFoundError:
        return Check(name, "absent", f"{CREDENTIALS_PATH} is not there")
    except OSError as error:
        detail = f"{CREDENTIALS_PATH}: {error.strerror}"
        return Check(name, "failed", detail, "mend its permissions")
    others = stat.S_IRWXG | stat.S_IRWXO
    open_to_others = [str(path) for path, mode in modes.items() if mode & others]
    if open_to_others and os.name == "posix":
        remedy = f"chmod go-rwx {' '.join(open_to_others)}"
        return Check(name, "warning", "others on this machine may look at them", remedy)
    return Check(name, "ok", f"{CREDENTIALS_PATH}, private")


def _settings(session: Session) -> Settings | Check:
    from chaojiyuyan_core.errors import CredentialsError

    from ._errors import UserError

    try:
        return session.settings()
    except CredentialsError as error:
        return Check("Key", "failed", str(error), "mend or remove that file")
    except (UserError, ValueError) as error:
        return Check("Key", "failed", str(error), "chaojiyuyan connect")


def _platform(settings: Settings) -> Iterator[Check]:
    import httpx

    from chaojiyuyan_core.errors import AuthenticationError, HebingAPIError
    from chaojiyuyan_core.masking import mask_key

    from ._probe import check_key

    yield Check("Key", "ok", f"{mask_key(settings.api_key)} from {settings.key_source}")
    yield Check("Base URL", "ok", f"{settings.base_url} from {settings.base_url_source}")
    started = time.monotonic()
    try:
        check_key(settings)
    except httpx.HTTPError as error:
        remedy = "check the address, the network and the proxy variables"
        yield Check("Platform", "failed", f"no answer: {error or type(error).__name__}", remedy)
        return
    except AuthenticationError as error:
        yield Check("Platform", "failed", f"rejects the key: {error}", "chaojiyuyan connect")
        return
    except (HebingAPIError, ValueError) as error:
        yield Check("Platform", "failed", str(error), "is this the API's base URL?")
        return
    took = round((time.monotonic() - started) * 1000)
    yield Check("Platform", "ok", f"answers in {took} ms and accepts the key")


def _mcp_package() -> Check:
    from importlib.util import find_spec

    if find_spec("chaojiyuyan_mcp") is None:
        return Check("MCP server", "absent", "not installed", "pip install 'chaojiyuyan-sdk[mcp]'")
    return Check("MCP server", "ok", "installed")


def _client(client: McpClient, key: str, remedy: str) -> Check:
    """Whether a client has our entry, and whether it can start what the entry says."""
    from ._clients.config_file import McpWriterError, read_entry

    try:
        entry = read_entry(client.path, container=client.container)
    except (McpWriterError, OSError) as error:
        return Check(client.label, "failed", str(error).partition("\n")[0], "mend the file by hand")
    if entry is None:
        if not client.installed:
            return Check(client.label, "absent", "not found on this machine")
        return Check(client.label, "absent", "not connected", remedy)
    flaw = _flaw(entry, key)
    if flaw:
        return Check(client.label, "failed", flaw, remedy)
    return Check(client.label, "ok", f"connected by {client.path}")


def _flaw(entry: Json, key: str) -> str:
    if not isinstance(entry, dict):
        return "its entry is not an object"
    command, env = entry.get("command"), entry.get("env")
    if not isinstance(command, str) or shutil.which(command) is None:
        return f"its entry starts {command!r}, which is no program here"
    if not Path(command).is_absolute():
        return f"its entry starts {command!r}, which a program without your PATH does not find"
    held = env.get("CHAOJIYUYAN_API_KEY") if isinstance(env, dict) else None
    if held and key and held != key:
        return "its entry has another key than the one in use"
    return ""
