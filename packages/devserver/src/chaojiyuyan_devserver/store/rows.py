"""Records as rows and back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from chaojiyuyan_devserver.kernel.records import (
    Account,
    Agent,
    Attempt,
    DeviceLogin,
    Event,
    Job,
    Payload,
    Transfer,
)
from chaojiyuyan_devserver.kernel.webhooks import Delivery, Webhook

from . import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping as ReadMapping

    from sqlalchemy import Table

Row: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Setting:
    """A fact about the database as a whole."""

    name: str
    value: str


@dataclass(frozen=True)
class Mapping:
    """How one kind of record is stored.

    Args:
        table: where.
        columns: the record's fields that are columns.
        encoded: those of them that are stored as JSON.
        key: the columns of which there is one row.
        fields: reads the columns' values off a record.
    """

    table: Table
    columns: tuple[str, ...]
    encoded: tuple[str, ...]
    key: tuple[str, ...]
    fields: Callable[[object], tuple[Any, ...]]

    def row(self, record: object) -> tuple[Any, ...]:
        """A record's values in the order of the columns."""
        values = self.fields(record)
        if not self.encoded:
            return values
        return tuple(
            json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            if column in self.encoded
            else value
            for column, value in zip(self.columns, values, strict=True)
        )

    def values(self, row: ReadMapping[str, Any]) -> Row:
        """A row's values as the record's constructor takes them."""
        values = {column: row[column] for column in self.columns}
        for column in self.encoded:
            values[column] = json.loads(values[column])
        return values


def _mapping(table: Table, *encoded: str, key: tuple[str, ...] = ()) -> Mapping:
    # a number that is no part of the key is SQLite's own
    columns = tuple(c.name for c in table.columns if not (c.name == "number" and key))
    own_key = tuple(column.name for column in table.primary_key)
    return Mapping(table, columns, encoded, key or own_key, attrgetter(*columns))


MAPPINGS: dict[type, Mapping] = {
    Setting: _mapping(tables.settings),
    Account: _mapping(tables.accounts),
    Transfer: _mapping(tables.transfers),
    Agent: _mapping(tables.agents, "handler_set"),
    DeviceLogin: _mapping(tables.device_logins),
    Job: _mapping(tables.jobs),
    Payload: _mapping(tables.payloads, "body"),
    Attempt: _mapping(tables.attempts),
    Event: _mapping(tables.events, "payload"),
    Webhook: _mapping(tables.webhooks),
    Delivery: _mapping(tables.deliveries, "tries", key=("id",)),
}
