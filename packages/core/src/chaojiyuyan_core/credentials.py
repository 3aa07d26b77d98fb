"""The credentials file: an INI file with one section a profile, private to its owner.

It looks like this::

    [default]
    api_key = nxt_ag_…
    base_url = https://pic.chaojiyuyan.com/api/v1
    account_id = acc_…

It is read as ``configparser`` does without interpolation, and changed as text, so that comments and
whatever else stands in it stay.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from .errors import CredentialsError

__all__ = [
    "CREDENTIALS_DIR",
    "CREDENTIALS_PATH",
    "DEFAULT_PROFILE",
    "check_writable",
    "clear_credentials",
    "load_credentials",
    "profile_name",
    "save_credentials",
]

DEFAULT_PROFILE = "default"
# Unlike Path.home(), expanduser never fails: a container may know neither HOME nor its user.
CREDENTIALS_DIR = Path(os.path.expanduser("~")) / ".chaojiyuyan"  # noqa: PTH111
CREDENTIALS_PATH = CREDENTIALS_DIR / "credentials"

_NAMES = ("api_key", "base_url", "account_id")
_INHERITED = "DEFAULT"  # what stands in this section holds for every other, as in configparser
_HEADER = re.compile(r"\[(?P<section>.+)\]")
_OPTION = re.compile(r"(?P<name>.*?)\s*[=:]\s*(?P<value>.*)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def profile_name(profile: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Return the profile's name: the argument, else ``CHAOJIYUYAN_PROFILE``, else ``default``.

    Args:
        profile: A name; None and blank count as absent.
        environ: The environment; ``os.environ`` by default.
    """
    environ = os.environ if environ is None else environ
    for name in (profile, environ.get("CHAOJIYUYAN_PROFILE")):
        if name and name.strip():
            return name.strip()
    return DEFAULT_PROFILE


def load_credentials(
    *, profile: str | None = None, path: str | os.PathLike[str] | None = None
) -> dict[str, str] | None:
    """Read a profile.

    Args:
        profile: See :func:`profile_name`.
        path: The file; ``~/.chaojiyuyan/credentials`` by default.

    Returns:
        ``api_key`` and, where they are set, ``base_url`` and ``account_id``; None where the file,
        the profile or its key is absent.

    Raises:
        CredentialsError: The file cannot be read, is not an INI file, or can be written by others.
    """
    lines = _read(_path(path))
    section = profile_name(profile)
    if section == _INHERITED or not any(line.section == section for line in lines):
        return None
    values = {
        line.option: line.value
        for wanted in (_INHERITED, section)
        for line in lines
        if line.section == wanted and line.value
    }
    if "api_key" not in values:
        return None
    return {name: values[name] for name in _NAMES if name in values}


