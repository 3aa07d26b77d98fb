from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_core.credentials import save_credentials
from chaojiyuyan_core.errors import CredentialsError
from chaojiyuyan_core.private_file import (
    create_private,
    locked,
    replace_content,
    write_private,
)

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


@posix
def test_file_and_new_folder_are_private_with_any_umask(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    before = os.umask(0)
    try:
        write_private(path, b"one")
    finally:
        os.umask(before)
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700


@posix
def test_a_readable_file_becomes_private(
    tmp_path: Path,
) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    write_private(path, b"new")
    assert mode(path) == 0o600
    assert mode(tmp_path) == 0o755


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_followed_and_kept(tmp_path: Path, there: bool) -> None:
    real = tmp_path / "dotfiles" / "secret"
    if there:
        real.parent.mkdir()
        real.write_bytes(b"old")
    link = tmp_path / "secret"
    link.symlink_to(real)
    write_private(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a file away"
)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_replace_content_keeps_the_mode(tmp_path: Path) -> None:
    path = tmp_path / "config"
    replace_content(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o664)
    replace_content(path, b"newer")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", 0o664)
    write_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@needs_root
def test_files_keep_their_owner_when_root_writes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    config = home / "config"
    config.write_text("old")
    for path in (home, config):
        os.chown(path, 1234, 2345)
    replace_content(config, b"new")
    write_private(home / "folder" / "inner" / "secret", b"secret")
    create_private(home / "backup", b"old")
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in home.rglob("*")}
    assert owners == {(1234, 2345)}
    assert len([*home.rglob("*")]) == 5


def test_create_private_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "backup"
    create_private(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name != "posix"
    with pytest.raises(FileExistsError):
        create_private(path, b"second")
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failure_leaves_only_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "secret"
    write_private(path, b"old")

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    class Full:
        def __init__(self, descriptor: int, mode: str) -> None:
            self.descriptor = descriptor

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *exc_info: object) -> None:
            os.close(self.descriptor)

        write = fail

    if step == "write":
        monkeypatch.setattr("chaojiyuyan_core.private_file.os.fdopen", Full)
    else:
        owner = "os" if step == "fsync" else "Path"
        monkeypatch.setattr(f"chaojiyuyan_core.private_file.{owner}.{step}", fail)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]


def test_the_lock_excludes_threads(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    path.write_text("0")

    def count() -> None:
        for _ in range(25):
            with locked(path):
                path.write_text(str(int(path.read_text()) + 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "200"
    assert [entry.name for entry in tmp_path.iterdir()] == ["counter"]


COUNT = """
import pathlib, sys
from chaojiyuyan_core.private_file import locked
path = pathlib.Path(sys.argv[1])
for _ in range(50):
    with locked(path):
        path.write_text(str(int(path.read_text()) + 1))
"""


def test_the_lock_excludes_processes(tmp_path: Path) -> None:
    path = tmp_path / "counter"
    path.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) for _ in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert path.read_text() == "200"


HOLD = """
import pathlib, sys
from chaojiyuyan_core.private_file import locked
with locked(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held" + os.linesep.encode()
        entered = threading.Event()

        def enter() -> None:
            with locked(path):
                entered.set()

        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.1)
        holder.kill()
        assert entered.wait(10)
        thread.join()


def test_a_lock_that_is_never_released_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chaojiyuyan_core.private_file.LOCK_TIMEOUT", 0.05)
    path = tmp_path / "credentials"
    with locked(path):
        with pytest.raises(TimeoutError, match="held the lock"), locked(path):
            pass
        with pytest.raises(CredentialsError, match=r"Cannot write .*another program has held"):
            save_credentials("nxt_ag_12345678", path=path)
    save_credentials("nxt_ag_12345678", path=path)


def test_the_lock_is_released_when_the_block_raises(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(KeyError), locked(path):
        raise KeyError
    with locked(path):
        pass


WITHOUT_LOCKS = """
import pathlib, sys
for name in ("fcntl", "termios", "pwd", "grp", "resource"):
    sys.modules[name] = None
from chaojiyuyan_core.private_file import locked, write_private
path = pathlib.Path(sys.argv[1])
with locked(path):
    write_private(path, b"one")
print(path.read_text())
"""


def test_a_platform_without_posix_modules_can_still_write(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LOCKS, str(tmp_path / "secret")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("one\n", "")


@posix
def test_a_link_as_lock_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / ".secret.lock").symlink_to(elsewhere)
    with pytest.raises(OSError, match="symbolic links"), locked(tmp_path / "secret"):
        pass
    assert not elsewhere.exists()
