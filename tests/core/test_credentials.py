from __future__ import annotations

import configparser
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_core import credentials
from chaojiyuyan_core.credentials import (
    check_writable,
    clear_credentials,
    load_credentials,
    profile_name,
    save_credentials,
)
from chaojiyuyan_core.errors import CredentialsError

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")

KEPT = """\
# my keys
[default]
api_key = old

# the key of work
[work]
api_key: nxt_ag_work
team = blue ; not a comment
"""


@pytest.fixture(autouse=True)
def no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHAOJIYUYAN_PROFILE", raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "credentials"


def test_a_saved_profile_is_loaded(path: Path) -> None:
    assert save_credentials("k", base_url="http://x", account_id="a", path=path) == path
    assert load_credentials(path=path) == {
        "api_key": "k",
        "base_url": "http://x",
        "account_id": "a",
    }
    assert path.read_text() == "[default]\napi_key = k\nbase_url = http://x\naccount_id = a\n"


def test_values_that_are_not_given_are_kept(path: Path) -> None:
    save_credentials("k1", base_url="http://x", path=path)
    save_credentials("k2", path=path)
    assert load_credentials(path=path) == {"api_key": "k2", "base_url": "http://x"}


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_blank_base_url_keeps_the_present_one(path: Path, blank: str | None) -> None:
    save_credentials("k1", base_url="https://x.example", account_id="acc", path=path)
    save_credentials("k2", base_url=blank, account_id=blank, path=path)
    assert load_credentials(path=path) == {
        "api_key": "k2",
        "base_url": "https://x.example",
        "account_id": "acc",
    }


def test_comments_and_other_sections_are_unchanged(path: Path) -> None:
    path.write_text(KEPT)
    save_credentials("new", base_url="http://x", path=path)
    assert path.read_text() == KEPT.replace("= old\n", "= new\nbase_url = http://x\n")
    assert clear_credentials(path=path)
    assert path.read_text() == KEPT.replace("[default]\napi_key = old\n\n", "\n")
    save_credentials("again", path=path, profile="third")
    assert path.read_text().endswith("team = blue ; not a comment\n\n[third]\napi_key = again\n")


def test_indentation_and_newlines_are_unchanged(path: Path) -> None:
    path.write_bytes(b"[default]\r\n  api_key = a\r\n   b\r\n  other = 1\r\n[z]\r\napi_key=z")
    save_credentials("k", account_id="acc", path=path)
    assert path.read_bytes() == (
        b"[default]\r\n  api_key = k\r\n  other = 1\r\n  account_id = acc\r\n[z]\r\napi_key=z\r\n"
    )


def test_section_default_is_inherited_as_in_configparser(path: Path) -> None:
    path.write_text("[DEFAULT]\nbase_url = http://all\n[default]\napi_key = k\n")
    assert load_credentials(path=path) == {"api_key": "k", "base_url": "http://all"}
    assert load_credentials(path=path, profile="DEFAULT") is None
    assert not clear_credentials(path=path, profile="DEFAULT")
    with pytest.raises(CredentialsError, match="cannot be named"):
        save_credentials("k", path=path, profile="DEFAULT")


@pytest.mark.parametrize("content", ["", "[default]\n", "[default]\napi_key =\n", "[other]\na=b\n"])
def test_without_a_key_there_is_no_profile(path: Path, content: str) -> None:
    path.write_text(content)
    assert load_credentials(path=path) is None


def test_without_a_file_there_is_no_profile(tmp_path: Path) -> None:
    assert load_credentials(path=tmp_path / "none") is None
    assert clear_credentials(path=str(tmp_path / "no" / "folder")) is False
    assert list(tmp_path.iterdir()) == []


def test_the_profile_comes_from_argument_environment_or_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert profile_name() == credentials.DEFAULT_PROFILE == "default"
    monkeypatch.setenv("CHAOJIYUYAN_PROFILE", " work ")
    assert profile_name() == profile_name(" ") == "work"
    assert profile_name("home") == "home"
    assert profile_name(None, {}) == "default"


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"nxt_ag_secret", 1), (b"[a]\nnxt_ag_secret\n", 2), (b"[a\nx = nxt_ag_secret", 1)],
)
def test_a_broken_file_is_an_error_without_its_content(
    path: Path, content: bytes, line: int
) -> None:
    path.write_bytes(content)
    for use in (load_credentials, clear_credentials):
        with pytest.raises(CredentialsError, match=f"line {line} ") as caught:
            use(path=path)
        assert "secret" not in str(caught.value)
    with pytest.raises(CredentialsError):
        save_credentials("k", path=path)
    assert path.read_bytes() == content


