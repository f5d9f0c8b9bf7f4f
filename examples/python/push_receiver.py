"""Receives the deliveries of a push subscription. Only the standard library.

SECRETS: the secrets of the subscription, separated by commas. PORT: 8000 by default.
"""
import base64, hashlib, hmac, json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEYS = [base64.b64decode(secret.removeprefix("whsec_")) for secret in os.environ["SECRETS"].split(",")]
TOLERANCE_SECONDS = 300
processed = set()  # a service keeps the ids in its database, in the transaction of its work


def is_signed(headers, body):
    id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False  # a request that somebody has recorded
    text = f"{id}.{timestamp}.".encode() + body
    own = ["v1," + base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode() for key in KEYS]
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(a, b) for a in own for b in given)


def process(message):
    if message["body"] == "bad":
        raise ValueError("a message that cannot be processed")
    print("processed", message["offset"], json.dumps(message["body"]), flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.status_of(body))
        self.send_header("content-length", "0")
        self.end_headers()

    def status_of(self, body):
        if not is_signed(self.headers, body):
            return 401
        if "delivery-test" in self.headers or self.headers["webhook-id"] in processed:
            return 204
        try:
            process(json.loads(body))
        except ValueError as error:
            print("refused", error, flush=True)
            return 422  # it goes to the error stream, after some more tries
        processed.add(self.headers["webhook-id"])
        return 204

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
