"""Capabilities as tools of an agent, in no framework's own form."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from chaojiyuyan_core.annotations import LazyModule
from chaojiyuyan_core.models import CapabilitySpec, JsonObject
from chaojiyuyan_core.text import strip_invisible

if TYPE_CHECKING:
    from chaojiyuyan_client import _tool_orders
else:
    _tool_orders = LazyModule("chaojiyuyan_client._tool_orders")

MAX_TOOL_NAME = 64
"""Characters of a tool's name at most, as the model APIs allow."""

MAX_DESCRIPTION = 1000
"""Characters of a description at most; OpenAI's API takes 1,024."""

MAX_TEXT = 20_000
"""Characters of each text of an output that a model reads at most."""

MAX_ITEMS = 1_000
"""Members of each list or object of an output that a model reads at most."""

MAX_DEPTH = 50
"""Levels of an output that a model reads at most."""

MAX_SCHEMA = 50_000
"""Characters of a schema as JSON; a longer one is not shown to a model."""

_PLAIN_KEY = re.compile(r"[a-zA-Z0-9-]+(?:[._][a-zA-Z0-9-]+)*")
_OWN_PREFIX = "kernel_"  # the tools that the MCP server has of its own


def tool_name(capability_key: str) -> str:
    """Return the name that a capability has as a tool, ``[a-zA-Z0-9_-]{1,64}``.

    The name depends on the key alone, and two keys never have the same one: a dot becomes ``_``, an
    underscore ``__``. A key with other characters, one that is too long, and one whose name would
    begin with ``kernel_``, as those of the MCP server do, ends in ``___`` and a hash of the key.

    Args:
        capability_key: The key, for example ``text.digest.v1``.

    Returns:
        The name, for example ``text_digest_v1``.
    """
    name = capability_key.replace("_", "__").replace(".", "_")
    if (
        _PLAIN_KEY.fullmatch(capability_key)
        and len(name) <= MAX_TOOL_NAME
        and not name.startswith(_OWN_PREFIX)
    ):
        return name
    import base64
    import hashlib

    digest = hashlib.sha256(capability_key.encode("utf-8", "surrogatepass")).digest()
    # 128 bits: strangers choose the keys, and must not find two with one name.
    suffix = "___" + base64.b32encode(digest[:16]).decode().rstrip("=").lower()
    words = re.sub(r"[^a-zA-Z0-9-]+", "_", capability_key)[: MAX_TOOL_NAME - len(suffix)]
    return (words.strip("_") or "tool") + suffix


Approve = Callable[["Tool", JsonObject], bool | Awaitable[bool]]
"""What is asked before an order of a tool."""


