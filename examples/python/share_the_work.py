"""
A worker that shares the partitions of a super stream with all others of its name. Start it several times: each gets
some of the partitions. End one, and the others have its partitions. Ctrl-C ends it.

It stores what is processed now and then, and always when a partition goes to another worker. What a worker that died
has not stored comes again, to another one: handling a message twice must do no harm.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from gateway import GATEWAY_URL, Problem, call

SUPER_STREAM = os.environ.get("SUPER_STREAM", "example-python-shared")
CONSUMER = os.environ.get("CONSUMER", "billing")
HEARTBEAT_SECONDS = 5
STORE_EVERY = 100
STORE_SECONDS = 1

PATH = f"/v1/super-streams/{urllib.parse.quote(SUPER_STREAM, safe='')}"
CONSUMER_PATH = f"{PATH}/consumers/{urllib.parse.quote(CONSUMER, safe='')}"


class Processed:
    """The last offset processed in each partition that is not stored yet."""

    def __init__(self):
        self.offsets = {}
        self.count = 0
        self.stored_at = time.monotonic()

    def add(self, partition, offset):
        self.offsets[partition] = offset
        self.count += 1

    def store_when_due(self):
        if self.count >= STORE_EVERY or time.monotonic() - self.stored_at >= STORE_SECONDS:
            self.store(list(self.offsets))

    def store(self, partitions):
        """Stores partition by partition: one that another worker is ahead in does not keep back the others."""
        for partition in partitions:
            offset = self.offsets.pop(partition, None)
            if offset is None:
                continue
            try:
                call("PUT", f"{CONSUMER_PATH}/offset", {"offsets": {partition: offset}})
            except Problem as problem:
                if problem.code != "offset_goes_back":
                    raise
                print(f"another worker is ahead in {partition}", flush=True)
        self.count = 0
        self.stored_at = time.monotonic()


def lines(answer):
    """The lines of an answer. One that was cut in the middle is left out: it comes again."""
    while (line := answer.readline()).endswith(b"\n"):
        yield json.loads(line)


def work(handle):
    """Calls handle(message) for every message of the partitions that this worker has."""
    processed = Processed()
    url = f"{GATEWAY_URL}{CONSUMER_PATH}/messages?follow=true&singleActive=true&heartbeat={HEARTBEAT_SECONDS}"
    while True:
        pause = 1
        try:
            # No byte for two heartbeats: the connection is dead, and nothing else says so.
            with urllib.request.urlopen(url, timeout=2 * HEARTBEAT_SECONDS + 5) as answer:
                for line in lines(answer):
                    take(line, handle, processed)
                    processed.store_when_due()
        except urllib.error.HTTPError as error:
            problem = Problem(error)
            if not problem.retryable:
                raise problem from None
            pause = problem.retry_after
        except (OSError, http.client.HTTPException) as error:
            print(f"no answer: {error}", flush=True)
        # Others have its partitions by now: what is not stored comes again, to them.
        processed.offsets.clear()
        time.sleep(pause)


def take(line, handle, processed):
    if "$active" in line:
        print(f"has {line['$active']['partition']}", flush=True)
    elif "$inactive" in line:
        # The next worker gets the partition when this is stored, or after ten seconds.
        processed.store([line["$inactive"]["partition"]])
        print(f"has not {line['$inactive']['partition']}", flush=True)
    elif "$gap" in line:
        print(f"messages are missing: {line['$gap']}", flush=True)
    elif "$problem" in line and not line["$problem"]["retryable"]:
        raise SystemExit(f"{line['$problem']['code']}: {line['$problem']['detail']}")
    elif "partition" in line:
        handle(line)
        processed.add(line["partition"], line["offset"])


call("PUT", PATH, {"partitions": 4})
try:
    work(lambda message: print(f"{message['partition']} {message['offset']}: {message['body']}", flush=True))
except KeyboardInterrupt:
    print("stopped")
