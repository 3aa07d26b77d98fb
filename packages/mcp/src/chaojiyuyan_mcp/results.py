"""What a tool answers: its result, or an error that says what to do next."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from mcp import types

from .excerpt import Excerpt, is_flatter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.errors import HebingAPIError

log = logging.getLogger(__name__)

JsonObject = dict[str, object]

DEEPEST = 200
"""Levels of nesting that a client is sent; what writes the protocol fails at about 250."""

LONGEST_ERROR = 4_000
"""Characters of an error; a server, or a model's arguments, may have put any text into it."""

HINTS = {
    "auth_failed": "The agent key was refused. The user can get a new one with `chaojiyuyan"
    " connect`, or set CHAOJIYUYAN_API_KEY, and then restart this server.",
    "unknown_capability": "kernel_list_capabilities shows the keys there are.",
    "insufficient_balance": "The account has too few credits for this. Tell the user; trying again"
    " does not help.",
    "kernel_job_not_found": "Check the job_id. Jobs of other agents are not shown.",
    "worker_not_enabled": "Call kernel_register_capability_handler first.",
    "capability_not_in_handler_set": "Call kernel_register_capability_handler with this capability"
    " first.",
    "validation_failed": "Correct the output and call kernel_submit_job again; the job is still"
    " held.",
}
"""What to do next, by the code of an error."""

_BY_STATUS = {
    404: "Check the id. What belongs to another agent is not shown.",
    429: "Too many requests: wait a little, then call again.",
}
_ANY = "Read the error: unless it is about your arguments, tell the user."
_SERVER_FAULT = "The platform has a fault, which may pass: call again in a while."


class ToolError(Exception):
    """An error that a tool answers with.

    :param code: a stable code: the API's own or one of ours.
    :param error: what happened, for humans.
    :param hint: what to do next; by the code where it is None or empty.
    :param more: further members of the answer, such as ``job_id`` or ``status``.
    """

    def __init__(self, code: str, error: str, *, hint: str | None = None, **more: object) -> None:
        super().__init__(error)
        self.code = code
        self.error = error
        self.hint = hint or HINTS.get(code, _ANY)
        self.more = more


def bad_arguments(error: str, hint: str = "Correct the arguments and call again.") -> ToolError:
    """The arguments do not fit.

    :param error: what does not.
    :param hint: what to do next.
    """
    return ToolError("bad_arguments", error, hint=hint)


def answered(result: Mapping[str, object]) -> types.CallToolResult:
    """Answer with a result: structured, and the same as text.

    :raises ToolError: it is nested too deeply to be sent.
    """
    if not is_flatter(result, DEEPEST):
        raise ToolError("sdk_error", "the platform's answer is nested too deeply to be shown")
    text, structured = _written(result)
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structured_content=structured)


def failed(error: ToolError, *, api_key: str) -> types.CallToolResult:
    """Answer with an error.

    It goes out as text alone: clients hold structured content against the tool's output schema.

    :param api_key: must not show, whatever a server wrote into its answer.
    """
    from chaojiyuyan_core.masking import mask_key, mask_keys

    members: JsonObject = {"error": error.error, "code": error.code, **error.more}
    members["hint"] = error.hint
    text, _ = _written(members)
    text = mask_keys(text.replace(api_key, mask_key(api_key)))
    if len(text) > LONGEST_ERROR:  # not before: half a key would go unmasked
        text, _ = _written(Excerpt(LONGEST_ERROR).of(json.loads(text)))
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, is_error=True)


def translated(error: Exception, *, base_url: str) -> ToolError:
    """Return what to answer when a tool raised.

    :param base_url: named where it could not be reached.
    """
    if isinstance(error, ToolError):
        return error
    import httpx

    from chaojiyuyan_core import errors

    if isinstance(error, errors.HebingAPIError):
        return _api_error(error)
    if isinstance(error, httpx.HTTPError):
        reason = str(error) or type(error).__name__
        return ToolError(
            "connection_failed",
            f"{base_url} could not be reached: {reason}",
            hint="Check the network, and the base URL where HEBING_BASE_URL sets it; then call"
            " again.",
        )
    if isinstance(error, errors.HebingError):
        return ToolError("sdk_error", str(error))
    log.error("a tool failed", exc_info=error)
    return ToolError(
        "sdk_error",
        f"unexpected {type(error).__name__}; the server's log has the details",
        hint="Call again; if it happens again, report it to the user.",
    )


def _api_error(error: HebingAPIError) -> ToolError:
    status = error.status_code
    if status == 401 or (status == 403 and not error.code):
        code = "auth_failed"
    else:
        code = error.code or "sdk_error"
    hint = HINTS.get(code) or _BY_STATUS.get(status) or (_SERVER_FAULT if status >= 500 else None)
    if error.retry_after:
        hint = f"Call again in {error.retry_after:.0f} s."
    more: JsonObject = {"status": status}
    for name in ("capability_key", "validation_errors"):
        if name in error.fields:
            more[name] = error.fields[name]
    return ToolError(code, error.detail, hint=hint, **more)


def _written(value: Mapping[str, object]) -> tuple[str, JsonObject]:
    """Return a value as JSON text and as the object that this text stands for.

    Half of a surrogate pair and NaN come through Python's JSON reader, but no pipe to a client.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except ValueError:
        loose = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        mended: JsonObject = json.loads(loose, parse_constant=lambda _: None)
        return json.dumps(mended, ensure_ascii=False), mended
    return text, dict(value)
