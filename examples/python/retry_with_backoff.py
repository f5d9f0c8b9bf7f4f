"""Tries a message that cannot be processed again after 1, 2, 4 ... seconds, then sends it to <stream>_errors."""

import os
import time

from gateway import consume, create_stream, last_publishing_id, publish, send_to_error_stream

STREAM = os.environ.get("STREAM", "example-python-payments")
MAX_RETRIES = int(os.environ.get("MAX_RETRIES", "2"))
BACKOFF_SECONDS = float(os.environ.get("BACKOFF_SECONDS", "1"))
CONSUMER = "billing"

attempts = {}


def process(payment):
    """Stands for a call of another system, which fails as many times as the payment's `failures` says."""
    number = payment["number"]
    attempts[number] = attempts.get(number, 0) + 1
    if attempts[number] <= payment["failures"]:
        raise RuntimeError(f"payment {number} failed")
    print(f"payment {number} worked at attempt {attempts[number]}")


def handle(message):
    # The next message waits meanwhile, which keeps the order. Where order does not matter, send the message to a stream
    # of its own, whose consumer does the waiting.
    for retry in range(MAX_RETRIES + 1):
        try:
            return process(message["body"])
        except Exception as error:
            if retry == MAX_RETRIES:
                print(f"{error}, for good: sending the message at offset {message['offset']} to {STREAM}_errors")
                return send_to_error_stream(STREAM, CONSUMER, message, error)
            pause = BACKOFF_SECONDS * 2 ** retry
            print(f"{error}, trying again in {pause:g} s")
            time.sleep(pause)


create_stream(STREAM)
first = last_publishing_id(STREAM, "shop") + 1
failures = [0, 1, 1000, 0]
publish(STREAM, "shop", [
    {"body": {"number": number, "failures": count}, "publishingId": number}
    for number, count in enumerate(failures, first)
])

consume(STREAM, CONSUMER, handle)
print("end of stream")
