"""The credentials file: an INI file with one section for each profile, private to its owner.

An example::

    [default]
    api_key = nxt_ag_…
    base_url = https://pic.chaojiyuyan.com/api/v1
    account_id = acc_…

It is read like ``configparser`` without interpolation. It is changed as text, so that comments and
other content stay.
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
# expanduser, because Path.home() fails in a container without HOME and without a known user.
CREDENTIALS_DIR = Path(os.path.expanduser("~")) / ".chaojiyuyan"  # noqa: PTH111
CREDENTIALS_PATH = CREDENTIALS_DIR / "credentials"

_NAMES = ("api_key", "base_url", "account_id")
_INHERITED = "DEFAULT"  # the defaults of all other sections, as in configparser
_HEADER = re.compile(r"\[(?P<section>.+)\]")
_OPTION = re.compile(r"(?P<name>.*?)\s*[=:]\s*(?P<value>.*)")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def profile_name(profile: str | None = None, environ: Mapping[str, str] | None = None) -> str:
    """Return the name of the profile: the argument, ``CHAOJIYUYAN_PROFILE`` or ``default``.

    Args:
        profile: A name; None and blank count as not given.
        environ: The environment, by default ``os.environ``.
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
        path: The file, by default ``~/.chaojiyuyan/credentials``.

    Returns:
        ``api_key`` and, if they are set, ``base_url`` and ``account_id``. None when the file, the
        profile or its key does not exist.

    Raises:
        CredentialsError: The file cannot be read, is not an INI file, or other users can write it.
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
    """Write a profile atomically and under a lock. Only the owner can read the file.

    Args:
        api_key: The agent key.
        base_url: The base URL for the key; None or blank keeps the present value.
        account_id: The account of the key; None or blank keeps the present value.
        profile: See :func:`profile_name`.
        path: The file, by default ``~/.chaojiyuyan/credentials``. Its folder is created when it
            does not exist.

    Returns:
        The path of the file.

    Raises:
        CredentialsError: The key is blank, a value has a control character, the file cannot be
            read or written, or other users can write it. Nothing is changed.
    """
    given = {"api_key": api_key, "base_url": base_url, "account_id": account_id}
    values = {name: value.strip() for name, value in given.items() if value and value.strip()}
    section = profile_name(profile)
    if section == _INHERITED:
        raise CredentialsError(f"A profile cannot be named {_INHERITED}: choose another name")
    if "api_key" not in values:
        raise CredentialsError("The key to save is blank: pass an agent key (nxt_ag_…)")
    for name, text in {**given, "profile": section}.items():
        if text is not None and _CONTROL.search(text):
            raise CredentialsError(f"The {name} to save has a control character: copy it again")
    file = _path(path)
    _check_home(file)
    _change(file, lambda lines: _with_values(lines, section, values))
    return file


def check_writable(*, path: str | os.PathLike[str] | None = None) -> None:
    """Check that a key can be saved, before the user approves a login.

    Args:
        path: The file, by default ``~/.chaojiyuyan/credentials``.

    Raises:
        CredentialsError: The file cannot be read or written, or other users can write it.
    """
    file = _path(path)
    _check_home(file)
    _read(file)
    folder = Path(os.path.realpath(file)).parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise CredentialsError(f"Cannot write {file}: {folder} is not a writable folder")


def clear_credentials(
    *, profile: str | None = None, path: str | os.PathLike[str] | None = None
) -> bool:
    """Remove a profile. Comments and other profiles stay.

    Args:
        profile: See :func:`profile_name`.
        path: The file, by default ``~/.chaojiyuyan/credentials``.

    Returns:
        Whether the profile existed.

    Raises:
        CredentialsError: The file cannot be read or written, or other users can write it. Nothing
            is changed.
    """
    section = profile_name(profile)
    file = _path(path)
    if section == _INHERITED or not any(line.section == section for line in _read(file)):
        return False
    _change(file, lambda lines: [line.text for line in lines if not _belongs(line, section)])
    return True


class _Line(NamedTuple):
    """A line, its section and its option. Only the first line of an option has its ``value``."""

    text: str
    section: str | None
    option: str | None
    value: str


def _parse(text: str, file: Path) -> list[_Line]:
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
        if option is None or depth <= indent:  # a deeper line continues the value of the option
            indent = depth
            if header := _HEADER.match(stripped):
                section, option = header["section"].strip(), None
            elif section is not None and (found := _OPTION.match(stripped)):
                option, value = found["name"].lower(), found["value"]
            else:  # the line may contain a key, so the error has only its number
                raise CredentialsError(
                    f"{file} is not a credentials file: line {number} is neither"
                    " [profile] nor name = value"
                )
        lines.append(_Line(line, section, option, value))
    return lines


def _with_values(lines: list[_Line], section: str, values: dict[str, str]) -> list[str]:
    """Return the lines of the file with new values in a section, and the other lines unchanged."""
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
            new = unset.pop(option, None)  # a second line of the same option is removed
            texts[number] = "" if new is None else f"{indent}{option} = {new}{end}"
    added = "".join(f"{indent}{name} = {value}{end}" for name, value in unset.items())
    if own:
        texts[own[-1]] += added
    else:
        gap = end if texts and texts[-1].strip() else ""
        texts.append(f"{gap}[{section}]{end}{added}")
    return texts


def _belongs(line: _Line, section: str) -> bool:
    """Return whether a line belongs to a section. A comment may describe the next section."""
    return line.section == section and line.text.strip()[:1] not in ("", "#", ";")


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _path(path: str | os.PathLike[str] | None) -> Path:
    return CREDENTIALS_PATH if path is None else Path(path)


def _homeless(file: Path) -> bool:
    """Return whether the file is the default one and the home folder is unknown."""
    return file is CREDENTIALS_PATH and not file.is_absolute()


def _check_home(file: Path) -> None:
    if _homeless(file):
        raise CredentialsError("The home folder for the credentials is unknown: set HOME")


def _check_private(file: Path) -> None:
    """Refuse a file that other users can write, because they could have changed its base URL."""
    if os.name != "posix":
        return
    import shlex

    real = Path(os.path.realpath(file))
    for path in dict.fromkeys((real, real.parent, file.parent)):
        try:
            mode = path.stat().st_mode
        except OSError:  # missing or unreadable, which opening the file reports
            continue
        # In a sticky folder, such as a mounted secret, users cannot replace files of others.
        if mode & 0o022 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
            raise CredentialsError(
                f"Other users can write {path} and change the key and the base URL in {file}:"
                f" check it, then run `chmod go-w {shlex.quote(str(path))}`"
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
    return _parse(text, file)


def _change(file: Path, change: Callable[[list[_Line]], list[str]]) -> None:
    from .private_file import locked, write_private

    try:
        with locked(file):
            write_private(file, "".join(change(_read(file))).encode())
    except OSError as error:
        raise CredentialsError(f"Cannot write {file}: {error.strerror}") from error
