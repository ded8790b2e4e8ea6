"""A load generator: raw HTTP/1.1 over kept connections, one request in flight on each.

Run as its own process, so that it shares no interpreter with what it measures. Bodies are made
before the clock starts; an answer that is not 2xx counts as failed and fails the measurement. With
``patient``, one that says 503 with ``Retry-After`` counts as turned away, and comes back after that time.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last has come in whole."""

    def __init__(self, run: "_Run") -> None:
        self.run = run
        self.buffer = b""
        self.need = -1
        self.began = 0.0
        self.back = -1.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = next(self.run.requests, None)
        now = time.perf_counter()
        if request is None or now > self.run.end:
            self.transport.close()
            return
        wait = self.run.pace(now)
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.write, request)
        else:
            self.write(request)

    def write(self, request: bytes) -> None:
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.need < 0:
            head = self.buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            low = self.buffer[:head].lower()
            at = low.find(b"content-length:")
            length = int(low[at + 15 :].split(b"\r\n", 1)[0])
            self.need = head + 4 + length
            self.good = self.buffer[9:10] == b"2"
            if self.run.patient and self.buffer[9:12] == b"503":
                self.back = float(low[low.index(b"retry-after:") + 12 :].split(b"\r\n", 1)[0])
        if len(self.buffer) < self.need:
            return
        if self.back >= 0:
            self.run.turned_away += 1
            self.transport.close()
            return
        self.run.done(time.perf_counter() - self.began, good=self.good, answer=self.buffer)
        self.buffer, self.need = b"", -1
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.run.patient and (self.back >= 0 or exc is not None):
            self.run.come_back(max(self.back, 1.0))
        else:
            self.run.lost(exc)


class _Run:
    """One measurement: what is sent, what came back, how long each took."""

    def __init__(self, requests: Iterator[bytes], *, connections: int, seconds: float, rate: float,
        port: int, patient: bool,
    ):  # fmt: skip
        self.requests = requests
        self.open = connections
        self.rate = rate
        self.seconds = seconds
        self.latencies: list[float] = []
        self.failed = 0
        self.port, self.patient = port, patient
        self.turned_away = 0
        self.coming: set[asyncio.Task[None]] = set()
        self.first_failure = ""
        self.next_at = 0.0
        self.finished = asyncio.Event()

    def pace(self, now: float) -> float:
        """Return seconds to wait so that the whole keeps to ``rate`` a second (0: as fast as it goes)."""
        if not self.rate:
            return 0.0
        self.next_at = max(self.next_at, now - 0.05) + 1 / self.rate
        return self.next_at - now

    def done(self, seconds: float, *, good: bool, answer: bytes) -> None:
        self.latencies.append(seconds)
        if not good:
            self.failed += 1
            self.first_failure = self.first_failure or answer[:400].decode(errors="replace")

    def come_back(self, seconds: float) -> None:
        """Connect again after so many seconds, or be gone if the end comes first."""
        task = asyncio.get_running_loop().create_task(self._connect(seconds))
        self.coming.add(task)
        task.add_done_callback(self.coming.discard)

    async def _connect(self, seconds: float) -> None:
        left = self.end - time.perf_counter()
        await asyncio.sleep(max(0.0, min(seconds, left)))
        if seconds >= left:
            self.lost(None)
            return
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), "127.0.0.1", self.port
            )
        except OSError:
            self.come_back(1.0)

    def lost(self, exc: Exception | None) -> None:
        self.open -= 1
        if exc is not None:
            self.failed += 1
        if self.open == 0:
            self.finished.set()


async def _measure(run: _Run, port: int, connections: int) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    run.end = began + run.seconds
    run.next_at = began
    for _ in range(connections):
        if run.patient:
            run.come_back(0.0)
            continue
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
    await run.finished.wait()
    took = time.perf_counter() - began
    ordered = sorted(run.latencies)
    return {
        "rate": len(ordered) / took,
        "count": len(ordered),
        "failed": run.failed,
        "turned_away": run.turned_away,
        "first_failure": run.first_failure,
        "p50_ms": 1000 * ordered[len(ordered) // 2] if ordered else 0.0,
        "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)] if ordered else 0.0,
    }


def main() -> None:
    """Read a JSON job from standard input; print a JSON result."""
    job = json.load(sys.stdin)
    bodies = Path(job["bodies"]).read_bytes().splitlines()
    head = (
        f"POST {job['path']} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    ).encode()
    requests = [head + b"content-length: %d\r\n\r\n%s" % (len(b), b) for b in bodies]
    run = _Run(
        iter(requests),
        connections=job["connections"],
        seconds=job["seconds"],
        rate=job.get("rate", 0.0),
        port=job["port"],
        patient=job.get("patient", False),
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.install()
    print(json.dumps(asyncio.run(_measure(run, job["port"], job["connections"]))))


if __name__ == "__main__":
    main()
