"""The servers of an MCP client in the text of its file, whatever the file's format."""

from __future__ import annotations

from typing import Protocol, TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"


class ServersTextError(ValueError):
    """The text cannot be edited safely. The message is the predicate of a sentence."""


class ServersText(Protocol):
    """Reads and edits the entries of servers in a text; the rest of the text stays as it is."""

    @property
    def place(self) -> str:
        """The name of what holds the entries, such as ``mcpServers``."""

    def entries(self, text: str) -> dict[str, Json]:
        """Return every entry by its name; an empty dict when the text has none.

        Args:
            text: The content of the file. A blank one has no entries.

        Raises:
            ServersTextError: The text is not valid, or has no place for an entry.
        """

    def set_entry(self, text: str, name: str, entry: dict[str, Json]) -> str:
        """Return the text with the entry added, or with its value replaced.

        Args:
            text: The content of the file.
            name: The name of the entry.
            entry: Its value.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """

    def remove_entry(self, text: str, name: str) -> str:
        """Return the text without the entry, and without what held nothing but it.

        Args:
            text: The content of the file.
            name: The name of the entry.

        Raises:
            ServersTextError: As in :meth:`entries`.
        """

    def render(self, name: str, entry: Json) -> str:
        """Return the lines that an empty file with this entry has, to show or to paste.

        Args:
            name: The name of the entry.
            entry: Its value.
        """
