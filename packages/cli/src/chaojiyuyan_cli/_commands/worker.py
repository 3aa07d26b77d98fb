"""`chaojiyuyan worker`: run an echo stub for trials, or a real worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK
from chaojiyuyan_cli._options import POSITIVE_SECONDS, Command, complete_by, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_core.settings import Settings
    from chaojiyuyan_worker import TaskContext, Worker

_WARNING = """\
`chaojiyuyan worker` will start an ECHO-STUB handler on {capability!r}.
Any bid this worker wins will be settled with an echo response.
DO NOT run this against a production capability whose callers
expect real work — that produces a garbage settlement.\
"""


@click.command("worker", cls=Command)
@click.argument(
    "capability_key",
    metavar="[CAPABILITY]",
    required=False,
    shell_complete=complete_by("complete_capability"),
)
@click.option("--app", metavar="MODULE:WORKER", help="Run this Worker instead of the echo stub.")
@click.option(
    "--poll-interval",
    metavar="SECONDS",
    type=POSITIVE_SECONDS,
    help="Seconds between two idle polls of the stub.  [default: 1]",
)
@click.option(
    "--heartbeat-interval",
    metavar="SECONDS",
    type=POSITIVE_SECONDS,
    help="Seconds between two heartbeats of the stub.  [default: 10]",
)
@click.option("--yes", is_flag=True, help="Start the stub without asking.")
@pass_session
def command(
    session: Session,
    capability_key: str | None,
    app: str | None,
    poll_interval: float | None,
    heartbeat_interval: float | None,
    yes: bool,
) -> int:
    """Run a worker: an echo stub, or your own with --app.

    Ctrl-C and SIGTERM let running jobs finish; a second one stops the worker at once.
    """
    if app is not None and capability_key is None:
        if poll_interval is not None or heartbeat_interval is not None:
            raise click.UsageError(
                "The interval options are for the echo stub. Set those of --app in its code."
            )
        return _run_app(session, app)
    if capability_key is None or app is not None:
        raise click.UsageError(
            "Give either a capability for the echo stub, or a worker with --app."
        )
    return _run_stub(session, capability_key, poll_interval or 1.0, heartbeat_interval or 10.0, yes)


def _run_app(session: Session, app: str) -> int:
    from chaojiyuyan_worker.__main__ import main

    session.export()
    return main([app])


def _run_stub(
    session: Session, capability: str, poll_interval: float, heartbeat_interval: float, yes: bool
) -> int:
    from chaojiyuyan_cli._dialogue import make_terminal_dialogue
    from chaojiyuyan_cli._output import escape

    settings = session.settings()
    click.echo(escape(_WARNING.format(capability=capability), keep="\n"))
    if not yes and not make_terminal_dialogue(yes=yes).ask("Continue?"):
        click.echo("Aborted.")
        return EX_OK

    from chaojiyuyan_worker import Worker, __version__, configure_logging

    if not session.debug:
        configure_logging("text")
    with Worker(settings.api_key, settings.base_url) as worker:

        @worker.handler(capability)
        def echo(task: TaskContext) -> dict[str, object]:
            return {"echo": task.input, "by": f"chaojiyuyan worker stub ({__version__})"}

        _check_capability(worker, settings, capability)
        click.echo(f"Worker running against {worker.base_url} (Ctrl-C to stop).")
        worker.run(poll_interval=poll_interval, heartbeat_interval=heartbeat_interval)
    return EX_OK


def _check_capability(worker: Worker, settings: Settings, capability: str) -> None:
    """Refuse a capability that the platform does not know.

    Connection and server errors are ignored here, because the worker's run retries them.
    """
    import httpx

    from chaojiyuyan_cli._catalog import describe_similar
    from chaojiyuyan_cli._errors import UserError
    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.errors import ServerError

    try:
        unknown = worker.register_handlers(capability)["skipped_unknown"]
    except (httpx.HTTPError, ServerError):
        return
    if capability in unknown:
        with NexusClient(settings.api_key, settings.base_url) as client:
            hint = describe_similar(client.capabilities(), capability)
        raise UserError(f"The platform has no capability {capability!r}. {hint}")
