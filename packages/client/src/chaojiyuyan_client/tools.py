"""Capabilities as tools of an agent, independent of any framework."""

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
"""Maximum characters of a tool's name in the model APIs."""

MAX_DESCRIPTION = 1000
"""Maximum characters of a description. OpenAI's API allows 1,024."""

MAX_TEXT = 20_000
"""Maximum characters of each text in an output for a model."""

MAX_ITEMS = 1_000
"""Maximum members of each list or object in an output for a model."""

MAX_DEPTH = 50
"""Maximum levels of nesting in an output for a model."""

MAX_SCHEMA = 50_000
"""Maximum characters of a schema as JSON. A longer schema is not shown to a model."""

_PLAIN_KEY = re.compile(r"[a-zA-Z0-9-]+(?:[._][a-zA-Z0-9-]+)*")
_OWN_PREFIX = "kernel_"  # the names of the MCP server's own tools


def tool_name(capability_key: str) -> str:
    """Return the name of a capability as a tool, ``[a-zA-Z0-9_-]{1,64}``.

    The name depends only on the key, and two keys never have the same name. A dot becomes ``_``
    and an underscore becomes ``__``. The name ends with ``___`` and a hash of the key in three
    cases: the key has other characters, it is too long, or its name would begin with ``kernel_``
    like the names of the MCP server's own tools.

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
    # 128 bits, because strangers choose the keys and must not find two with the same name.
    suffix = "___" + base64.b32encode(digest[:16]).decode().rstrip("=").lower()
    words = re.sub(r"[^a-zA-Z0-9-]+", "_", capability_key)[: MAX_TOOL_NAME - len(suffix)]
    return (words.strip("_") or "tool") + suffix


Approve = Callable[["Tool", JsonObject], bool | Awaitable[bool]]
"""The type of `approve`, which is called before each order of a tool."""


class Tool:
    """A capability as a tool of an agent.

    The results of :meth:`call` and :meth:`acall` are made for a model. An error is returned as a
    text that begins with ``Error``, and is not raised. Names, descriptions and outputs come from
    strangers: invisible characters are removed, and long texts are cut.

    Attributes:
        name: The name of the tool, see :func:`tool_name`.
        description: A description with the capability's key and price.
        input_schema: The JSON Schema of the input. When the catalog has none, it allows any object.
        capability_key: The key of the capability.
        price_nc: The price in nc when the tool was made, or None when the catalog has no price.
    """

    def __init__(self, spec: CapabilitySpec, orders: _tool_orders.ToolOrders) -> None:
        """Make a tool from an entry of the catalog.

        Args:
            spec: The entry.
            orders: Orders the jobs of the tool.
        """
        from .budget import read_price  # a client has imported it, and `tool_name` needs no budget

        self.capability_key = spec["capability_key"]
        self.price_nc = read_price(spec.get("price_nc"))
        self.name = tool_name(self.capability_key)
        self.description = _describe(spec, self.price_nc)
        self.input_schema = _read_schema(spec.get("input_schema"))
        self._orders = orders

    def __repr__(self) -> str:
        """Return a text with the name and the price."""
        return f"<Tool {self.name} price_nc={self.price_nc}>"

    def call(self, input: Mapping[str, Any]) -> JsonObject | str:  # noqa: A002
        """Order a job, wait for it and return its output, on the calling thread.

        Args:
            input: The input, an object.

        Returns:
            The output, or a text that begins with ``Error``.

        Raises:
            RuntimeError: The tool belongs to an `AsyncNexusClient`. Await :meth:`acall` instead.
        """
        return self._orders.use(self, input)

    async def acall(self, input: Mapping[str, Any]) -> JsonObject | str:  # noqa: A002
        """Order a job, wait for it and return its output, without blocking the event loop.

        Args:
            input: The input, an object.

        Returns:
            The output, or a text that begins with ``Error``.
        """
        return await self._orders.use_async(self, input)

    def price_limit(self, max_price_nc: int | None, *, is_approved: bool) -> int | None:
        """Return the maximum price of one job of the tool in nc, or None for any price.

        Args:
            max_price_nc: The limit for all tools in nc, or None.
            is_approved: Whether each order is approved. The approval is valid for the price that
                the tool shows, so this price is then also a limit.
        """
        limits = [max_price_nc, self.price_nc if is_approved else None]
        return min((limit for limit in limits if limit is not None), default=None)

    def openai(self, *, api: Literal["chat", "responses"] = "chat") -> dict[str, Any]:
        """Return the tool in the form of the OpenAI API, never in strict mode.

        Args:
            api: ``"chat"`` for the Chat Completions API, ``"responses"`` for the Responses API.

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
        if api == "responses":  # in this API, strict is the default
            return {"type": "function", **function, "strict": False}
        raise ValueError(f'api is "chat" or "responses", not {api!r}')

    def anthropic(self) -> dict[str, Any]:
        """Return the tool in the form of the Anthropic API."""
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": self.input_schema,
        }


def clean(value: object, redact: Callable[[str], str], depth: int = 0) -> Any:
    """Return an output for a model: without invisible characters or keys, and of limited size.

    Args:
        value: A JSON value.
        redact: Removes agent keys from a text.
        depth: The number of levels above the value.
    """
    if isinstance(value, str):
        return strip_invisible(redact(value), MAX_TEXT)
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        return "… (deeper levels were left out)"
    if isinstance(value, dict):
        cleaned = {
            clean(name, redact): clean(item, redact, depth + 1)
            for name, item in list(value.items())[:MAX_ITEMS]
        }
        if len(value) > MAX_ITEMS:
            cleaned["…"] = f"{len(value) - MAX_ITEMS} more were left out"
        return cleaned
    if isinstance(value, list):
        items = [clean(item, redact, depth + 1) for item in value[:MAX_ITEMS]]
        more = len(value) - MAX_ITEMS
        return [*items, f"… ({more} more were left out)"] if more > 0 else items
    return value


def _describe(spec: CapabilitySpec, price_nc: int | None) -> str:
    price = "unknown price" if price_nc is None else f"{price_nc} nc a call"
    facts = f" (capability {spec['capability_key']}, {price})"
    texts = [spec.get("name"), spec.get("description")]
    text = ": ".join(" ".join(text.split()) for text in texts if isinstance(text, str) and text)
    facts = strip_invisible(facts, MAX_DESCRIPTION // 2)
    return strip_invisible(text, MAX_DESCRIPTION - len(facts)) + facts


def _read_schema(schema: object) -> JsonObject:
    """Return the catalog's schema when it describes an object, or else a schema of any object."""
    if isinstance(schema, dict) and schema.get("type") == "object":
        # Without ASCII escapes, so that every invisible character is found and removed.
        text = strip_invisible(json.dumps(schema, ensure_ascii=False))
        if len(text) <= MAX_SCHEMA:
            return {"properties": {}, **json.loads(text)}
    return {"type": "object", "properties": {}, "additionalProperties": True}
