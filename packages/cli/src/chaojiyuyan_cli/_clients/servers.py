"""The interface for editing the servers in the text of a client's file, in any format."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"


class ServersTextError(ValueError):
    """The text cannot be edited safely. The message continues a sentence that names the file."""


class ServersText(Protocol):
    """Reads and edits the entries of servers in a text, without changing the rest of the text."""

    @property
    def place(self) -> str:
        """The name of the container of the entries, such as ``mcpServers``."""

    def entries(self, text: str) -> dict[str, Json]:
        """Return all entries by name.

        Args:
            text: The content of the file. A blank text has no entries.

        Raises:
            ServersTextError: The text is not valid, or its container of entries is not one.
        """

    def set_entry(self, text: str, name: str, entry: dict[str, Json]) -> str:
        """Return the text with the entry added, or with its value replaced.

        Args:
            text: The content of the file.
            name: The name of the entry.
            entry: The value of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """

    def remove_entry(self, text: str, name: str) -> str:
        """Return the text without the entry, and without a container that is then empty.

        Args:
            text: The content of the file.
            name: The name of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """

    def render(self, name: str, entry: Json) -> str:
        """Return the content of a file with only this entry, to show or to paste.

        Args:
            name: The name of the entry.
            entry: The value of the entry.
        """
