"""A job's output, line by line while it runs, to CloudWatch Logs."""

import contextlib
import logging
import queue
import threading
import time
from types import TracebackType
from typing import IO, Any

import botocore.exceptions

log = logging.getLogger(__name__)
INTERVAL = 0.2  # seconds for which lines are gathered into one call
LARGEST = 250_000  # bytes of a message


class JobLog:
    """Copies a stream into log group `group`, stream `<job>/algo-1-<epoch>`. A context manager.

    That the log cannot be written does not fail the job, as on AWS.
    """

    def __init__(self, client: Any, group: str, job: str) -> None:
        self._client, self._group = client, group
        self._stream = f"{job}/algo-1-{int(time.time())}"
        self._lines: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._readers: list[threading.Thread] = []
        self._writer = threading.Thread(target=self._write, name=f"log-writer-{job}", daemon=True)

    def __enter__(self) -> "JobLog":
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reader in self._readers:
            reader.join(5)
        self._lines.put(None)
        self._writer.join(10)

    def say(self, line: str) -> None:
        """Add a line of our own."""
        self._lines.put((int(time.time() * 1000), line))

    def follow(self, stream: IO[bytes]) -> None:
        """Copy `stream` until it ends."""

        def read() -> None:
            with contextlib.suppress(ValueError), stream:
                for line in stream:
                    self.say(line[:LARGEST].decode(errors="replace").rstrip("\r\n"))

        reader = threading.Thread(target=read, name=f"log-reader-{self._stream}", daemon=True)
        reader.start()
        self._readers.append(reader)

    def _write(self) -> None:
        try:
            self._make()
        except botocore.exceptions.BotoCoreError as error:
            log.warning("no log for %s: %s", self._stream, error)
        ended = False
        while not ended:
            batch, size = [], 0
            item = self._lines.get()
            deadline = time.monotonic() + INTERVAL
            while item is not None:
                batch.append(item)
                size += len(item[1]) + 26
                if len(batch) == 10_000 or size > 1_000_000 - LARGEST:
                    break
                try:
                    item = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
            ended = item is None
            self._send(batch)

    def _make(self) -> None:
        for call, names in (
            (self._client.create_log_group, {"logGroupName": self._group}),
            (self._client.create_log_stream, {"logGroupName": self._group, "logStreamName": self._stream}),
        ):
            try:
                call(**names)
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    log.warning("no log for %s: %s", self._stream, error)

    def _send(self, batch: list[tuple[int, str]]) -> None:
        events = [{"timestamp": moment, "message": line} for moment, line in batch if line]
        if not events:
            return
        try:
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=events
            )
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            log.warning("%d lines of %s are lost: %s", len(events), self._stream, error)
