"""The checks of `chaojiyuyan doctor`, each with a remedy for its failure."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from chaojiyuyan_core.settings import Settings

    from ._clients.locations import McpClient
    from ._clients.servers import Json
    from ._clients.wiring import Wiring
    from ._session import Session

RESTORE_SCRIPT = f"{sys.executable} -m pip install --force-reinstall --no-deps chaojiyuyan-cli"
"""The command that installs the ``chaojiyuyan`` script again after an uninstall of the SDK."""


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Args:
        name: What was checked.
        status: One of ``ok``, ``warning`` (it works, but something should change), ``failed`` and
            ``absent`` (not used on this machine).
        detail: The finding.
        remedy: What to do; empty when there is nothing to do.
    """

    name: str
    status: Literal["ok", "warning", "failed", "absent"]
    detail: str
    remedy: str = ""


def run_checks(session: Session, wiring: Wiring) -> Iterator[Check]:
    """Run all checks in order; a failed check does not stop the next one.

    Args:
        session: The options that every command takes.
        wiring: The MCP clients.
    """
    yield from _guard("Python", _check_python)
    yield from _guard("PATH", _check_path)
    yield from _guard("Credentials", _check_credentials)
    yield from _guard("Certificates", _check_certificates)
    found: list[Settings] = []
    yield from _guard("Key", _check_settings, session, found)
    for settings in found:
        yield from _guard("Platform", _check_platform, settings)
    yield from _guard("MCP server", _check_mcp_package)
    for client in wiring.clients:
        yield from _guard(client.label, _check_client, client, found[0] if found else None)


def _guard(name: str, check: Callable[..., Iterable[Check]], *arguments: object) -> Iterator[Check]:
    from ._failures import explain

    try:
        yield from check(*arguments)
    except Exception as error:  # noqa: BLE001  # the other checks must still run
        message = explain(error)[0].removeprefix("Error: ").partition("\n")[0]
        yield Check(name, "failed", message, "see the message")


def _check_python() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check("Python", "ok", f"{version} at {sys.executable}")


def _check_path() -> Iterator[Check]:
    from ._clients.wiring import find_server_command

    here = Path(find_server_command()[0])
    found = shutil.which("chaojiyuyan")
    if not here.name.startswith("chaojiyuyan"):  # started as `python -m chaojiyuyan_cli`
        detail = "the chaojiyuyan script is missing, for example after `pip uninstall`"
        yield Check("PATH", "failed", detail, RESTORE_SCRIPT)
    elif found is None:
        yield Check("PATH", "warning", "has no chaojiyuyan", f"add {here.parent} to PATH")
    elif not Path(found).samefile(here):
        remedy = "remove one of them, or put the one you want first"
        yield Check("PATH", "warning", f"finds {found}, but this is {here}", remedy)
    else:
        yield Check("PATH", "ok", found)


def _check_credentials() -> Iterator[Check]:
    from chaojiyuyan_core.credentials import CREDENTIALS_PATH

    name, places = "Credentials", (CREDENTIALS_PATH, CREDENTIALS_PATH.parent)
    try:
        modes = {path: path.stat().st_mode for path in places}
    except FileNotFoundError:
        yield Check(name, "absent", f"{CREDENTIALS_PATH} does not exist")
        return
    except OSError as error:
        detail = f"{CREDENTIALS_PATH}: {error.strerror}"
        yield Check(name, "failed", detail, "repair its permissions")
        return
    others = stat.S_IRWXG | stat.S_IRWXO
    open_to_others = [str(path) for path, mode in modes.items() if mode & others]
    if open_to_others and os.name == "posix":
        remedy = f"chmod go-rwx {shlex.join(open_to_others)}"
        yield Check(name, "warning", "other users of this machine can read them", remedy)
    else:
        yield Check(name, "ok", f"{CREDENTIALS_PATH}, private")


def _check_certificates() -> Iterator[Check]:
    from ._tls import find_certificate_error

    problem = find_certificate_error()
    if problem:
        yield Check("Certificates", "failed", problem, "correct or unset the variable")


