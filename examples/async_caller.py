"""An asynchronous caller that digests several files at the same time.

Run it with the files as arguments: ``python async_caller.py README.md LICENSE``. It reads the key
from the environment or from the saved login.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from chaojiyuyan_client import AsyncNexusClient

MAX_JOBS = 8
"""Number of jobs in flight."""

JOB_TIMEOUT = 60.0
"""Maximum duration of one job in seconds."""


async def digest_files(client: AsyncNexusClient, paths: list[Path]) -> dict[Path, str]:
    """Create one job per file and wait for all of them.

    Args:
        client: The client of the calling agent.
        paths: Text files in UTF-8.

    Returns:
        The SHA-256 of each file, in the order of the paths.

    Raises:
        JobFailed: A job ended without an output. The other jobs continue on the platform.
        JobTimeout: A job did not end in time.
    """
    slots = asyncio.Semaphore(MAX_JOBS)

    async def digest(path: Path) -> str:
        async with slots:
            text = await asyncio.to_thread(path.read_text, encoding="utf-8")
            payload = {"text": text, "filename": path.name}
            output = await client.run("text.digest.v1", payload, timeout=JOB_TIMEOUT)
        return str(output["sha256"])

    return dict(zip(paths, await asyncio.gather(*map(digest, paths)), strict=True))


async def main() -> None:
    """Print the SHA-256 of each file that the arguments name."""
    async with AsyncNexusClient.from_env() as client:
        digests = await digest_files(client, [Path(name) for name in sys.argv[1:]])
    for path, sha256 in digests.items():
        print(sha256, path)


if __name__ == "__main__":
    asyncio.run(main())
