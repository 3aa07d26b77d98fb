"""Write files with secrets: private from the first byte, atomically, and under a lock."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["create_private", "locked", "replace_content", "write_private"]

LOCK_TIMEOUT = 10.0
"""Maximum seconds to wait for a lock. Its holder needs it only to change one small file."""

_LOCK_INTERVAL = 0.002  # seconds between two attempts

_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # absent on Windows


def write_private(path: Path, data: bytes) -> None:
    """Replace the content of a file atomically. Only the owner can read the file.

    A reader sees the old or the new content, never a part, and after a crash the old content is
    still there. A symbolic link is followed and stays a link. A missing folder is created with mode
    0700; an existing folder keeps its mode. A file that root writes gets the owner of the old file
    or of the folder.

    Args:
        path: The file to write, which may not exist yet.
        data: The new content.

    Raises:
        OSError: The folder or the file cannot be written. The file is unchanged.
    """
    _replace(path, data, keep_mode=False)


def replace_content(path: Path, data: bytes) -> None:
    """Replace the content of another program's file like :func:`write_private`.

    An existing file keeps its mode; a new file is private.

    Args:
        path: The file to write, which may not exist yet.
        data: The new content.

    Raises:
        OSError: The folder or the file cannot be written. The file is unchanged.
    """
    _replace(path, data, keep_mode=True)


def create_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner can read.

    Args:
        path: The file. It must not exist, and its folder must exist.
        data: The content.

    Raises:
        FileExistsError: The file exists already.
        OSError: The folder or the file cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _give_to_owner_of(descriptor, path.parent.stat())
        file.write(data)


def _replace(path: Path, data: bytes, *, keep_mode: bool) -> None:
    target = _target(path)
    # mkstemp uses mode 0600 and O_EXCL. The same folder keeps the replacement on one file system.
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
    """Hold the lock of a file while it is read, changed and written.

    The lock excludes other threads and processes, and is released when the process ends. It is not
    re-entrant. It is a file beside the real file and is removed on release. Readers need no lock,
    because :func:`write_private` replaces the file atomically.

    Args:
        path: The file to change, which may not exist yet. A missing folder is created as in
            :func:`write_private`.

    Raises:
        OSError: The folder cannot be created or written.
        TimeoutError: Another program has held the lock for 10 seconds.
    """
    target = _target(path)
    lock = target.with_name(f".{target.name}.lock")
    descriptor = _acquire(lock)
    try:
        yield
    finally:
        _release(descriptor, lock)


def _target(path: Path) -> Path:
    """Return the real file behind links, and create its folder when it is missing."""
    target = Path(os.path.realpath(path))
    _make_folder(target.parent)
    return target


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):  # another process has created it
        folder.mkdir(mode=0o700)
        _give_to_owner_of(folder, folder.parent.stat())


def _adopt(descriptor: int, target: Path, *, keep_mode: bool) -> None:
    """Give a new file the owner of the old file, and with `keep_mode` also its mode."""
    try:
        like = target.stat()
    except FileNotFoundError:
        like, keep_mode = target.parent.stat(), False
    _give_to_owner_of(descriptor, like)
    if keep_mode and hasattr(os, "fchmod"):  # Windows has no such modes
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _give_to_owner_of(file: int | Path, like: os.stat_result) -> None:
    if _IS_ROOT:  # only root can change the owner
        # Without following links, because another user may have replaced the folder by a link.
        os.chown(file, like.st_uid, like.st_gid, follow_symlinks=isinstance(file, int))


def _acquire(lock: Path) -> int:
    deadline = time.monotonic() + LOCK_TIMEOUT
    while True:
        # Without following links, because a link could point to any file.
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o600)
        try:
            if _try_lock(descriptor, lock):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        # Attempts with pauses, because a lock that blocks has no timeout.
        if time.monotonic() >= deadline:
            reason = f"another program has held the lock for {LOCK_TIMEOUT:g} s: end it, or retry"
            raise TimeoutError(errno.ETIMEDOUT, reason, str(lock))
        time.sleep(_LOCK_INTERVAL)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int, _: Path) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:  # another program holds the lock
            return False
        return True

    def _release(descriptor: int, lock: Path) -> None:
        os.close(descriptor)
        with contextlib.suppress(OSError):  # open in another process, which removes it later
            lock.unlink()

else:
    try:
        import fcntl
    except ImportError:  # a platform without locks
        fcntl = None  # type: ignore[assignment]

    def _try_lock(descriptor: int, lock: Path) -> bool:
        if fcntl is None:
            return True
        # The previous holder removes the file before it releases the lock. A lock on a removed file
        # is useless, because another process may hold the new file of this name.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(descriptor), lock.stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    def _release(descriptor: int, lock: Path) -> None:
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)
