"""What the Python judges share: RSA by `cryptography`, and a loopback server that ends with its parent.

A server prints its port, and ends when its standard input does.
"""

import base64
import json
import os
import sys
import threading
import traceback
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def sign(key, message):
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def verifies(key, message, signature):
    try:
        key.verify(base64.b64decode(signature, validate=True), message, padding.PKCS1v15(), hashes.SHA256())
        return True
    except (InvalidSignature, ValueError):
        return False


def post(url, headers, body):
    """Sends a request; status and text of the answer, whatever it is."""
    try:
        answer = direct.open(urllib.request.Request(url, data=body, headers=headers, method="POST"), timeout=20)
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        return {"status": answer.status, "body": answer.read().decode()}


def control(base, path, wish):
    """One call of the sandbox's control API."""
    answer = post(f"{base}/sandbox/api/{path}", {"content-type": "application/json"}, json.dumps(wish).encode())
    assert answer["status"] == 200, answer
    return json.loads(answer["body"])


def serve(answer):
    """Serves `answer(method, target, headers, body) -> (status, headers, body)` until standard input ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            try:
                status, headers, text = answer(self.command, self.path, self.headers, body)
            except Exception:  # pylint: disable=broad-except
                traceback.print_exc()
                status, headers, text = 500, {}, b"the judge broke"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = handle_any

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)
