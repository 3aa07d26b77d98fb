"""`chaojiyuyan call`: order a job, and wait for it with ``--wait``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, capability_argument, follow_options, pass_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chaojiyuyan_cli._orders import FollowOptions
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_client import NexusClient


@click.command(
    "call",
    cls=Command,
    # Unknown options are fields of the input.
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="[OPTIONS] [--FIELD VALUE]...",
)
@capability_argument
@click.option(
    "--input", "text", metavar="JSON", help="Input, a JSON object; - reads standard input."
)
@click.option(
    "--input-file", "file", type=click.Path(path_type=Path), help="File with the input as JSON."
)
@click.option(
    "--idempotency-key",
    metavar="KEY",
    help="Key of this order; a second call with the same key returns the same job.",
)
@follow_options
@pass_session
@click.pass_context
def command(
    context: click.Context,
    session: Session,
    capability_key: str,
    text: str | None,
    file: Path | None,
    idempotency_key: str | None,
    follow: FollowOptions,
) -> int:
    """Order a job for a capability.

    Each field of the input can be an option: `--text hi --count 3`. `chaojiyuyan capabilities show
    CAPABILITY` lists the fields. The input is checked against the capability's schema before the
    order. Exit code 3 means that the job ended with a status other than succeeded.
    """
    from chaojiyuyan_cli._catalog import suggest_on_unknown
    from chaojiyuyan_cli._inputs import read_input, split_fields
    from chaojiyuyan_cli._orders import follow_order

    if capability_key.startswith("-"):
        raise click.UsageError(f"Name the capability before its fields, not {capability_key}.")
    options = [name for parameter in context.command.params for name in parameter.opts]
    fields = split_fields(context.args, options)
    payload = read_input(text, file)
    with session.client() as client:
        if fields:
            payload |= _parse_fields(client, capability_key, fields)
        with suggest_on_unknown(client, capability_key):
            job = client.call(
                capability_key, payload, idempotency_key=idempotency_key, validate=True
            )
        return follow_order(client, job, follow)


def _parse_fields(
    client: NexusClient, capability_key: str, fields: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    from chaojiyuyan_cli._catalog import find_capability
    from chaojiyuyan_cli._inputs import parse_fields

    spec = find_capability(client.capabilities(), capability_key)
    return parse_fields(fields, spec.get("input_schema") if spec else None)