def _check_settings(session: Session, found: list[Settings]) -> Iterator[Check]:
    """Check the key and the base URL, and append the settings in use to `found`."""
    from chaojiyuyan_core.errors import CredentialsError
    from chaojiyuyan_core.redaction import mask_key

    from ._errors import UserError

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            settings = session.settings()
        except CredentialsError as error:
            yield Check("Key", "failed", str(error), "repair or remove that file")
            return
        except (UserError, ValueError) as error:
            yield Check("Key", "failed", str(error), "chaojiyuyan connect")
            return
    for warning in caught:
        yield Check(
            "Settings", "warning", str(warning.message), "choose by --base-url or --profile"
        )
    found.append(settings)
    yield Check("Key", "ok", f"{mask_key(settings.api_key)} from {settings.key_source}")
    yield Check("Base URL", "ok", f"{settings.base_url} from {settings.base_url_source}")


def _check_platform(settings: Settings) -> Iterator[Check]:
    import httpx

    from chaojiyuyan_core.errors import AuthenticationError, HebingAPIError, PermissionDeniedError

    from ._probe import NotTheApi, check_key

    started = time.monotonic()
    try:
        check_key(settings.api_key, settings.base_url)
    except httpx.HTTPError as error:
        remedy = "check the address, the network and the proxy variables"
        yield Check("Platform", "failed", f"no answer: {error or type(error).__name__}", remedy)
        return
    except (AuthenticationError, PermissionDeniedError) as error:
        yield Check("Platform", "failed", f"refuses the key: {error}", "chaojiyuyan connect")
        return
    except (NotTheApi, HebingAPIError, ValueError) as error:
        yield Check("Platform", "failed", str(error), "check the base URL")
        return
    took = round((time.monotonic() - started) * 1000)
    yield Check("Platform", "ok", f"answers in {took} ms and accepts the key")


def _check_mcp_package() -> Iterator[Check]:
    from importlib.util import find_spec

    if find_spec("chaojiyuyan_mcp") is None:
        remedy = "pip install 'chaojiyuyan-sdk[mcp]'"
        yield Check("MCP server", "absent", "not installed", remedy)
    else:
        yield Check("MCP server", "ok", "installed")


def _check_client(client: McpClient, settings: Settings | None) -> Iterator[Check]:
    """Check whether a client has our entry and can start the program in it."""
    from ._clients.config_file import McpWriterError
    from ._clients.exposure import find_exposed_key

    named = client.name not in ("mcp-json", "claude-code")
    remedy = f"chaojiyuyan connect{f' --client {client.name}' if named else ''}"
    try:
        entry = client.file.read_entry()
    except (McpWriterError, OSError) as error:
        repair = "repair the file by hand"
        yield Check(client.label, "failed", str(error).partition("\n")[0], repair)
        return
    if entry is None:
        if not client.is_installed:
            yield Check(client.label, "absent", "not found on this machine")
        else:
            yield Check(client.label, "absent", "not connected", remedy)
        return
    flaw = _find_flaw(entry, settings)
    if flaw:
        yield Check(client.label, "failed", flaw, remedy)
    elif find_exposed_key(client):
        detail = f"other users of this machine can read the key in {client.path}"
        yield Check(
            client.label, "warning", detail, f"chmod go-rwx {shlex.quote(str(client.path))}"
        )
    else:
        yield Check(client.label, "ok", f"connected by {client.path}")


def _find_flaw(entry: Json, settings: Settings | None) -> str:
    if not isinstance(entry, dict):
        return "its entry is not an object"
    command, env = entry.get("command"), entry.get("env")
    if not isinstance(command, str) or shutil.which(command) is None:
        return f"its entry starts {command!r}, which is not a program on this machine"
    if not Path(command).is_absolute():
        return f"its entry starts {command!r}, which can only be found with your shell's PATH"
    if settings is None or not isinstance(env, dict):
        return ""
    if env.get("CHAOJIYUYAN_API_KEY") not in (None, "", settings.api_key):
        return "its entry has another key than the one in use"
    if env.get("HEBING_BASE_URL") not in (None, "", settings.base_url):
        return "its entry has another base URL than the one in use"
    return ""
