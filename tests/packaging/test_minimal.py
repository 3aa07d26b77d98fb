"""A caller's installation: core, client, httpx and its dependencies, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.environments import at

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def caller(new_environment: Callable[[str, Path], Environment], interpreter: Path) -> Environment:
    environment = new_environment("minimal", interpreter)
    environment.install("chaojiyuyan-core", "chaojiyuyan-client")
    return environment


def test_the_client_installs_only_httpx_and_its_dependencies(
    caller: Environment,
    new_environment: Callable[[str, Path], Environment],
    interpreter: Path,
    weigh: Callable[[str, Environment], None],
) -> None:
    floor = new_environment("httpx", interpreter)
    floor.install("httpx")
    assert set(caller.packages()) - set(floor.packages()) == {
        "chaojiyuyan-core",
        "chaojiyuyan-client",
    }
    weigh("Minimal", caller)


def test_the_script_of_the_readme_runs(
    caller: Environment, kernel: LocalKernel, digest_worker: None
) -> None:
    readme = (ROOT / "packages" / "client" / "README.md").read_text(encoding="utf-8")
    script = re.findall(r"(?ms)^```python\n(.*?)^```", readme)[0]
    shown = caller.run(
        caller.python,
        "-c",
        script,
        **at(kernel),
    )
    assert "6" in shown.stdout, "six words: to be or not to be"


def test_importing_reads_and_writes_no_files(caller: Environment) -> None:
    code = "import chaojiyuyan_client, chaojiyuyan_core, sys; print('httpx' in sys.modules)"
    assert caller.run(caller.python, "-c", code).stdout == "False\n"
    assert not list(caller.home.iterdir())
