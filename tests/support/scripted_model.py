"""A fake API of a language model on loopback, which answers with a test's script."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Json = dict[str, Any]


def say(text: str) -> Json:
    """A turn's text."""
    return {"type": "text", "text": text}


def use(tool: str, **arguments: object) -> Json:
    """A turn's call of a tool."""
    return {"type": "tool_use", "name": tool, "input": arguments}


class ScriptedModel:
    """Answers the turns of one conversation, each with a step of the script.

    A step is a list of blocks, or a function from the last message's text to such a list.
    """

    def __init__(self, steps: Iterable[list[Json] | Callable[[str], list[Json]]]) -> None:
        self._steps = list(steps)
        self._lock = threading.Lock()
        self.turns: list[Json] = []
        model = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.end_headers()

            def do_GET(self) -> None:
                self.send_response(404)
                self.end_headers()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                events = _responses if self.path.endswith("/responses") else _messages
                for event in events(model._answer(body)):
                    line = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
                    self.wfile.write(line.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> ScriptedModel:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def last_message(self) -> str:
        """Return the last message to the model."""
        turn = self.turns[-1]
        return json.dumps((turn.get("messages") or turn.get("input"))[-6:], ensure_ascii=False)

    def wait_for_turn(self, number: int, timeout: float = 100) -> str:
        """Wait until the model was asked ``number`` times; return the last message."""
        deadline = time.monotonic() + timeout
        while len(self.turns) < number:
            assert time.monotonic() < deadline, f"turn {number} never came"
            time.sleep(0.05)
        return self.last_message()

    def _answer(self, body: Json) -> list[Json]:
        if not body.get("tools"):
            return [say("A title")]  # a request outside the conversation
        with self._lock:
            self.turns.append(body)
            step = self._steps[min(len(self.turns), len(self._steps)) - 1]
            blocks = step(self.last_message()) if callable(step) else step
            name = f"toolu_{len(self.turns)}"
        return [{**block, "id": f"{name}_{number}"} for number, block in enumerate(blocks)]


def _messages(blocks: list[Json]) -> Iterator[Json]:
    """A turn as Anthropic's Messages API streams it."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted"}
    start = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            begun, delta = (
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": block["text"]},
            )
        else:
            begun = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": begun}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
    ended = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


def _responses(blocks: list[Json]) -> Iterator[Json]:
    """A turn as OpenAI's Responses API streams it."""
    yield {"type": "response.created", "response": {"id": "resp_1"}}
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            content = [{"type": "output_text", "text": block["text"], "annotations": []}]
            item = {"type": "message", "role": "assistant", "content": content}
        else:
            namespace, _, name = block["name"].rpartition("__")
            item = {"type": "function_call", "call_id": block["id"], "name": name}
            item |= {"namespace": namespace} if namespace else {}
            item["arguments"] = json.dumps(block["input"])
        item |= {"id": block["id"], "status": "completed"}
        yield {"type": "response.output_item.added", "output_index": index, "item": item}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    details = {"input_tokens_details": {"cached_tokens": 0}}
    details["output_tokens_details"] = {"reasoning_tokens": 0}
    yield {"type": "response.completed", "response": {"id": "resp_1", "usage": usage | details}}
