"""Copies a job's output to CloudWatch Logs, line by line while the job runs."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final

import botocore.exceptions

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

log = logging.getLogger(__name__)
INTERVAL_SECONDS: Final = 0.2
"""Seconds for which lines are collected into one call."""

MAX_MESSAGE: Final = 250_000
"""Bytes of one message. The rest of a longer line is cut off."""

MAX_BATCH_MESSAGES: Final = 10_000
"""Messages in one call of PutLogEvents (AWS's limit)."""

MAX_BATCH_BYTES: Final = 1_000_000
"""Bytes in one call of PutLogEvents (AWS's limit is 1,048,576)."""

MESSAGE_OVERHEAD: Final = 26
"""Bytes that CloudWatch Logs counts for each message besides its text."""


class JobLog:
    """A context manager that writes to log group `group`, stream `<job>/algo-1-<epoch>`.

    As on AWS, a log that cannot be written does not fail the job.
    """

    def __init__(self, client: "CloudWatchLogsClient", group: str, job: str) -> None:
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
        """Add one line to the log."""
        self._lines.put((int(time.time() * 1000), line))

    def follow(self, stream: IO[bytes]) -> None:
        """Copy `stream` in a thread until it ends."""

        def read() -> None:
            with contextlib.suppress(ValueError), stream:
                for line in stream:
                    self.say(line[:MAX_MESSAGE].decode(errors="replace").rstrip("\r\n"))

        reader = threading.Thread(target=read, name=f"log-reader-{self._stream}", daemon=True)
        reader.start()
        self._readers.append(reader)

    def _write(self) -> None:
        """Send the lines in batches until the log ends."""
        try:
            self._make()
        except botocore.exceptions.BotoCoreError as error:
            log.warning("no log for %s: %s", self._stream, error)
        ended = False
        while not ended:
            batch, size = [], 0
            item = self._lines.get()
            deadline = time.monotonic() + INTERVAL_SECONDS
            while item is not None:
                batch.append(item)
                size += len(item[1]) + MESSAGE_OVERHEAD
                if len(batch) == MAX_BATCH_MESSAGES or size > MAX_BATCH_BYTES - MAX_MESSAGE:
                    break
                try:
                    item = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
                except queue.Empty:
                    break
            ended = item is None
            self._send(batch)

    def _make(self) -> None:
        """Make the group and the stream, if they do not exist."""
        group, stream = self._group, self._stream
        calls: tuple[Callable[[], object], ...] = (
            lambda: self._client.create_log_group(logGroupName=group),
            lambda: self._client.create_log_stream(logGroupName=group, logStreamName=stream),
        )
        for call in calls:
            try:
                call()
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                    log.warning("no log for %s: %s", self._stream, error)

    def _send(self, batch: list[tuple[int, str]]) -> None:
        events: list[InputLogEventTypeDef] = [
            {"timestamp": moment, "message": line} for moment, line in batch if line
        ]
        if not events:
            return
        try:
            self._client.put_log_events(
                logGroupName=self._group, logStreamName=self._stream, logEvents=events
            )
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            log.warning("%d lines of %s are lost: %s", len(events), self._stream, error)
