"""What the Python judges share: RSA by `cryptography`, and a loopback server that ends with its parent.

A server prints its port, and ends when its standard input does.
"""

import base64
import json
import os
import re
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


class Refused(Exception):
    """What is wrong with a request; with `asked` nothing is, and what it asks for is not there."""

    def __init__(self, status, code, what, asked=False):
        super().__init__(f"{code}: {what}")
        self.status, self.code, self.what, self.asked = status, code, what, asked


def check(holds, what, status=400, code="PARAM_ERROR"):
    if not holds:
        raise Refused(status, code, what)


def shaped(value, required, optional=None, where="body"):
    """An object with all that is required and nothing that is not known; types or patterns by name, of a list those of
    its items."""
    check(isinstance(value, dict), f"{where} is no object")
    known = {**required, **(optional or {})}
    for name in required:
        check(name in value, f"{where} lacks {name}")
    for name, field in value.items():
        check(name in known, f"{where} has {name}, which nobody knows")
        wanted = known[name]
        if isinstance(wanted, dict):
            shaped(field, wanted, where=f"{where}.{name}")
        elif isinstance(wanted, list):
            check(isinstance(field, list) and field, f"{where}.{name} is no list")
            for item in field:
                shaped(item, *wanted[0], where=f"{where}.{name}")
        elif isinstance(wanted, type):
            check(type(field) is wanted, f"{where}.{name} is no {wanted.__name__}")
        else:
            check(isinstance(field, str) and re.fullmatch(wanted, field), f"{where}.{name}: {field!r}")


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

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    os._exit(0)
