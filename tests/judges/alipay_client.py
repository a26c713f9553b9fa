"""PyPI python-alipay-sdk as a client of the sandbox, and as the receiver of its callbacks.

Reads {keys, base, cert} from standard input; says what was confirmed; fails at the first doubt.
"""

import json
import sys
import textwrap
import urllib.parse

from alipay import AliPay, DCAliPay

import judge

job = json.load(sys.stdin)
keys, base = job["keys"], job["base"]


def pem(label, text):
    return f"-----BEGIN {label}-----\n" + "\n".join(textwrap.wrap(text, 64)) + f"\n-----END {label}-----\n"


common = {
    "appid": keys["app_id"], "app_notify_url": "http://127.0.0.1:9/none", "sign_type": "RSA2",
    "app_private_key_string": pem("PRIVATE KEY", keys["app_private_key"]),
}
if job["cert"]:
    client = DCAliPay(
        app_public_key_cert_string=keys["app_cert"], alipay_public_key_cert_string=keys["alipay_cert"],
        alipay_root_cert_string=keys["alipay_root_cert"], **common,
    )
else:
    client = AliPay(alipay_public_key_string=pem("PUBLIC KEY", keys["alipay_public_key"]), **common)
client._gateway = f"{base}/gateway.do"

number = "PY_CERT_1" if job["cert"] else "PY_KEY_1"
made = client.api_alipay_trade_precreate(subject="测试 a+b", out_trade_no=number, total_amount="1.00")
assert made["code"] == "10000" and made["qr_code"], made
judge.control(base, "pay", {"number": number, "notify": False})
found = client.api_alipay_trade_query(out_trade_no=number)
assert found["trade_status"] == "TRADE_SUCCESS", found
refunded = client.api_alipay_trade_refund(refund_amount="0.30", out_trade_no=number, out_request_no="R1")
assert refunded["refund_fee"] == "0.30", refunded
print("precreate, query and refund")
for kind in ("payment", "refund"):
    for forgery in (None, "bad_signature", "other_key", "altered_amount"):
        wish = {"number": number, "kind": kind, "build_only": True, "forgery": forgery}
        fields = dict(urllib.parse.parse_qsl(judge.control(base, "callback", wish)["request"]["body"]))
        assert client.verify(fields, fields.pop("sign")) == (forgery is None), (kind, forgery)
    print(f"{kind} callback")
