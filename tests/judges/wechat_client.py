"""PyPI wechatpayv3 as a client of the sandbox, and as the receiver of its callbacks.

Reads {keys, base, public_key} from standard input; says what was confirmed, one line each; fails at the first doubt.
"""

import json
import sys

from wechatpayv3 import WeChatPay, WeChatPayType, core

import judge

job = json.load(sys.stdin)
keys, base, notify_url = job["keys"], job["base"], "http://127.0.0.1:9/none"

# The client has no setting for the host, and certificate mode calls it in the constructor.
core.Core._gate_way = property(lambda _: base, lambda *_: None)
by_key = {"public_key": keys["wxpay_public_key"], "public_key_id": keys["wxpay_public_key_id"]}
client = WeChatPay(
    WeChatPayType.NATIVE, keys["mchid"], keys["merchant_key"], keys["merchant_serial"], keys["mp_appid"],
    keys["v3_key"], notify_url=notify_url, **(by_key if job["public_key"] else {}),
)
assert bool(client._core._certificates) != job["public_key"], "platform certificates are fetched in certificate mode"


def called(what, answer, status=200):
    code, text = answer
    assert code == status, f"{what}: {code} {text}"
    print(what)
    return json.loads(text) if text else None


def callback(number, kind, forgery=None):
    wish = {"number": number, "kind": kind, "build_only": True, "forgery": forgery}
    request = judge.control(base, "callback", wish)["request"]
    return {name.title(): value for name, value in request["headers"]}, request["body"]


def taken(number, kind, forgery=None):
    """What callback() makes of the sandbox's message; `None` when it refuses."""
    try:
        return client.callback(*callback(number, kind, forgery)) or None
    except Exception as refusal:  # pylint: disable=broad-except
        print(f"{forgery}: {refusal}")
        return None


mode = "KEY" if job["public_key"] else "CERT"
scene = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
for product, extra, field in [
    (WeChatPayType.NATIVE, {}, "code_url"),
    (WeChatPayType.JSAPI, {"payer": {"openid": "o_user_1"}}, "prepay_id"),
    (WeChatPayType.APP, {"appid": keys["app_appid"]}, "prepay_id"),
    (WeChatPayType.H5, {"scene_info": scene}, "h5_url"),
]:
    number = f"{mode}_{product.name}_1"
    made = client.pay("测试 a+b|*", number, {"total": 100}, pay_type=product, **extra)
    assert called(f"pay {product.name}", made)[field]
    judge.control(base, "pay", {"number": number, "notify": False})
    order = called(f"query {product.name}", client.query(out_trade_no=number))
    assert order["trade_state"] == "SUCCESS" and order["amount"]["total"] == 100, order
    assert called("query by id", client.query(transaction_id=order["transaction_id"])) == order
    told = taken(number, "payment")
    assert told["event_type"] == "TRANSACTION.SUCCESS" and told["resource"] == order, (told, order)
    print("payment callback")
    wish = {"refund": 30, "total": 100, "currency": "CNY"}
    made = client.refund(f"R_{number}", out_trade_no=number, amount=wish, notify_url=notify_url)
    called(f"refund {product.name}", made)
    refund = called("query refund", client.query_refund(f"R_{number}"))
    assert refund["amount"]["refund"] == 30, refund
    told = taken(number, "refund")
    assert told["event_type"].startswith("REFUND.") and told["resource"]["amount"]["refund"] == 30, told
    print("refund callback")
    for kind in ("payment", "refund"):
        for forgery in ("bad_signature", "other_key", "altered_amount", "no_signature", "sign_test", "unknown_serial",
                        "downgrade"):
            assert taken(number, kind, forgery) is None, f"{kind} {forgery}"

number = f"{mode}_CLOSE_1"
called("pay", client.pay("测试", number, {"total": 1}))
called("close", client.close(number), 204)
assert called("query closed", client.query(out_trade_no=number))["trade_state"] == "CLOSED"
client._core._private_key = judge.rsa.generate_private_key(65537, 2048)
called("a stranger is refused", client.query(out_trade_no=number), 401)
