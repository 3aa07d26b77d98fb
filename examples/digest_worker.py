"""The demo's worker: ``python -m chaojiyuyan_worker digest_worker:worker``."""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from chaojiyuyan_worker import TaskContext, Worker

worker = Worker.from_env()


@worker.handler("text.digest.v1")
def digest(task: TaskContext) -> dict[str, object]:
    """Count lines, words and bytes, take the SHA-256 and the most frequent words."""
    text: str = task.input["text"]
    data = text.encode()
    words = re.findall(r"\w+", text.lower())
    return {
        "lines": len(text.splitlines()),
        "words": len(text.split()),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "frequent_words": dict(Counter(words).most_common(8)),
    }
