"""`chaojiyuyan capabilities`: list the catalog, or show one capability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import (
    Command,
    CommandGroup,
    capability_argument,
    json_option,
    pass_session,
)

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session
    from chaojiyuyan_core.models import CapabilitySpec


@click.group("capabilities", cls=CommandGroup, invoke_without_command=True)
@click.option("--category", metavar="NAME", help="Filter by category.")
@json_option
@pass_session
@click.pass_context
def command(context: click.Context, session: Session, category: str | None, as_json: bool) -> None:
    """List the capabilities that you can call, with prices.

    `chaojiyuyan capabilities show CAPABILITY` describes one of them.
    """
    if context.invoked_subcommand is not None:
        if category is not None or as_json:
            raise click.UsageError(
                "--category and --json before `show` are options of the list. Remove them."
            )
        return
    from chaojiyuyan_cli._output import echo_json, escape
    from chaojiyuyan_cli._table import echo_table

    with session.client() as client:
        rows = client.capabilities(category=category)
    if as_json:
        echo_json({"capabilities": rows})
    elif rows:
        names = ("capability_key", "price_nc", "name")
        cells = [[row.get(name) for name in names] for row in rows]
        echo_table(["CAPABILITY", "PRICE (nc)", "NAME"], cells)
    elif category is not None:
        click.echo(f"No capability matches the category {escape(category)}.")
    else:
        click.echo("No capabilities published.")


@command.command("show", cls=Command)
@capability_argument
@json_option
@pass_session
def show(session: Session, capability_key: str, as_json: bool) -> None:
    """Show a capability: description, price, input and an example call."""
    from chaojiyuyan_cli._catalog import describe_similar, find_capability
    from chaojiyuyan_cli._errors import UserError
    from chaojiyuyan_cli._output import echo_json

    with session.client() as client:
        specs = client.capabilities()
    spec = find_capability(specs, capability_key)
    if spec is None:
        similar = describe_similar(specs, capability_key)
        raise UserError(f"There is no capability {capability_key!r}. {similar}")
    if as_json:
        echo_json(spec)
    else:
        _describe(spec)


def _describe(spec: CapabilitySpec) -> None:
    import json
    import shlex

    from chaojiyuyan_cli._output import echo_fields, echo_json, escape
    from chaojiyuyan_cli._schemas import describe_type, make_example, read_properties, read_required
    from chaojiyuyan_cli._table import echo_table

    price = spec.get("price_nc")
    echo_fields(
        {
            "Capability": spec["capability_key"],
            "Name": spec.get("name"),
            "Description": spec.get("description"),
            "Category": spec.get("category"),
            "Price": None if price is None else f"{price} nc",
        }
    )
    schema = spec.get("input_schema")
    properties, required = read_properties(schema), read_required(schema)
    if properties:
        click.echo("\nInput:")
        rows = [
            [
                f"--{name}",
                describe_type(field),
                "required" if name in required else "",
                field.get("description") or "",
            ]
            for name, field in properties.items()
        ]
        echo_table(["FIELD", "TYPE", "", "DESCRIPTION"], rows)
    elif schema:
        click.echo("\nInput schema:")
        echo_json(schema)
    example = json.dumps(make_example(schema) if schema else {}, ensure_ascii=False)
    call = shlex.join(["chaojiyuyan", "call", spec["capability_key"], "--input", example, "--wait"])
    click.echo(f"\nExample:\n  {escape(call)}")
