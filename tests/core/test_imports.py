"""Imports are fast and need no optional modules."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest

import chaojiyuyan_client
import chaojiyuyan_core

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (chaojiyuyan_core, chaojiyuyan_client)
    for module in pkgutil.iter_modules(package.__path__)
]
HEAVY = "httpx httpcore ssl asyncio importlib.metadata configparser tempfile uuid socket logging"
POSIX_ONLY = "fcntl termios tty pwd grp resource pty syslog"


def printed(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout


def loaded_by(code: str) -> set[str]:
    return set(printed(f"import sys\n{code}\nprint(*sys.modules)").split())


@pytest.mark.parametrize(
    "code",
    [
        "import chaojiyuyan_client",
        "from chaojiyuyan_client import NexusClient, AsyncNexusClient, Job",
        "import chaojiyuyan_core.errors, chaojiyuyan_core.api, chaojiyuyan_core.http",
    ],
)
def test_slow_modules_are_imported_on_first_use(code: str) -> None:
    before = loaded_by("")
    assert not (loaded_by(code) - before) & set(HEAVY.split())


def test_the_package_alone_imports_almost_nothing() -> None:
    new = loaded_by("import chaojiyuyan_client") - loaded_by("import typing")
    assert {name for name in new if name.startswith("chaojiyuyan")} == {
        "chaojiyuyan_client",
        "chaojiyuyan_client._version",
    }


def test_httpx_is_imported_with_the_first_request() -> None:
    code = "from chaojiyuyan_client import NexusClient; client = NexusClient('nxt_ag_key')"
    assert "httpx" not in loaded_by(code)
    refused = "client = NexusClient('nxt_ag_key', 'http://127.0.0.1:1/', max_retries=0)"
    ask = "try: client.get_job('j')\nexcept Exception: pass"
    assert "httpx" in loaded_by(f"{code}; {refused}\n{ask}")


def test_every_module_is_imported_without_posix() -> None:
    blocked = f"for name in {POSIX_ONLY.split()!r}: sys.modules[name] = None"
    imports = "\n".join(f"import {name}" for name in MODULES)
    assert printed(f"import sys\n{blocked}\n{imports}\nprint('fine')") == "fine\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        chaojiyuyan_client.no_such_name  # noqa: B018
    assert {"NexusClient", "AsyncNexusClient", "Job"} <= set(dir(chaojiyuyan_client))
