"""Convert records to rows and back."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from pydantic_core import from_json

from chaojiyuyan_devserver.kernel.records import (
    Account,
    Agent,
    Attempt,
    Delivery,
    DeviceLogin,
    Event,
    Job,
    Payload,
    Strike,
    Transfer,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row: TypeAlias = dict[str, Any]
RecordT = TypeVar("RecordT")


@dataclass(frozen=True)
class Table(Generic[RecordT]):
    """How one kind of record is stored.

    Attributes:
        kind: The records' class.
        name: The table's name.
        key: The columns of the primary key; empty if records are only added.
        columns: The record's fields that are columns: all of them, or the first ones.
        places: The indexes of the columns that contain JSON.
        values: Returns a record's values of the columns.
        upsert: The SQL statement that writes a record.
    """

    kind: type[RecordT]
    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    places: tuple[int, ...]
    values: Callable[[RecordT], tuple[Any, ...]]
    upsert: str

    def row(self, record: RecordT) -> tuple[Any, ...]:
        """Return a record's values in the order of the columns."""
        values = list(self.values(record))
        for place in self.places:
            values[place] = json.dumps(values[place], ensure_ascii=False, separators=(",", ":"))
        return tuple(values)

    def record(self, row: Sequence[Any]) -> RecordT:
        """Return the record for a row with its values in the order of the columns."""
        values = list(row)
        for place in self.places:
            values[place] = from_json(values[place])
        return self.kind(*values)


def _table(
    kind: type[RecordT], name: str, *key: str, encoded: str = "", without: str = ""
) -> Table[RecordT]:
    left_out = without.split()
    columns = tuple(f.name for f in fields(kind) if f.name not in left_out)  # type: ignore[arg-type]
    marks = ", ".join("?" * len(columns))
    upsert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - fixed names
    if key:
        changed = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in key)
        upsert += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
    read = attrgetter(*columns)
    places = tuple(columns.index(column) for column in encoded.split())
    return Table(kind, name, key, columns, places, read, upsert)


_JOB_PARTS = "input_envelope channel_context output_envelope attempts artifacts events"

TABLES: dict[type, Table[Any]] = {
    table.kind: table
    for table in (
        _table(Account, "accounts", "id"),
        _table(Transfer, "transfers"),
        _table(Agent, "agents", "id", encoded="handler_set"),
        _table(DeviceLogin, "device_logins", "device_code_hash"),
        _table(Job, "jobs", "number", without=_JOB_PARTS),
        _table(Payload, "payloads", "job", "kind", encoded="body"),
        _table(Attempt, "attempts", "job", "number"),
        _table(Event, "events", "job", "number", encoded="payload"),
        _table(Strike, "strikes"),
        _table(Webhook, "webhooks", "account_id"),
        _table(Delivery, "deliveries", "id", encoded="tries"),
    )
}
