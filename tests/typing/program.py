"""A user's program that touches every public name. It is checked, not run.

A line that must be a type error has ignore comments for it. Both checkers report an ignore comment
that is not needed.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import httpx
from typing_extensions import assert_type

import chaojiyuyan_sdk
from chaojiyuyan_core.models import Artifact, CapabilitySpec, JobEvent, JobStatus
from chaojiyuyan_core.webhooks import WebhookEvent
from chaojiyuyan_sdk import (
    CREDENTIALS_PATH,
    DEFAULT_MCP_PATH,
    TERMINAL_JOB_STATUSES,
    AsyncJob,
    AsyncNexusClient,
    AuthenticationError,
    BadRequestError,
    BidRejected,
    Budget,
    BudgetExceeded,
    CapabilityNotRegistered,
    ConflictError,
    CredentialsError,
    DeviceFlowError,
    DeviceFlowTimeout,
    DownloadError,
    HebingAPIError,
    HebingClient,
    HebingError,
    InputInvalid,
    Job,
    JobFailed,
    JobTimeout,
    LeaseExpired,
    MapResult,
    McpWriterError,
    NexusClient,
    NexusWorker,
    NonRetryableError,
    NotFoundError,
    PermissionDeniedError,
    PriceTooHigh,
    RateLimitError,
    ResponseFormatError,
    ServerError,
    SubmitValidationFailed,
    TaskCancelled,
    TaskContext,
    TaskRunNotFound,
    Tool,
    UnprocessableError,
    WebhookVerificationError,
    Worker,
    WorkerError,
    WorkerNotEnabled,
    WriteResult,
    __version__,
    clear_credentials,
    load_credentials,
    remove_hebing_mcp_entry,
    save_credentials,
    sign_webhook,
    tool_name,
    unwrap_webhook,
    verify_webhook_signature,
    write_hebing_mcp_entry,
)


class Input:
    """What a pydantic model looks like to a type checker."""

    def model_dump(self, *, mode: str = "python", by_alias: bool = False) -> dict[str, object]:
        return {"mode": mode, "by_alias": by_alias}


def call(client: NexusClient) -> None:
    job = client.call("text.digest.v1", {"text": "one fish"}, idempotency_key="k", timeout_sec=60)
    client.call("text.digest.v1", Input())
    client.call("text.digest.v1", [("text", "one fish")], channel_context={"thread": 5})
    client.call("text.digest.v1", "one fish")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(job, Job)
    assert_type(job.id, str)
    assert_type(job.status, JobStatus)
    assert_type(job.price_nc, int | None)
    assert_type([job.created_at, job.completed_at, job.error_code], list[str | None])
    print(job.status == "succeded")  # type: ignore[comparison-overlap]  # pyright: ignore[reportUnnecessaryComparison]
    if job.status == "succeeded" or (job.done and not job.succeeded):
        print(job.error_message, job["output_envelope"])
    done = job.wait(timeout=60, on_update=lambda job: print(job.status))
    print(done.result(timeout=5)["words"], done.status in TERMINAL_JOB_STATUSES)
    for event in job.events():
        tell(event)
    for event in job.follow(timeout=60):
        tell(event)
    for artifact in done.artifacts:
        path = done.download(artifact, Path("fish.txt"), overwrite=True, max_bytes=10_000)
        assert_type(path, Path)
    client.download({"artifact_uri": "data:,a", "size_bytes": 1}, "fish.txt", on_progress=print)


def read(client: NexusClient) -> None:
    for spec in client.capabilities(category="text"):
        assert_type(spec, CapabilitySpec)
        print(spec["capability_key"], spec["price_nc"], spec["name"], tool_name(spec["name"]))
        if "input_schema" in spec:
            print(spec["input_schema"]["type"], spec.get("description"), spec.get("output_schema"))
    for job in client.jobs(status="failed", capability_key="text.digest.v1", limit=5):
        print(job.error_code, client.get_job(job.id), client.wait(job.id, timeout=5).done)
    client.jobs(status="bogus")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print([event["event_type"] for event in client.job_events("job_1")])
    print(client.run("text.digest.v1", {"text": "one fish"}, timeout=60)["words"])
    client.call("text.digest.v1", max_price_nc=5, reuse="input", validate=True)
    client.run("text.digest.v1", reuse="output")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def fan_out(client: NexusClient) -> None:
    for result in client.map("text.digest.v1", [{"text": "one"}], concurrency=2, max_price_nc=5):
        assert_type(result, MapResult[Job])
        print(result.index, result.input, result.job, result.error, result.output["words"])
    client.map("text.digest.v1", [], no_such_option=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def give_tools(client: NexusClient) -> None:
    def approve(tool: Tool, payload: dict[str, object]) -> bool:
        return tool.price_nc is not None and "text" in payload

    for tool in client.tools("text.digest.v1", approve=approve, max_price_nc=5, timeout=60):
        assert_type(tool, Tool)
        print(tool.name, tool.description, tool.input_schema["type"], tool.capability_key)
        print(tool.call({"text": "one"}), tool.openai(api="responses"), tool.anthropic())


def tell(event: JobEvent) -> None:
    print(event["event_type"], event["created_at"], event["payload"])


def make(http_client: httpx.Client) -> None:
    with NexusClient.from_env(profile="work") as client:
        assert_type(client, NexusClient)
        call(client.with_options(timeout=5, max_retries=0))
    read(HebingClient("nxt_ag_key", None, timeout=5, max_retries=1, auto_idempotency=False))
    NexusClient("nxt_ag_key", http_client=http_client, timeout=None).close()
    NexusClient("nxt_ag_key", budget_nc=100, send_traceparent=False, timeout=httpx.Timeout(5))
    NexusClient("nxt_ag_key", http_client=httpx.AsyncClient())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(NexusClient.login_device_flow(print_fn=print, save=False), NexusClient)
    print(client.timeout, client.max_retries, NexusClient.DEFAULT_BASE_URL)
    print(client.api_key, client.base_url, Budget(100).left_nc, __version__)


async def call_async() -> None:
    async with AsyncNexusClient.from_env() as client:
        job = await client.call("text.digest.v1", {"text": "one fish"})
        assert_type(job, AsyncJob)
        print(await job.result(timeout=60), await client.run("text.digest.v1"))

        async def told(job: AsyncJob) -> None:
            print(job.status)

        await job.wait(on_update=told)
        async for listed in client.jobs(limit=5):
            assert_type(listed, AsyncJob)
        async for result in client.map("text.digest.v1", client.jobs(), ordered=False):
            assert_type(result, MapResult[AsyncJob])
        print([await tool.acall({"text": "one"}) for tool in await client.tools()])
        async for event in job.events():
            tell(event)
        async for event in job.follow():
            tell(event)


def work() -> None:
    worker = Worker("nxt_ag_key", concurrency=2, artifact_tags=["a"])

    @worker.handler("text.upper.v1")
    def upper(task: TaskContext) -> dict[str, object]:
        if task.cancelled:
            raise TaskCancelled(task.job_id, "not wanted")
        task.attach(kind="text", artifact_uri="data:,a")
        if "text" not in task.input:
            raise NonRetryableError("no text")
        return {"text": task.input["text"].upper()}

    print(upper, worker.register_handlers("text.upper.v1")["registered"], NexusWorker)
    worker.run(poll_interval=1.0, max_retries=2, once=True)


def receive(body: bytes, headers: dict[str, str]) -> None:
    event = unwrap_webhook(body, headers, "whsec", tolerance=300, now=datetime.now(timezone.utc))
    assert_type(event, WebhookEvent)
    print(event["event"], event["job"]["id"], event["job"]["status"], event["created_at"])
    print(verify_webhook_signature(sign_webhook(body, "whsec"), body, "whsec"))


def configure() -> None:
    path = save_credentials("nxt_ag_key", profile="work")
    print(path == CREDENTIALS_PATH, load_credentials(profile="work"), clear_credentials())
    written = write_hebing_mcp_entry("nxt_ag_key", target=DEFAULT_MCP_PATH, interactive=False)
    assert_type(written, WriteResult)
    remove_hebing_mcp_entry(target=written.target, interactive=False)


def fail() -> None:
    try:
        make(httpx.Client())
    except (AuthenticationError, PermissionDeniedError, NotFoundError, ConflictError) as error:
        print(error.status_code, error.code, error.detail, error.request_id)
    except (BadRequestError, UnprocessableError, ServerError, ResponseFormatError) as error:
        print(error.fields, error.response)
    except RateLimitError as error:
        print(error.retry_after)
    except HebingAPIError as error:
        print(chaojiyuyan_sdk.errors.HebingAPIError is type(error))
    except JobFailed as error:
        print(error.job, error.job_id, error.status, error.error_code, error.error_message)
    except JobTimeout as error:
        print(error.job_id, error.timeout, error.status)
    except (PriceTooHigh, BudgetExceeded) as error:
        print(error.price_nc)
    except InputInvalid as error:
        print(error.path)
    except (HebingError, httpx.HTTPError) as error:
        print(error)


def fail_otherwise() -> None:
    try:
        work()
    except (DownloadError, CredentialsError, McpWriterError, WebhookVerificationError) as error:
        print(error)
    except (DeviceFlowTimeout, DeviceFlowError, WorkerNotEnabled) as error:
        print(error)
    except (BidRejected, TaskRunNotFound, LeaseExpired, SubmitValidationFailed) as error:
        print(error.job_id)
    except CapabilityNotRegistered as error:
        print(error.capability_key)
    except (WorkerError, HebingError, httpx.HTTPError) as error:
        print(error)


def literal() -> Artifact:
    artifact: Artifact = {"id": "a", "kind": "image", "artifact_uri": "https://x.example/a"}
    print(artifact["artifact_uri"], artifact.get("mime_type"))
    return artifact
