"""An environment with editable installs of the checkout, as in docs/install.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Environment

ROOT = Path(__file__).resolve().parents[2]


def test_every_part_installs_from_the_checkout_and_its_tests_run(
    new_environment: Callable[[str, Path], Environment], interpreter_3_10: Path
) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    steps = re.findall(r"(?ms)^```sh[^\n]*\n(.*?)^```", page.split("## From a checkout")[1])[0]
    environment = new_environment("checkout", interpreter_3_10)
    for line in steps.replace("\\\n", " ").splitlines():
        program, *args = shlex.split(line)
        if program == "pip":
            environment.install(*(ROOT / a if a.startswith("packages/") else a for a in args[1:]))
        else:
            shown = environment.run(program, *args, cwd=ROOT)
            assert " passed" in shown.stdout
    installed = {name for name in environment.packages() if name.startswith("chaojiyuyan-")}
    assert installed == {f"chaojiyuyan-{path.name}" for path in (ROOT / "packages").iterdir()}
