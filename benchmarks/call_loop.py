"""Run one client: ``python call_loop.py TASK BASE_URL``, with the SDK of this Python.

``cpu`` prints the CPU time of a ``call()`` in microseconds. ``wait`` prints the milliseconds from a
job's settlement to the return of ``wait()``, averaged over jobs that settle after 0.1, 0.5, 1 and
2 s, and the highest number of requests for one job.
"""

from __future__ import annotations

import sys
import time
from statistics import mean

CALLS = 300
SETTLES = (0.1, 0.5, 1.0, 2.0)


def main(task: str, base_url: str) -> None:
    from chaojiyuyan_sdk import NexusClient

    with NexusClient("nxt_ag_bench", base_url) as client:
        if task == "cpu":
            client.call("bench.v1", {"n": 0})
            began = time.process_time()
            for number in range(CALLS):
                client.call("bench.v1", {"n": number})
            print(1e6 * (time.process_time() - began) / CALLS)
            return
        late, requests = [], []
        for seconds in SETTLES:
            job = client.call("bench.v1", {"settle": seconds})
            output = client.wait(job["id"])["output_envelope"]
            late.append(1000 * (time.monotonic() - output["settled"]))
            requests.append(output["requests"])
        print(mean(late), max(requests))


if __name__ == "__main__":
    main(*sys.argv[1:])
