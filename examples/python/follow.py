"""
Follows a stream by server-sent events, and prints each message as it comes. Ctrl-C ends it.

When it is cut off, or the gateway restarts, it comes back with the last id: nothing is missing and nothing comes twice.
A program that has to survive its own end keeps the id with what it has made of the messages, and begins with that:
here LAST_EVENT_ID is the id to begin with. Without one it begins with the first message.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request

from gateway import GATEWAY_URL, Problem, create_stream, stream_path

STREAM = os.environ.get("STREAM", "example-python")
HEARTBEAT_SECONDS = 15


def events(answer):
    """The events of an answer, as dictionaries. An event that was cut in the middle is left out: it comes again."""
    event = {}
    # Without the end of its line, a line is not whole.
    while (line := answer.readline()).endswith(b"\n"):
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name:
            event[name] = value  # an event of the gateway has one line of data
        else:
            yield event
            event = {}


def follow(stream, handle, last_id=None):
    """Calls handle(message) for every message of a stream. Raises a problem that will not pass by itself."""
    url = f"{GATEWAY_URL}{stream_path(stream)}/messages?heartbeat={HEARTBEAT_SECONDS}"
    pause = 2
    while True:
        headers = {"accept": "text/event-stream"}
        if last_id is not None:
            headers["last-event-id"] = last_id
        try:
            # No byte for two heartbeats: the connection is dead, and nothing else says so.
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers),
                                        timeout=2 * HEARTBEAT_SECONDS + 5) as answer:
                for event in events(answer):
                    data = json.loads(event["data"])
                    if "retry" in event:
                        pause = int(event["retry"]) / 1000
                    if "event" not in event:
                        handle(data)
                    else:
                        tell(event["event"], data)
                    # Not before it is handled: where this program ends in between, the message comes again.
                    last_id = event.get("id", last_id)
        except urllib.error.HTTPError as error:
            problem = Problem(error)
            if not problem.retryable:
                raise problem from None
            pause = problem.retry_after
        except (OSError, http.client.HTTPException) as error:
            print(f"no answer: {error}", flush=True)
        print(f"coming back in {pause:g} s with the id {last_id}", flush=True)
        time.sleep(pause)


def tell(name, data):
    """What the gateway says beside the messages."""
    if name == "state" and data["endOfStream"]:
        print(f"caught up: the next message has the offset {data['nextOffset']}", flush=True)
    elif name == "gap":
        print(f"retention has removed offsets {data['from']} to {data['to']}", flush=True)
    elif name == "bye":
        print(f"bye: {data['reason']}", flush=True)
    elif name == "problem" and not data["retryable"]:
        raise SystemExit(f"{data['code']}: {data['detail']}")
    elif name == "problem":
        print(f"{data['code']}: {data['detail']}", flush=True)


create_stream(STREAM)
try:
    follow(STREAM, lambda message: print(f"offset {message['offset']}: {message['body']}", flush=True),
           os.environ.get("LAST_EVENT_ID"))
except KeyboardInterrupt:
    print("stopped")
