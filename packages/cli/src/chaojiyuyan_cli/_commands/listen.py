"""`chaojiyuyan listen`: receive the webhooks of your jobs on this machine."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._listen import EVENTS, RemoteAddressError
from chaojiyuyan_cli._options import Command, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_cli.listener import Delivery


@click.command("listen", cls=Command)
@click.option(
    "--forward-to", "url", metavar="URL", required=True, help="Post the events to this address."
)
@click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice(EVENTS),
    help="Post only events of this type; repeatable.",
)
@click.option(
    "--secret",
    metavar="SECRET",
    envvar="CHAOJIYUYAN_WEBHOOK_SECRET",
    show_envvar=True,
    help="Sign with this secret instead of a new one.",
)
@click.option("--print-json", is_flag=True, help="Print each event as one line of JSON.")
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Allow an address of another machine. Events contain the outputs of your jobs.",
)
@pass_session
def command(
    session: Session,
    url: str,
    events: tuple[str, ...],
    secret: str | None,
    print_json: bool,
    allow_remote: bool,
) -> int:
    """Post webhooks of your jobs to a local address.

    Follows your jobs, and posts a signed event when a job ends. An event that the address does not
    accept is retried for about a minute. Ctrl-C stops the command.
    """
    from chaojiyuyan_cli._errors import UserError
    from chaojiyuyan_cli.listener import Listener, check_target

    try:
        target = check_target(url, allow_remote=allow_remote)
    except RemoteAddressError as error:
        raise UserError(f"{error}. Use --allow-remote to allow it.") from None
    except ValueError as error:
        raise UserError(f"{error}.") from None
    report = _Report(print_json=print_json)
    # A container stops the command by SIGTERM, which must do the same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with (
            session.client() as client,
            Listener(
                client,
                target,
                secret=secret,
                events=events or EVENTS,
                allow_remote=allow_remote,
                on_delivery=report.show_delivery,
                on_fault=report.show_fault,
            ) as listener,
        ):
            report.show_start(target, listener.secret)
            listener.join()
    except KeyboardInterrupt:
        pass  # the normal way to stop the command
    return EX_USER_ERROR if report.lost else EX_OK


class _Report:
    """Shows events and errors to the user.

    Args:
        print_json: Whether to print events as JSON on standard output and everything else on
            standard error.
    """

    def __init__(self, *, print_json: bool) -> None:
        self._print_json = print_json
        self.lost = 0

    def show_start(self, target: str, secret: str) -> None:
        """Show that the listener is ready.

        Args:
            target: The address that receives the events.
            secret: The signing secret.
        """
        click.echo(f"Signing secret: {secret}", err=self._print_json)
        click.echo(f"Ready: posting events to {target} (Ctrl-C to stop).", err=self._print_json)

    def show_delivery(self, delivery: Delivery) -> None:
        """Show whether an event was delivered.

        Args:
            delivery: The event and its result.
        """
        import json

        from chaojiyuyan_cli._output import echo_json, escape

        job, outcome = escape(delivery.job_id), escape(delivery.outcome)
        if self._print_json:
            echo_json(json.loads(delivery.body), indent=None)
        if not delivery.delivered:
            self.lost += 1
            reason = f": {outcome}" if outcome else ""
            click.echo(
                f"Not delivered after {delivery.attempts} attempts: {escape(delivery.event)} of job"
                f" {job}{reason}",
                err=True,
            )
        elif not self._print_json:
            click.echo(f"{escape(delivery.event)}  {job}  {outcome}")

    def show_fault(self, error: Exception) -> None:
        """Show an error of the platform after which the listener retries.

        Args:
            error: The error.
        """
        from chaojiyuyan_cli._failures import explain

        click.echo(f"{explain(error)[0]}; retrying", err=True)