class Tool:
    """A capability as a tool of an agent.

    What :meth:`call` and :meth:`acall` return is for a model to read. An error is returned as a
    text that begins with ``Error``, and not raised. Names, descriptions and outputs come from
    strangers: hidden characters are removed, and long texts are cut.

    Attributes:
        name: The tool's name, see :func:`tool_name`.
        description: What it does, with the capability's key and price.
        input_schema: The JSON Schema of its input; any object where the catalog has none.
        capability_key: The capability.
        price_nc: Its price in nc when the tool was made; None where the catalog has none.
    """

    def __init__(self, spec: CapabilitySpec, orders: _tool_orders.ToolOrders) -> None:
        """Make a tool of an entry of the catalog.

        Args:
            spec: The entry.
            orders: Orders the tool's jobs.
        """
        self.capability_key = spec["capability_key"]
        price = spec.get("price_nc")
        self.price_nc: int | None = price if isinstance(price, int) and price >= 0 else None
        self.name = tool_name(self.capability_key)
        self.description = _describe(spec, self.price_nc)
        self.input_schema = _read_schema(spec.get("input_schema"))
        self._orders = orders

    def __repr__(self) -> str:
        """Tell the tool's name and its price."""
        return f"<Tool {self.name} price_nc={self.price_nc}>"

    def call(self, input: Mapping[str, Any]) -> JsonObject | str:  # noqa: A002
        """Order a job, wait for it and return its output, on the calling thread.

        Args:
            input: The input, an object.

        Returns:
            The output, or a text that begins with ``Error``.

        Raises:
            RuntimeError: The tool is of an `AsyncNexusClient`: await :meth:`acall`.
        """
        return self._orders.use(self, input)

    async def acall(self, input: Mapping[str, Any]) -> JsonObject | str:  # noqa: A002
        """Order a job, wait for it and return its output; the event loop goes on meanwhile.

        Args:
            input: The input, an object.

        Returns:
            The output, or a text that begins with ``Error``.
        """
        return await self._orders.use_async(self, input)

    def price_limit(self, max_price_nc: int | None, *, is_approved: bool) -> int | None:
        """Return what one job of the tool may cost, in nc; None for any price.

        Args:
            max_price_nc: The limit for all tools.
            is_approved: Whether somebody approves each order, and so the price that the tool names.
        """
        limits = [max_price_nc, self.price_nc if is_approved else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def openai(self, *, api: Literal["chat", "responses"] = "chat") -> dict[str, Any]:
        """Return the tool as the OpenAI API takes it, never in strict mode.

        Args:
            api: ``"chat"`` for Chat Completions, ``"responses"`` for the other one.

        Raises:
            ValueError: The API is unknown.
        """
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": self.input_schema,
        }
        if api == "chat":
            return {"type": "function", "function": function}
        if api == "responses":  # there, a tool that does not say so is strict
            return {"type": "function", **function, "strict": False}
        raise ValueError(f'api is "chat" or "responses", not {api!r}')

    def anthropic(self) -> dict[str, Any]:
        """Return the tool as the Anthropic API takes it."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema,
        }


def clean(value: object, redact: Callable[[str], str], depth: int = 0) -> Any:
    """Return an output as a model may read it: without hidden text or keys, and of bounded size.

    Args:
        value: A JSON value.
        redact: Removes agent keys from a text.
        depth: The levels above it.
    """
    if isinstance(value, str):
        return strip_invisible(redact(value), MAX_TEXT)
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        return "… (deeper levels are left off)"
    if isinstance(value, dict):
        cleaned = {
            clean(name, redact): clean(item, redact, depth + 1)
            for name, item in list(value.items())[:MAX_ITEMS]
        }
        if len(value) > MAX_ITEMS:
            cleaned["…"] = f"{len(value) - MAX_ITEMS} more are left off"
        return cleaned
    if isinstance(value, list):
        items = [clean(item, redact, depth + 1) for item in value[:MAX_ITEMS]]
        more = len(value) - MAX_ITEMS
        return [*items, f"… ({more} more are left off)"] if more > 0 else items
    return value


def _describe(spec: CapabilitySpec, price_nc: int | None) -> str:
    price = "unknown price" if price_nc is None else f"{price_nc} nc a call"
    facts = f" (capability {spec['capability_key']}, {price})"
    texts = [spec.get("name"), spec.get("description")]
    text = ": ".join(" ".join(text.split()) for text in texts if isinstance(text, str) and text)
    facts = strip_invisible(facts, MAX_DESCRIPTION // 2)
    return strip_invisible(text, MAX_DESCRIPTION - len(facts)) + facts


def _read_schema(schema: object) -> JsonObject:
    """The catalog's schema where it describes an object, else the one of any object."""
    if isinstance(schema, dict) and schema.get("type") == "object":
        # As JSON, every hidden character stands for itself: none is spared by an escape.
        text = strip_invisible(json.dumps(schema, ensure_ascii=False))
        if len(text) <= MAX_SCHEMA:
            return {"properties": {}, **json.loads(text)}
    return {"type": "object", "properties": {}, "additionalProperties": True}
