"""What every example needs: one HTTP call with a bounded retry, and the publish and consume loops on top of it."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from urllib.parse import quote, urlencode

GATEWAY_URL = os.environ.get("GATEWAY_URL", "http://127.0.0.1:8080")
ATTEMPTS = 5


class Problem(Exception):
    """An error answer of the gateway: application/problem+json."""

    def __init__(self, error):
        self.status = error.code
        self.retry_after = int(error.headers.get("retry-after", "1"))
        try:
            problem = json.load(error)
        except ValueError:
            # A proxy answered, not the gateway. The request may have reached the gateway and had an effect.
            problem = {"detail": error.reason, "retryable": error.code in (502, 503, 504), "sideEffects": "possible"}
        self.code = problem.get("code", "unknown")
        self.retryable = problem["retryable"]
        self.side_effects = problem["sideEffects"]
        super().__init__(f"{self.status} {self.code}: {problem['detail']}")


def call(method, path, body=None, *, is_repeatable=True):
    """
    Sends a request, and sends it again a few times when the gateway says that this can help (`retryable`) and either
    nothing has happened yet (`sideEffects` is "none") or the request may safely happen twice.

    503: waits for the time in Retry-After. 504: the outcome is unknown, so only a repeatable request is sent again.
    """
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(1, ATTEMPTS + 1):
        request = urllib.request.Request(GATEWAY_URL + path, data=data, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=90) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            problem = Problem(error)
            may_repeat = problem.retryable and (problem.side_effects == "none" or is_repeatable)
            if not may_repeat or attempt == ATTEMPTS:
                raise problem from None
            pause = problem.retry_after
        except (OSError, http.client.HTTPException):
            # There is no answer: the connection was refused or broken. The outcome is unknown, as after a 504.
            if not is_repeatable or attempt == ATTEMPTS:
                raise
            pause = 1
        print(f"trying again in {pause} s ({attempt} of {ATTEMPTS})")
        time.sleep(pause)


def create_stream(stream):
    """Creates a stream. Creating one that exists is not an error."""
    call("PUT", stream_path(stream), {})


def last_publishing_id(stream, publisher):
    """The last publishing id of a publisher name; 0 for a new name."""
    return call("GET", f"{stream_path(stream)}/publishers/{quote(publisher, safe='')}")["lastPublishingId"]


def publish(stream, publisher, messages):
    """
    Publishes messages, each with a publishingId, under a publisher name. That makes the request repeatable: a message
    that the broker has already is counted as a duplicate and not stored again.
    """
    query = urlencode({"publisher": publisher})
    for _ in range(ATTEMPTS):
        answer = call("POST", f"{stream_path(stream)}/messages?{query}", {"messages": messages})
        if "results" not in answer:
            return answer
        # 207: some messages failed, or their outcome is unknown. Sending the same ids again completes the request.
        time.sleep(1)
    raise RuntimeError(f"not everything could be published: {answer['results'][:3]}")


def consume(stream, consumer, handle):
    """
    Calls handle(message) for every message, from where this consumer stopped last time, up to the end of the stream.

    Each poll stores that the batch before it is handled: it passes that batch's `commitOffset` as `commit`. The poll
    that returns no messages stores the last one. If this program dies, the messages after the stored offset come again.
    A service would add a `wait` to the query and never leave the loop.

    Started twice under one name, two programs handle the same messages until one of them is behind: its commit is
    refused, and it goes on where the other one is.
    """
    path = f"{stream_path(stream)}/consumers/{quote(consumer, safe='')}"
    commit = None
    while True:
        query = {"limit": 4}
        # Each stored offset is written into the stream. `commitOffset` is null when there is nothing new to store.
        if commit is not None:
            query["commit"] = commit
        try:
            batch = call("GET", f"{path}/messages?{urlencode(query)}")
        except Problem as problem:
            if problem.code != "offset_goes_back":
                raise
            print("another program of this name is ahead: continuing where it is")
            commit = None
            continue
        commit = batch["commitOffset"]
        if "gap" in batch:
            print(f"retention has removed offsets {batch['gap']['from']} to {batch['gap']['to']}")
        for message in batch["messages"]:
            handle(message)
        if batch["endOfStream"] and not batch["messages"]:
            return


def send_to_error_stream(stream, consumer, message, error):
    """
    Copies a message that cannot be processed to `<stream>_errors`: the body byte for byte, and beside it the error.

    The source offset is the publishing id. If the program dies before it stores the offset, the message comes again and
    fails again, and its copy is a duplicate here.
    """
    original = call("GET", f"{stream_path(stream)}/messages/{message['offset']}?body=base64")
    original["applicationProperties"] = {
        **original.get("applicationProperties", {}),
        "error-text": str(error),
        "error-stream": stream,
        "error-offset": str(message["offset"]),
        "error-time": datetime.now(timezone.utc).isoformat(),
    }
    original["publishingId"] = message["offset"]
    create_stream(f"{stream}_errors")
    publish(f"{stream}_errors", f"{consumer}@{stream}", [original])


def stream_path(stream):
    return f"/v1/streams/{quote(stream, safe='')}"
