"""`capabilities`, `jobs`, `events`, `status JOB_ID` and `whoami` against the local kernel."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from support.command_line import finish

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.fake_platform import FakePlatform

CAP = "test.echo.v1"


def post(cli: Cli) -> str:
    job_id: str = json.loads(cli("call", CAP, "--json").stdout)["id"]
    return job_id


def test_the_catalog_is_shown_as_a_table_and_as_json(connected: Cli) -> None:
    done = connected("capabilities")
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["CAPABILITY", "PRICE", "(nc)", "NAME"]
    keys = [
        row["capability_key"]
        for row in json.loads(connected("capabilities", "--json").stdout)["capabilities"]
    ]
    assert [row.split()[0] for row in rows] == keys
    assert CAP in keys
    done = connected("capabilities", "--category", "nope")
    assert done.stdout == "No capability matches the category nope.\n"


def test_a_capability_is_shown_with_an_example(connected: Cli) -> None:
    done = connected("capabilities", "show", "text.digest.v1")
    assert done.returncode == 0
    for text in ("Text digest", "2 nc", "--text", "required", "--filename"):
        assert text in done.stdout
    example = done.stdout.splitlines()[-1]
    assert example.startswith("  chaojiyuyan call text.digest.v1 --input")
    arguments = shlex.split(example.replace("--wait", "--json"))[1:]
    assert connected(*arguments).returncode == 0
    spec = json.loads(connected("capabilities", "show", "text.digest.v1", "--json").stdout)
    assert spec["capability_key"] == "text.digest.v1"
    done = connected("capabilities", "show", "text.digst.v1")
    assert done.returncode == 1
    assert "Did you mean text.digest.v1?" in done.stderr
    assert connected("capabilities", "--json", "show", "x").returncode == 2


def test_jobs_are_listed_filtered_and_limited(connected: Cli, kernel: LocalKernel) -> None:
    first, second, third = post(connected), post(connected), post(connected)
    kernel.fail(second)
    done = connected("jobs", "--limit", "2", "--json")
    assert len(json.loads(done.stdout)["jobs"]) == 2
    done = connected("jobs", "--status", "failed", "--limit", "1", "--json")
    assert [job["id"] for job in json.loads(done.stdout)["jobs"]] == [second]
    done = connected("jobs", "--limit", "3")
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == {first, second, third}
    assert connected("jobs", "--capability", "none").stdout == "No jobs.\n"
    assert "just now" in done.stdout or " s ago" in done.stdout
    bogus = connected("jobs", "--status", "bogus")
    assert bogus.returncode == 2
    assert "'succeeded'" in bogus.stderr


def test_jobs_are_filtered_by_time_and_shown_with_chosen_fields(connected: Cli) -> None:
    job_id = post(connected)
    rows = json.loads(connected("jobs", "--since", "1h", "--json", "id,status").stdout)["jobs"]
    assert rows[0]["id"] == job_id
    assert all(set(row) == {"id", "status"} for row in rows)
    assert json.loads(connected("jobs", "--since", "2999-01-01", "--json").stdout) == {"jobs": []}
    assert connected("jobs", "--since", "tomorrow").returncode == 2
    unknown = connected("jobs", "--json", "nope")
    assert unknown.returncode == 2
    assert "capability_key" in unknown.stderr


def test_a_job_is_shown_with_its_error(connected: Cli, kernel: LocalKernel) -> None:
    job_id = post(connected)
    kernel.fail(job_id, code="too_big", message="the input is too big")
    done = connected("status", job_id)
    assert done.returncode == 0
    for text in (job_id, "failed", CAP, "too_big", "the input is too big", "Created:"):
        assert text in done.stdout
    assert json.loads(connected("status", job_id, "--json").stdout)["id"] == job_id
    done = connected("status", "job_absent")
    assert done.returncode == 2
    assert "404" in done.stderr


def test_events_are_listed_oldest_first(connected: Cli, kernel: LocalKernel) -> None:
    job_id = post(connected)
    kernel.settle(job_id, {})
    events = json.loads(connected("events", job_id, "--json").stdout)["events"]
    lines = connected("events", job_id).stdout.splitlines()
    assert [line.split()[1] for line in lines] == [event["event_type"] for event in events]
    assert len(events) >= 2


def test_following_events_ends_with_the_job(connected: Cli, kernel: LocalKernel) -> None:
    job_id = post(connected)
    process = connected.start("events", job_id, "--follow", "--json")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    kernel.settle(job_id, {})
    rest, stderr = finish(process)
    assert (process.returncode, stderr) == (0, "")
    events = [first, *map(json.loads, rest.splitlines())]
    assert events == json.loads(connected("events", job_id, "--json").stdout)["events"]


def test_whoami_checks_the_key_with_the_platform(connected: Cli, kernel: LocalKernel) -> None:
    done = connected("whoami", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["base_url"] == kernel.base_url
    assert kernel.api_key not in done.stdout
    assert connected("whoami", CHAOJIYUYAN_API_KEY="nxt_ag_wrong_wrong").returncode == 2


def test_rows_with_missing_members_are_shown(cli: Cli, platform: FakePlatform) -> None:
    platform.say("/kernel-jobs", [{"id": "j1", "status": "new_status"}])
    platform.say("/capability-specs", {"items": [{"capability_key": "k"}]})
    env = {"CHAOJIYUYAN_API_KEY": "nxt_ag_any_key_at_all", "HEBING_BASE_URL": platform.base_url}
    assert cli("jobs", **env).stdout.splitlines()[1].split() == ["j1", "new_status"]
    assert cli("capabilities", **env).stdout.splitlines()[1].split() == ["k"]
