"""The packages work without POSIX-only modules: imports, stored keys, worker and calls."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.environments import at

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

# Windows does not have these. The standard library and other packages check before they use them,
# so only use by this project's packages is blocked: modules by the name of the importing module,
# attributes by deleting them after all other packages are loaded.
BLOCK = """
import builtins, importlib, os, pkgutil, signal, sys

for name in %(others)r:
    importlib.import_module(name)

ours = "chaojiyuyan_"
modules = set("fcntl grp posix pty pwd readline resource syslog termios tty".split())
original = builtins.__import__


def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__") or ""
    if importer.startswith(ours) and level == 0 and name.partition(".")[0] in modules:
        raise ModuleNotFoundError(f"No module named {name!r} (on this platform)", name=name)
    return original(name, globals, locals, fromlist, level)


builtins.__import__ = guarded
for name in '''chown fchmod fchown fork forkpty getegid geteuid getgid getgroups getpgid getppgid
        getuid initgroups killpg lchown mkfifo openpty pipe2 register_at_fork sched_getaffinity
        setegid seteuid setgid setpgid setsid setuid uname O_CLOEXEC O_DIRECTORY O_NOFOLLOW
        O_NONBLOCK'''.split():
    if hasattr(os, name):
        delattr(os, name)
for name in '''SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1
        SIGUSR2 SIGWINCH alarm pthread_sigmask setitimer siginterrupt sigwait'''.split():
    if hasattr(signal, name):
        delattr(signal, name)
"""
IMPORT_ALL = """
package = importlib.import_module(%(package)r)
count = 0
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not found.name.endswith("__main__"):  # a program, and run by its import
        importlib.import_module(found.name)
        count += 1
print(count)
"""
SMOKE = """
import runpy

runpy.run_path(%(smoke)r)[%(check)r]()
"""
OTHERS = {
    "core": ["httpcore"],  # imports trio, if the tests have installed it
    "client": ["httpcore"],
    "worker": [
        "httpcore",
        "asyncio",
        "concurrent.futures.process",
        "http.server",
        "logging.config",
    ],
    "cli": ["httpcore", "click", "wcwidth", "getpass", "webbrowser"],
    "mcp": ["httpcore", "mcp.server.lowlevel", "mcp.server.stdio"],
    "devserver": ["fastapi", "httpx", "jinja2", "jsonschema", "pytest", "uvicorn"],
    "sdk": ["httpcore", "click", "wcwidth", "asyncio", "mcp.server.lowlevel", "mcp.server.stdio"],
}


def run(code: str, **environment: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        text=True,
        capture_output=True,
        timeout=60,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.mark.parametrize("name", OTHERS)
def test_every_module_imports(name: str) -> None:
    code = (BLOCK % {"others": OTHERS[name]}) + IMPORT_ALL % {"package": f"chaojiyuyan_{name}"}
    assert int(run(code)) > 0


@pytest.mark.parametrize("check", ["check_credentials", "check_calls"])
def test_it_works_without_posix_only_modules(check: str, kernel: LocalKernel) -> None:
    others = ["httpcore", "asyncio", "subprocess", "tempfile", "concurrent.futures"]
    smoke = {"smoke": str(Path(__file__).with_name("smoke.py")), "check": check}
    run(
        BLOCK % {"others": others} + SMOKE % smoke,
        **at(kernel),
    )
