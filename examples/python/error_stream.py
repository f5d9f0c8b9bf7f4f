"""Sends a message that cannot be processed to <stream>_errors, and continues with the next message."""

import os

from gateway import consume, create_stream, last_publishing_id, publish, send_to_error_stream

STREAM = os.environ.get("STREAM", "example-python-orders")
CONSUMER = "billing"


def process(order):
    if not isinstance(order["quantity"], int):
        raise ValueError(f"the quantity of order {order['number']} is not a number")
    print(f"order {order['number']}: {order['quantity']} pieces")


def handle(message):
    try:
        process(message["body"])
    except Exception as error:
        print(f"sending the message at offset {message['offset']} to {STREAM}_errors: {error}")
        send_to_error_stream(STREAM, CONSUMER, message, error)


create_stream(STREAM)
first = last_publishing_id(STREAM, "shop") + 1
quantities = [1, 2, "three", 4, 5]
publish(STREAM, "shop", [
    {"body": {"number": number, "quantity": quantity}, "publishingId": number}
    for number, quantity in enumerate(quantities, first)
])

consume(STREAM, CONSUMER, handle)
print("end of stream")
