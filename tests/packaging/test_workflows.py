"""The workflows: well formed, and the release in the order in which its parts need each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(workflow: Path) -> dict:
    # YAML 1.1 reads the key "on" as true; BaseLoader leaves every word as it stands.
    return yaml.load(workflow.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_is_well_formed(workflow: Path) -> None:
    described = load(workflow)
    assert {"name", "on", "permissions", "jobs"} <= set(described)
    for name, job in described["jobs"].items():
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job), name
        needs = job.get("needs", [])
        assert set([needs] if isinstance(needs, str) else needs) <= set(described["jobs"]), name
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), f"{name}: {step}"
            if "uses" in step:
                assert re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step["uses"])


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_runs_is_there(workflow: Path) -> None:
    for job in load(workflow)["jobs"].values():
        for step in job["steps"]:
            for path in re.findall(
                r"(?:\./|python )((?:scripts|tests|\.ci)/[\w./-]+)", step.get("run", "")
            ):
                assert (ROOT / path).is_file(), path


def test_the_upload_comes_last_and_in_order() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    publish = jobs["publish"]
    assert set(publish["needs"]) == set(jobs) - {"publish"}
    assert publish["permissions"]["id-token"] == "write"
    assert all("id-token" not in jobs[name].get("permissions", {}) for name in publish["needs"])

    (upload,) = (step["run"] for step in publish["steps"] if "twine" in step.get("run", ""))
    order = re.findall(r"for name in (.+?);", upload)[0].split()
    assert sorted(order) == sorted(path.name for path in (ROOT / "packages").iterdir())
    for at, name in enumerate(order):
        pyproject = (ROOT / "packages" / name / "pyproject.toml").read_text(encoding="utf-8")
        needed = set(re.findall(r'"chaojiyuyan-(\w+)[=>]', pyproject))
        assert needed <= set(order[:at]), f"{name} would be uploaded before what it needs"


def test_no_secret_is_used() -> None:
    for workflow in WORKFLOWS:
        assert "secrets." not in workflow.read_text(encoding="utf-8"), "publishing is trusted"
