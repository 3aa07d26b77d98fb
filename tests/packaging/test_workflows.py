"""The workflows are valid and pinned, and upload the packages in the order of dependencies."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir())


def load(workflow: Path) -> dict:
    # YAML 1.1 reads the key "on" as true; BaseLoader keeps every scalar as text.
    return yaml.load(workflow.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def needs_of(job: dict) -> set[str]:
    """Return the jobs that a job waits for."""
    needs = job.get("needs", [])
    return {needs} if isinstance(needs, str) else set(needs)


def needs_of_package(name: str) -> set[str]:
    """Return this project's packages that a distribution needs, including extras."""
    pyproject = ROOT / "packages" / name / "pyproject.toml"
    return set(re.findall(r'"chaojiyuyan-(\w+)[=>]', pyproject.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def release() -> dict[str, dict]:
    """Return the jobs of the release."""
    return load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]


def waits_for(name: str, jobs: dict[str, dict]) -> set[str]:
    """Return all jobs that have succeeded when this one starts."""
    direct = needs_of(jobs[name])
    return direct | {before for one in direct for before in waits_for(one, jobs)}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_is_well_formed(workflow: Path) -> None:
    described = load(workflow)
    assert {"name", "on", "permissions", "concurrency", "jobs"} <= set(described)
    assert described["permissions"] == {"contents": "read"}
    for name, job in described["jobs"].items():
        assert {"name", "runs-on", "timeout-minutes", "steps"} <= set(job), name
        assert needs_of(job) <= set(described["jobs"]), name
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), f"{name}: {step}"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash_with_their_version(workflow: Path) -> None:
    used = re.findall(r"(?m)uses: (.*)$", workflow.read_text(encoding="utf-8"))
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)


def test_all_workflows_use_the_same_version_of_an_action() -> None:
    used: dict[str, set[str]] = {}
    for workflow in WORKFLOWS:
        for action, pin in re.findall(r"uses: (\S+)@(\S+)", workflow.read_text(encoding="utf-8")):
            used.setdefault(action, set()).add(pin)
    assert {action: pins for action, pins in used.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_the_scripts_in_workflows_exist(workflow: Path) -> None:
    for job in load(workflow)["jobs"].values():
        for step in job["steps"]:
            for path in re.findall(
                r"(?:\./|python )((?:scripts|tests|\.ci)/[\w./-]+)", step.get("run", "")
            ):
                assert (ROOT / path).exists(), path


@pytest.mark.parametrize("name", PACKAGES)
def test_an_upload_waits_for_its_dependencies(name: str, release: dict[str, dict]) -> None:
    before = waits_for(f"upload-{name}", release)
    assert {f"upload-{sibling}" for sibling in needs_of_package(name)} <= before
    assert {"build", "check", "roads", "installed", "elsewhere", "attest", "approve"} <= before


@pytest.mark.parametrize("name", PACKAGES)
def test_an_upload_job_only_uploads(name: str, release: dict[str, dict]) -> None:
    job = release[f"upload-{name}"]
    used = [step["uses"].partition("@")[0] for step in job["steps"]]
    assert used == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert job["steps"][1]["with"]["packages-dir"] == f"dist/{name}/"
    assert job["permissions"] == {"id-token": "write"}
    assert job["environment"] == "pypi"


def test_only_jobs_that_sign_or_upload_get_an_identity(release: dict[str, dict]) -> None:
    signing = {name for name, job in release.items() if "id-token" in job.get("permissions", {})}
    assert signing == {"attest", "github-release", *(f"upload-{name}" for name in PACKAGES)}


def test_nothing_is_cached_in_a_release() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "cache: " not in text.replace("package-manager-cache: false", "")


def test_secrets_are_used_only_without_an_identity() -> None:
    found = {
        secret
        for workflow in WORKFLOWS
        for secret in re.findall(r"secrets\.(\w+)", workflow.read_text(encoding="utf-8"))
    }
    assert found == {"MCPB_KEY", "MCP_REGISTRY_KEY"}, "publishing to PyPI is trusted"


def test_the_registry_entry_matches_its_schema() -> None:
    entry = json.loads((ROOT / "packages" / "mcp" / "server.json").read_text(encoding="utf-8"))
    assert f"--schemafile {entry['$schema']} packages/mcp/server.json" in (
        ROOT / "hatch.toml"
    ).read_text(encoding="utf-8")
