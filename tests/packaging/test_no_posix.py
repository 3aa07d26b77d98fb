"""Nothing of ours needs what only POSIX systems have, at import or to keep a credential."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Windows lacks these. Python's own library and others' packages guard their use of them, so what is
# blocked is their use by ours: a module by the name of who imports it, the rest by being gone once
# everything of others has been loaded.
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
KEEP = """
from pathlib import Path
from chaojiyuyan_core.credentials import load_credentials, save_credentials

path = Path(sys.argv[1], "credentials")
save_credentials("nxt_ag_one", path=path)
save_credentials("nxt_ag_two", profile="work", path=path)
assert load_credentials(path=path)["api_key"] == "nxt_ag_one"
assert load_credentials(profile="work", path=path)["api_key"] == "nxt_ag_two"
"""
OTHERS = {
    "core": ["httpx"],
    "client": ["httpx"],
    "worker": ["httpx", "asyncio", "concurrent.futures.process", "http.server", "logging.config"],
    "cli": ["httpx", "click", "wcwidth", "getpass", "webbrowser"],
    "mcp": ["httpx", "mcp.server.lowlevel", "mcp.server.stdio"],
    "devserver": ["fastapi", "httpx", "jinja2", "jsonschema", "pytest", "sqlalchemy", "uvicorn"],
    "sdk": ["httpx", "click", "wcwidth", "asyncio", "mcp.server.lowlevel", "mcp.server.stdio"],
}


def run(code: str, *args: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-c", code, *args], text=True, capture_output=True, timeout=60
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.mark.parametrize("name", OTHERS)
def test_every_module_imports(name: str) -> None:
    code = (BLOCK % {"others": OTHERS[name]}) + IMPORT_ALL % {"package": f"chaojiyuyan_{name}"}
    assert int(run(code)) > 0


def test_credentials_are_kept(tmp_path: object) -> None:
    run(BLOCK % {"others": ["httpx", "tempfile"]} + KEEP, str(tmp_path))
