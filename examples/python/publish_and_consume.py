"""Creates a stream, publishes ten orders, and reads from where the last run stopped. Run it twice."""

import os

from gateway import consume, create_stream, last_publishing_id, publish

STREAM = os.environ.get("STREAM", "example-python")

create_stream(STREAM)

# The number of an order is its publishing id. After a restart the gateway says which id was the last one.
first = last_publishing_id(STREAM, "shop") + 1
orders = [{"body": {"order": number}, "publishingId": number} for number in range(first, first + 10)]
answer = publish(STREAM, "shop", orders)
print(f"stored {answer['confirmed']}, duplicates {answer['duplicates']}")

consume(STREAM, "billing", lambda message: print(f"offset {message['offset']}: {message['body']}"))
print("end of stream")
