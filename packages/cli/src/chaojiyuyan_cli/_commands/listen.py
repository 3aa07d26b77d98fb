"""`chaojiyuyan listen`: webhooks of your jobs on this machine."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._exit_codes import EX_OK, EX_USER_ERROR
from chaojiyuyan_cli._listen import EVENTS
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
    help="Post only this event; repeatable.",
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
    help="Allow an address of another machine; events carry the outputs of your jobs.",
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

    Follows your jobs, and posts the signed event of each one that ends from now on. An event that
    the address does not accept is posted again for about a minute. Ctrl-C ends it.
    """
    from chaojiyuyan_cli._errors import UserError
    from chaojiyuyan_cli.listener import Listener, check_target

    try:
        target = check_target(url, allow_remote=allow_remote)
    except ValueError as error:
        hint = "" if allow_remote else " Use --allow-remote if that is meant."
        raise UserError(f"{error}.{hint if 'another machine' in str(error) else ''}") from None
    report = _Report(print_json=print_json)
    # A container or a test stops it as a person does.
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
        pass  # the way to end it
    return EX_USER_ERROR if report.lost else EX_OK


class _Report:
    """What the user sees.

    Args:
        print_json: Whether events are printed as JSON on standard output, and all else on standard
            error.
    """

    def __init__(self, *, print_json: bool) -> None:
        self._print_json = print_json
        self.lost = 0

    def show_start(self, target: str, secret: str) -> None:
        """Say that the listener is ready.

        Args:
            target: The address.
            secret: The signing secret.
        """
        click.echo(f"Signing secret: {secret}", err=self._print_json)
        click.echo(f"Ready: posting events to {target} (Ctrl-C to stop).", err=self._print_json)

    def show_delivery(self, delivery: Delivery) -> None:
        """Show what became of an event.

        Args:
            delivery: The event.
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
        """Show an error of the platform that the listener survives.

        Args:
            error: The error.
        """
        from chaojiyuyan_cli._failures import explain

        click.echo(f"{explain(error)[0]}; trying again", err=True)
