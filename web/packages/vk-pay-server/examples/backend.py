"""python3 backend.py order NUMBER | quote NUMBER | serve"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PRICES = {"course-1": 3000}  # fen


def env(name, default=None):
    value = os.environ.get(name) or default
    if not value:
        raise SystemExit(f"{name} is not set")
    return value


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The functions never redirect, and the key is for them alone."""

    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirects)


def call(function, action, data):
    """Sends one request. What has no reply or a 5xx is sent again: only for what the API lets you repeat."""
    body = json.dumps({"url": action, "data": data}).encode()
    headers = {"authorization": "Bearer " + env("PAY_KEY"), "content-type": "application/json"}
    for pause in (0.5, 1, None):
        request = urllib.request.Request(f"{env('PAY_URL')}/{function}", body, headers)
        try:
            with OPENER.open(request, timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            if error.code < 500 or pause is None:
                raise RuntimeError(f"HTTP {error.code}: {text}") from error
        except OSError:
            if pause is None:
                raise
        time.sleep(pause)


def create_order(number):
    """The same number is the same order, however often it is sent."""
    return call("create-payment", "pay/createPayment", {
        "provider": "wxpay", "out_trade_no": number, "total_fee": PRICES["course-1"], "subject": "Course 1",
        "type": "course", "user_id": "u1", "custom": {"course_id": "course-1"}, "needQRcode": True,
    })


def quote(number):
    """Signs what a page may order by itself, for ten minutes: a JSON Web Token, HS256."""
    def encoded(part):
        return base64.urlsafe_b64encode(part).rstrip(b"=")
    claims = {"out_trade_no": number, "total_fee": PRICES["course-1"], "type": "course",
              "custom": {"course_id": "course-1"}, "exp": int(time.time()) + 600}
    signed = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(json.dumps(claims).encode())
    signature = hmac.new(env("QUOTE_SECRET").encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + encoded(signature)).decode()


class Refused(Exception):
    """Not from where deliveries come from."""


def open_delivery(body, idempotency_key):
    """Verifies a delivery. Answers the order and what to do once; raises Refused, or ValueError for what is none."""
    order = json.loads(body)
    if not isinstance(order, dict):
        raise ValueError("no object")
    key = order.pop("key", None)
    # In constant time.
    if not isinstance(key, str) or not hmac.compare_digest(key.encode(errors="replace"), env("DELIVERY_KEY").encode()):
        raise Refused("wrong key")
    number, paid = order.get("out_trade_no"), order.get("trade_state") in ("SUCCESS", "REFUND")
    if not isinstance(number, str) or type(order.get("total_fee")) is not int or not paid:
        raise ValueError("no paid order")
    expected = hashlib.sha256(number.encode(errors="replace")).hexdigest()
    if idempotency_key != expected:
        raise Refused("Idempotency-Key is not the order's")
    return order, expected


def enrol_once(key, order):
    """Does an order once. The file stands for a row of your database, in one transaction with the work."""
    if PRICES.get(str(order.get("course_id"))) != order["total_fee"]:
        return False
    done = pathlib.Path(env("DONE_DIR", "done"))
    done.mkdir(parents=True, exist_ok=True)
    try:
        (done / key).touch(exist_ok=False)
        print("enrolled", order["out_trade_no"], flush=True)
    except FileExistsError:
        pass
    return True


class Receiver(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self):
        try:
            length = int(self.headers.get("content-length", "0"))
            if not 0 <= length <= 65536:
                raise ValueError("too large")
            order, key = open_delivery(self.rfile.read(length), self.headers.get("idempotency-key"))
            taken = enrol_once(key, order)
            answer = (200, 0, "ok") if taken else (200, 1, "not the price of the course")
        except Refused as error:
            answer = (403, 403, str(error))
        except ValueError as error:
            answer = (400, 400, f"not a delivery: {error}")
        except Exception as error:  # whatever it is, the order comes again
            print(repr(error), file=sys.stderr)
            answer = (500, 1, "try again")
        status, code, msg = answer
        text = json.dumps({"code": code, "msg": msg}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "order":
        print(create_order(rest[0])["orderInfo"]["codeUrl"])  # show it as a QR code
    elif command == "quote":
        print(quote(rest[0]))
    else:
        env("DELIVERY_KEY")
        ThreadingHTTPServer(("127.0.0.1", int(env("PORT", "8080"))), Receiver).serve_forever()