def test_invalid_utf_8_and_a_folder_are_clear_errors(path: Path) -> None:
    path.write_bytes(b"[a]\nx = \xff")
    with pytest.raises(CredentialsError, match="not UTF-8"):
        load_credentials(path=path)
    with pytest.raises(CredentialsError, match="Cannot read"):
        load_credentials(path=path.parent)
    with pytest.raises(CredentialsError, match="Cannot write"):
        save_credentials("k", path=path / "below")


@pytest.mark.parametrize(
    "bad", ["", "  ", "a\rb", "a\nb = c", "a\x00", "a\x85b", "a\u2028b", "\ud800"]
)
def test_a_blank_key_and_control_characters_are_refused(path: Path, bad: str) -> None:
    save_credentials("old", path=path)
    before = path.read_bytes()
    with pytest.raises(CredentialsError):
        save_credentials(bad, path=path)
    if bad.strip():
        with pytest.raises(CredentialsError):
            save_credentials("k", base_url=bad, path=path)
        with pytest.raises(CredentialsError):
            save_credentials("k", profile=bad, path=path)
    assert path.read_bytes() == before


@settings(deadline=None)
@given(st.text(), st.none() | st.text(), st.none() | st.text(), st.text())
def test_any_text_is_saved_completely_or_refused(
    key: str, base_url: str | None, account_id: str | None, profile: str
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "credentials"
        path.write_text(KEPT)
        try:
            save_credentials(
                key, base_url=base_url, account_id=account_id, profile=profile, path=path
            )
        except CredentialsError:
            assert path.read_text() == KEPT
            return
        given = {"api_key": key, "base_url": base_url, "account_id": account_id}
        expected = {name: text.strip() for name, text in given.items() if text and text.strip()}
        assert load_credentials(profile=profile, path=path) == expected
        # configparser, which earlier releases use, reads the same
        parser = configparser.RawConfigParser()
        parser.read_string(path.read_text(encoding="utf-8"))
        assert expected.items() <= dict(parser[profile_name(profile)]).items()
        if profile_name(profile) != "work":
            assert KEPT[KEPT.index("[work]") :] in path.read_text(encoding="utf-8")


names = st.text("ab]=#; ", min_size=1, max_size=4).filter(lambda name: name.strip() == name)
values = st.text("kx=:#;[] %", min_size=1, max_size=6).filter(lambda text: text.strip() == text)
options = st.dictionaries(st.sampled_from(["api_key", "base_url", "x"]), values)
files = st.dictionaries(names | st.sampled_from(["DEFAULT", "default"]), options, max_size=4)


@settings(deadline=None)
@given(files, st.sampled_from(["", " ", "# c\n", "\n; d\n\n"]), st.sampled_from(["=", " = ", ":"]))
def test_a_file_is_read_as_configparser_reads_it(
    sections: dict[str, dict[str, str]], between: str, sign: str
) -> None:
    text = "".join(
        f"[{name}]\n" + "".join(f"{between.strip(' ')}{o}{sign}{v}\n" for o, v in options.items())
        for name, options in sections.items()
    )
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "credentials"
        path.write_text(text)
        for name in parser.sections():
            theirs = dict(parser[name])
            theirs.pop("x", None)
            ours = load_credentials(profile=name, path=path)
            assert ours == (theirs if "api_key" in theirs else None)


STEPS = ("os.fdopen", "os.fsync", "Path.replace")


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(STEPS), st.sampled_from([OSError(28, "full"), KeyboardInterrupt()]))
def test_a_crash_at_any_write_loses_no_profile(step: str, fault: BaseException) -> None:
    def crash(*args: object) -> None:
        raise fault

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "credentials"
        path.write_text(KEPT)
        patch.setattr(f"chaojiyuyan_core.private_file.{step}", crash)
        with pytest.raises((CredentialsError, KeyboardInterrupt)):
            save_credentials("new", path=path)
        assert path.read_text() == KEPT
        patch.undo()
        save_credentials("new", path=path)
        assert load_credentials(path=path, profile="work") is not None


