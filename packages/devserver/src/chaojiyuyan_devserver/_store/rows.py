"""Convert records to rows and back."""

import json
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeAlias, TypeVar

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

Row: TypeAlias = dict[str, Any]
RecordT = TypeVar("RecordT")


class Table(Generic[RecordT]):
    """How one kind of record is stored.

    Args:
        kind: The records' class.
        name: The table's name.
        *key: The columns of the primary key; none if records are only added.
        encoded: The columns that contain JSON.
        without: The fields that are not columns; they are the last ones.

    Attributes:
        columns: The columns in SQL, in the order of the record's fields.
        upsert: The SQL statement that writes a record.
    """

    def __init__(
        self, kind: type[RecordT], name: str, *key: str, encoded: str = "", without: str = ""
    ) -> None:
        left_out = without.split()
        columns = [f.name for f in fields(kind) if f.name not in left_out]  # type: ignore[arg-type]
        self.kind = kind
        self.name = name
        self.columns = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self.upsert = f"INSERT INTO {name} ({self.columns}) VALUES ({marks})"  # noqa: S608 - fixed names
        if key:
            changed = ", ".join(f"{c} = excluded.{c}" for c in columns if c not in key)
            self.upsert += f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changed}"
        self._read = attrgetter(*columns)
        self._encoded = [columns.index(column) for column in encoded.split()]

    def row(self, record: RecordT) -> tuple[Any, ...]:
        """Return a record's values in the order of the columns."""
        values = list(self._read(record))
        for place in self._encoded:
            values[place] = json.dumps(values[place], ensure_ascii=False, separators=(",", ":"))
        return tuple(values)

    def record(self, row: Sequence[Any]) -> RecordT:
        """Return the record for a row with its values in the order of the columns."""
        values = list(row)
        for place in self._encoded:
            values[place] = from_json(values[place])
        return self.kind(*values)


_JOB_PARTS = "input_envelope channel_context output_envelope attempts artifacts events"

TABLES: dict[type, Table[Any]] = {
    table.kind: table
    for table in (
        Table(Account, "accounts", "id"),
        Table(Transfer, "transfers"),
        Table(Agent, "agents", "id", encoded="handler_set"),
        Table(DeviceLogin, "device_logins", "device_code_hash"),
        Table(Job, "jobs", "number", without=_JOB_PARTS),
        Table(Payload, "payloads", "job", "kind", encoded="body"),
        Table(Attempt, "attempts", "job", "number"),
        Table(Event, "events", "job", "number", encoded="payload"),
        Table(Strike, "strikes"),
        Table(Webhook, "webhooks", "account_id"),
        Table(Delivery, "deliveries", "id", encoded="tries"),
    )
}
