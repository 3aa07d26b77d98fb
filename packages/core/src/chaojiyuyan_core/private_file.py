"""Files that hold secrets: private from the first byte, replaced in one step, under a lock."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

__all__ = ["create_private", "locked", "replace_content", "write_private"]

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows


def write_private(path: Path, data: bytes) -> None:
    """Replace the file's content in one step, readable by nobody but its owner.

    A reader sees the old content or the new, never a part, and a crash at any point leaves the
    old. A symbolic link is followed and stays one. The folder is made (mode 0700) where it is
    absent; one that stands keeps its mode. What root writes belongs to the owner of the file that
    was there, or of the folder.

    Args:
        path: The file to write; it need not exist.
        data: Its whole new content.

    Raises:
        OSError: The folder or the file cannot be written; the file is as it was.
    """
    _replace(path, data, keep_mode=False)


def replace_content(path: Path, data: bytes) -> None:
    """Replace the content of a file that belongs to another program, as :func:`write_private` does.

    A file that exists keeps its mode; a new one is private.

    Args:
        path: The file to write; it need not exist.
        data: Its whole new content.

    Raises:
        OSError: The folder or the file cannot be written; the file is as it was.
    """
    _replace(path, data, keep_mode=True)


def create_private(path: Path, data: bytes) -> None:
    """Write a file that must not exist yet, readable by nobody but its owner.

    Args:
        path: The file; its folder exists.
        data: Its whole content.

    Raises:
        FileExistsError: There is such a file.
        OSError: The folder or the file cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _give_to_owner_of(descriptor, path.parent.stat())
        file.write(data)


def _replace(path: Path, data: bytes, *, keep_mode: bool) -> None:
    target = _target(path)
    # mkstemp opens with 0600 and O_EXCL; in the same folder, so that the replace stays on one disk.
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _adopt(descriptor, target, keep_mode=keep_mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock that goes with a file, around reading, changing and writing it.

    It excludes other threads and other processes, and ends with the process that holds it. It is
    not re-entrant. The lock is a file beside the real one, removed on release; a reader needs
    none, since :func:`write_private` replaces in one step.

    Args:
        path: The file to be changed; it need not exist. Its folder is made as `write_private` does.

    Raises:
        OSError: The folder cannot be made or written to.
    """
    target = _target(path)
    lock = target.with_name(f".{target.name}.lock")
    descriptor = _acquire(lock)
    try:
        yield
    finally:
        _release(descriptor, lock)


def _target(path: Path) -> Path:
    """The file that `path` leads to through any links, in a folder that exists."""
    target = Path(os.path.realpath(path))
    _make_folder(target.parent)
    return target


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):  # another process was faster
        folder.mkdir(mode=0o700)
        _give_to_owner_of(folder, folder.parent.stat())


def _adopt(descriptor: int, target: Path, *, keep_mode: bool) -> None:
    """Give a new file the owner of the file that it replaces, and its mode where that is meant."""
    try:
        like = target.stat()
    except FileNotFoundError:
        like, keep_mode = target.parent.stat(), False
    _give_to_owner_of(descriptor, like)
    if keep_mode and hasattr(os, "fchmod"):  # Windows has no such modes
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _give_to_owner_of(file: int | Path, like: os.stat_result) -> None:
    if _IS_ROOT:  # nobody else can give a file away
        # A link may have taken the place of a folder: it must not lead to what it points to.
        os.chown(file, like.st_uid, like.st_gid, follow_symlinks=isinstance(file, int))


def _acquire(lock: Path) -> int:
    while True:
        # A link in its place would let whoever made it choose which file is opened, and created.
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            if _lock(descriptor, lock):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, _: Path) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
        except OSError:  # LK_LOCK gives up after ten tries, one a second
            return False
        return True

    def _release(descriptor: int, lock: Path) -> None:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # open elsewhere: the next holder removes it
            lock.unlink()

else:
    try:
        import fcntl
    except ImportError:  # a platform without locks: writing in one step is all there is
        fcntl = None  # type: ignore[assignment]

    def _lock(descriptor: int, lock: Path) -> bool:
        if fcntl is None:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # The former holder removes the file while it holds the lock: what was waited for may have
        # no name any more, and then somebody else may hold the file that has it.
        try:
            return os.path.samestat(os.fstat(descriptor), lock.stat())
        except FileNotFoundError:
            return False

    def _release(descriptor: int, lock: Path) -> None:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)