KILLED = """
import os, signal, sys
from chaojiyuyan_core import private_file
from chaojiyuyan_core.credentials import save_credentials
wanted, path = sys.argv[1:]
owner = private_file.Path if wanted == "replace" else os
real = getattr(owner, wanted)
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, wanted, die)
save_credentials("new", path=path)
"""


@posix
@pytest.mark.parametrize("step", ["fsync", "replace", "fdopen"])
def test_a_killed_writer_leaves_the_old_file_and_no_lock(path: Path, step: str) -> None:
    path.write_text(KEPT)
    done = subprocess.run([sys.executable, "-c", KILLED, step, str(path)], timeout=60)
    assert done.returncode < 0
    assert path.read_text() == KEPT
    save_credentials("new", path=path)
    assert load_credentials(path=path) == {"api_key": "new"}


SAVE = """
import sys
from chaojiyuyan_core.credentials import save_credentials
path, name = sys.argv[1:]
for n in range(25):
    save_credentials(f"{name}-{n}", profile=f"{name}-{n}", path=path)
"""


def test_concurrent_writers_lose_nothing(path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", SAVE, str(path), n]) for n in ("a", "b", "c")
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    for name in ("a", "b", "c"):
        for n in range(25):
            profile = f"{name}-{n}"
            assert load_credentials(profile=profile, path=path) == {"api_key": profile}


@posix
def test_other_users_can_never_read_the_file_during_a_write(path: Path) -> None:
    """Watch every file in the folder, also temporary files, while two profiles are written."""
    saving = threading.Event()
    seen: set[tuple[str, int]] = set()
    before = os.umask(0)

    def save() -> None:
        try:
            for n in range(150):
                save_credentials(f"key-{n}", profile=f"p{n % 2}", path=path)
        finally:
            saving.set()

    writer = threading.Thread(target=save)
    try:
        writer.start()
        while not saving.is_set():
            with os.scandir(path.parent) as entries:
                for entry in entries:
                    try:
                        seen.add((entry.name, stat.S_IMODE(entry.stat().st_mode)))
                    except FileNotFoundError:
                        continue
            saved = load_credentials(profile="p0", path=path)
            assert saved is None or saved["api_key"].startswith("key-")
    finally:
        writer.join()
        os.umask(before)
    assert ("credentials", 0o600) in seen
    assert {mode for _, mode in seen} == {0o600}


NO_HOME = """
import os, sys
os.environ.pop("HOME", None)
if sys.platform != "win32":
    import pwd
    def getpwuid(uid):
        raise KeyError(uid)
    pwd.getpwuid = getpwuid
from chaojiyuyan_core.credentials import load_credentials, save_credentials
print(load_credentials())
try:
    save_credentials("k")
except ValueError as error:
    print(error)
"""


@posix
def test_without_a_home_saving_says_what_is_missing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NO_HOME], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "None"
    assert "set HOME" in done.stdout
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_other_users_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "my credentials"
    save_credentials("nxt_ag_0123456789", path=path)
    path.chmod(mode)
    for act in (
        lambda: load_credentials(path=path),
        lambda: save_credentials("nxt_ag_other", path=path),
        lambda: clear_credentials(path=path),
        lambda: check_writable(path=path),
    ):
        with pytest.raises(CredentialsError, match=f"chmod go-w '{path}'"):
            act()
    subprocess.run(["chmod", "go-w", path], check=True)
    assert load_credentials(path=path) == {"api_key": "nxt_ag_0123456789"}


@posix
@pytest.mark.parametrize("mode", [0o770, 0o757])
def test_a_folder_that_other_users_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "home"
    path = save_credentials("nxt_ag_0123456789", path=folder / "credentials")
    folder.chmod(mode)
    with pytest.raises(CredentialsError, match=f"chmod go-w {folder}`"):
        load_credentials(path=path)
    folder.chmod(0o1777)  # sticky, like a mounted secret: users cannot replace files of others
    assert load_credentials(path=path) is not None
    link = tmp_path / "link"
    link.symlink_to(path)
    folder.chmod(mode)
    with pytest.raises(CredentialsError, match="go-w"):
        load_credentials(path=link)