def save_credentials(
    api_key: str,
    *,
    base_url: str | None = None,
    account_id: str | None = None,
    profile: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Path:
    """Write a profile, in one step and under a lock; the file is readable by its owner alone.

    Args:
        api_key: The agent key.
        base_url: The base URL that the key is for; None or blank leaves what the profile has.
        account_id: The account that the key belongs to; None or blank leaves what the profile has.
        profile: See :func:`profile_name`.
        path: The file; ``~/.chaojiyuyan/credentials`` by default. Its folder is made where it is
            absent.

    Returns:
        The path of the file.

    Raises:
        CredentialsError: The key is blank, a value holds a control character, or the file cannot be
            read or written, or can be written by others. Nothing is changed then.
    """
    given = {"api_key": api_key, "base_url": base_url, "account_id": account_id}
    values = {name: value.strip() for name, value in given.items() if value and value.strip()}
    section = profile_name(profile)
    if section == _INHERITED:
        raise CredentialsError(f"A profile cannot be named {_INHERITED}")
    if "api_key" not in values:
        raise CredentialsError("The key to save is blank")
    for name, text in {**given, "profile": section}.items():
        if text is not None and _CONTROL.search(text):
            raise CredentialsError(f"The {name} to save holds a control character")
    file = _path(path)
    _check_home(file)
    _change(file, lambda lines: _with_values(lines, section, values))
    return file


def check_writable(*, path: str | os.PathLike[str] | None = None) -> None:
    """Find out whether a key can be saved, before somebody approves a login for it.

    Args:
        path: The file; ``~/.chaojiyuyan/credentials`` by default.

    Raises:
        CredentialsError: The file cannot be read or written, or can be written by others.
    """
    file = _path(path)
    _check_home(file)
    _read(file)
    folder = Path(os.path.realpath(file)).parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise CredentialsError(f"Cannot write {file}: {folder} is no folder that can be written to")


def clear_credentials(
    *, profile: str | None = None, path: str | os.PathLike[str] | None = None
) -> bool:
    """Remove a profile; comments and other profiles stay.

    Args:
        profile: See :func:`profile_name`.
        path: The file; ``~/.chaojiyuyan/credentials`` by default.

    Returns:
        Whether the profile was there.

    Raises:
        CredentialsError: The file cannot be read or written, or can be written by others. Nothing
            is changed then.
    """
    section = profile_name(profile)
    file = _path(path)
    if section == _INHERITED or not any(line.section == section for line in _read(file)):
        return False
    _change(file, lambda lines: [line.text for line in lines if not _belongs(line, section)])
    return True


class _Line(NamedTuple):
    """A line, the section it stands in, and the option it is of; ``value`` on its first line."""

    text: str
    section: str | None
    option: str | None
    value: str


def _parsed(text: str, file: Path) -> list[_Line]:
    lines: list[_Line] = []
    section: str | None = None
    option: str | None = None
    indent = 0
    for number, line in enumerate(io.StringIO(text), 1):
        stripped = line.strip()
        value = ""
        depth = len(_indent(line))
        if not stripped or stripped[0] in "#;":
            lines.append(_Line(line, section, None, ""))
            continue
        if option is None or depth <= indent:  # deeper, it goes on with the option's value
            indent = depth
            if header := _HEADER.match(stripped):
                section, option = header["section"].strip(), None
            elif section is not None and (found := _OPTION.match(stripped)):
                option, value = found["name"].lower(), found["value"]
            else:  # the line itself may hold a key: name its number alone
                raise CredentialsError(
                    f"{file} is not a credentials file: line {number} is neither"
                    " [profile] nor name = value"
                )
        lines.append(_Line(line, section, option, value))
    return lines


def _with_values(lines: list[_Line], section: str, values: dict[str, str]) -> list[str]:
    """The file's lines with the section's options set, and all others as they were."""
    end = "\r\n" if lines and lines[0].text.endswith("\r\n") else "\n"
    texts = [line.text for line in lines]
    if texts and not texts[-1].endswith("\n"):
        texts[-1] += end
    own = [number for number, line in enumerate(lines) if _belongs(line, section)]
    unset = dict(values)
    indent = ""
    for number in own:
        option = lines[number].option
        if option is not None and lines[number].value:
            indent = _indent(lines[number].text)
        if option in values:
            new = unset.pop(option, None)  # a second line of the same option goes
            texts[number] = "" if new is None else f"{indent}{option} = {new}{end}"
    added = "".join(f"{indent}{name} = {value}{end}" for name, value in unset.items())
    if own:
        texts[own[-1]] += added
    else:
        gap = end if texts and texts[-1].strip() else ""
        texts.append(f"{gap}[{section}]{end}{added}")
    return texts


def _belongs(line: _Line, section: str) -> bool:
    """Whether a line goes with its section; a comment may be about the section below it."""
    return line.section == section and line.text.strip()[:1] not in ("", "#", ";")


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _path(path: str | os.PathLike[str] | None) -> Path:
    return CREDENTIALS_PATH if path is None else Path(path)


def _homeless(file: Path) -> bool:
    """Whether the file would lie in a home directory that is not known."""
    return file is CREDENTIALS_PATH and not file.is_absolute()


def _check_home(file: Path) -> None:
    if _homeless(file):
        raise CredentialsError("There is no home directory to keep credentials in: set HOME")


def _check_private(file: Path) -> None:
    """Refuse a file that somebody else may have written: its key and base URL would be theirs."""
    if os.name != "posix":
        return
    import shlex

    real = Path(os.path.realpath(file))
    for path in dict.fromkeys((real, real.parent, file.parent)):
        try:
            mode = path.stat().st_mode
        except OSError:  # absent, or not to be read: whoever opens it says so
            continue
        # In a sticky folder, for example a mounted secret's, nobody replaces another's file.
        if mode & 0o022 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            raise CredentialsError(
                f"{path} can be written by others, who could change the key and the base URL in"
                f" {file}: check it, then run `chmod go-w {shlex.quote(str(path))}`"
            )


def _read(file: Path) -> list[_Line]:
    if _homeless(file):
        return []
    _check_private(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CredentialsError(f"Cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CredentialsError(f"{file} is not a credentials file: it is not UTF-8") from None
    return _parsed(text, file)


def _change(file: Path, change: Callable[[list[_Line]], list[str]]) -> None:
    from .private_file import locked, write_private

    try:
        with locked(file):
            write_private(file, "".join(change(_read(file))).encode())
    except OSError as error:
        raise CredentialsError(f"Cannot write {file}: {error.strerror}") from error
