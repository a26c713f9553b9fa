"""WeChat Pay, APIv3 and APIv2, as `cryptography` and wechatpy understand it.

It verifies every request of ours by its raw bytes and by its shape, answers signed, and sends callbacks, genuine and
forged. What it found wrong is in `/judge/verdicts`.
"""

import base64
import hashlib
import json
import re
import secrets
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpy.pay.utils import calculate_signature, calculate_signature_hmac, dict_to_xml

import judge
import wechat_operations
from judge import Refused, check, shaped

SCHEME = "WECHATPAY2-SHA256-RSA2048"
BEIJING = timezone(timedelta(hours=8))
NUMBER = re.compile(r"[0-9A-Za-z_\-|*]{6,32}\Z")


def rfc3339():
    return datetime.now(BEIJING).isoformat(timespec="seconds")


class Merchant:
    """The keys of both sides."""

    def __init__(self, keys):
        self.keys = keys
        self.mchid = keys["mchid"]
        self.appids = {keys["mp_appid"], keys["app_appid"], keys["web_appid"]}
        certificate = x509.load_pem_x509_certificate(keys["merchant_cert"].encode())
        self.serial = f"{certificate.serial_number:X}"
        self.public = certificate.public_key()
        self.key_id = keys["wxpay_public_key_id"]
        platform = x509.load_pem_x509_certificate(keys["platform_cert"].encode())
        self.platform_serial = f"{platform.serial_number:X}"
        self.signers = {
            self.key_id: load_pem_private_key(keys["wxpay_key"].encode(), None),
            self.platform_serial: load_pem_private_key(keys["platform_key"].encode(), None),
        }
        self.stranger = judge.rsa.generate_private_key(65537, 2048)
        self.gcm = AESGCM(keys["v3_key"].encode())
        self.sdk = WeChatPay(
            WeChatPayType.JSAPI, self.mchid, keys["merchant_key"], self.serial, keys["mp_appid"], keys["v3_key"],
            public_key=keys["wxpay_public_key"], public_key_id=self.key_id,
        )

    def seal(self, plain, kind):
        nonce = secrets.token_hex(6)
        sealed = self.gcm.encrypt(nonce.encode(), plain, kind.encode())
        return {
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": kind,
            "nonce": nonce,
        }

    def headers(self, body, serial, key=None, age=0):
        """The five headers over a body."""
        timestamp, nonce = str(int(time.time()) - age), secrets.token_hex(16)
        message = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": serial,
            "Wechatpay-Signature": judge.sign(key or self.signers[serial], message),
            "Wechatpay-Signature-Type": SCHEME,
        }


merchant = operations = None
orders, refunds, verdicts = {}, {}, []
lock = threading.Lock()


# APIv3


def authorized(method, target, headers, body):
    """Verifies Authorization over the bytes as they came; answers whom to sign the answer for."""
    header = headers.get("Authorization", "")
    check(header.startswith(SCHEME + " "), "the scheme", 401, "SIGN_ERROR")
    pairs = re.findall(r'(\w+)="([^"]*)"', header)
    fields = dict(pairs)
    plain = SCHEME + " " + ",".join(f'{name}="{value}"' for name, value in pairs)
    check(plain == header, "the form of Authorization", 401, "SIGN_ERROR")
    names = ["mchid", "nonce_str", "serial_no", "signature", "timestamp"]
    check(sorted(name for name, _ in pairs) == names, "the fields of Authorization", 401, "SIGN_ERROR")
    check(fields["mchid"] == merchant.mchid, "mchid", 401, "SIGN_ERROR")
    check(fields["serial_no"] == merchant.serial, "serial_no", 401, "SIGN_ERROR")
    check(abs(time.time() - int(fields["timestamp"])) < 300, "timestamp", 401, "SIGN_ERROR")
    check(re.fullmatch(r"[0-9A-Za-z]{16,32}", fields["nonce_str"]), "nonce_str", 401, "SIGN_ERROR")
    lines = f"{method}\n{target}\n{fields['timestamp']}\n{fields['nonce_str']}\n".encode() + body + b"\n"
    check(judge.verifies(merchant.public, lines, fields["signature"]), "the signature", 401, "SIGN_ERROR")
    file = target.startswith("/v3/billdownload/")
    check(headers.get("Accept") == ("*/*" if file else "application/json"), "Accept", code="INVALID_REQUEST")
    check(headers.get("User-Agent"), "User-Agent", code="INVALID_REQUEST")
    check(not body or headers.get("Content-Type") == "application/json", "Content-Type", code="INVALID_REQUEST")
    wanted = headers.get("Wechatpay-Serial")
    check(wanted in (None, *merchant.signers), "Wechatpay-Serial", code="INVALID_REQUEST")
    return wanted or merchant.platform_serial


def create(product, body):
    order = json.loads(body)
    required = {
        "appid": r"wx[0-9a-f]{16}",
        "mchid": r"\d{10}",
        "description": r"[^\x00-\x1f]{1,127}",
        "out_trade_no": r"[0-9A-Za-z_\-|*]{6,32}",
        "notify_url": r"https?://[^?#]{1,240}",
        "amount": {"total": int, "currency": "CNY"},
    }
    optional = {
        "time_expire": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+08:00", "attach": r".{0,128}", "goods_tag": r".{0,32}",
        "detail": dict, "settle_info": dict, "support_fapiao": bool, "limit_pay": list,
    }
    if product == "jsapi":
        required["payer"] = {"openid": r"[\x21-\x7e]{1,128}"}
    if product == "h5":
        required["scene_info"] = dict
    shaped(order, required, optional)
    if product == "h5":
        shaped(order["scene_info"], {"payer_client_ip": r"[0-9a-f.:]{3,45}", "h5_info": dict}, where="scene_info")
        names = {name: str for name in ("app_name", "app_url", "bundle_id", "package_name")}
        shaped(order["scene_info"]["h5_info"], {"type": r"Wap|iOS|Android"}, names, where="h5_info")
    check(order["mchid"] == merchant.mchid and order["appid"] in merchant.appids, "mchid and appid",
          code="APPID_MCHID_NOT_MATCH")
    if "time_expire" in order:
        ahead = datetime.fromisoformat(order["time_expire"]).timestamp() - time.time()
        check(50 < ahead <= 7 * 86400, "time_expire")
    number = order["out_trade_no"]
    check(number not in orders, "out_trade_no", 403, "OUT_TRADE_NO_USED")
    prepay_id = "wx" + secrets.token_hex(17)
    orders[number] = {
        "number": number, "product": product, "appid": order["appid"], "total": order["amount"]["total"],
        "state": "NOTPAY", "prepay_id": prepay_id, "notify_url": order["notify_url"],
        "openid": order.get("payer", {}).get("openid", "o_judge"),
    }
    return number, {
        "native": {"code_url": f"weixin://wxpay/bizpayurl?pr={secrets.token_hex(4)}"},
        "h5": {"h5_url": f"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package=1"},
    }.get(product, {"prepay_id": prepay_id})


def order_object(order):
    what = {
        "appid": order["appid"], "mchid": merchant.mchid, "out_trade_no": order["number"],
        "trade_state": order["state"], "trade_state_desc": "状态", "amount": {"total": order["total"], "currency": "CNY"},
    }
    if "paid" in order:
        what |= {
            "transaction_id": order["transaction_id"], "success_time": order["paid"], "bank_type": "OTHERS",
            "trade_type": {"h5": "MWEB"}.get(order["product"], order["product"].upper()),
            "payer": {"openid": order["openid"]}, "attach": "",
        }
        what["amount"] |= {"payer_total": order["total"], "payer_currency": "CNY"}
    return what


def known(number):
    check(number in orders, number, 404, "ORDER_NOT_EXIST")
    return orders[number]


def refund(body):
    wish = json.loads(body)
    shaped(wish, {
        "transaction_id": r"\d{1,32}",
        "out_refund_no": r"[0-9A-Za-z_\-|*@]{1,64}",
        "notify_url": r"https?://[^?#]{1,240}",
        "amount": {"refund": int, "total": int, "currency": "CNY"},
    }, {"reason": r".{1,80}"})
    order = next((o for o in orders.values() if o.get("transaction_id") == wish["transaction_id"]), None)
    check(order, "transaction_id", 404, "RESOURCE_NOT_EXISTS")
    return wish["out_refund_no"], refund_object(add_refund(
        order, wish["out_refund_no"], wish["amount"]["refund"], wish["amount"]["total"], wish["notify_url"]))


def add_refund(order, number, amount, total, notify_url):
    check(total == order["total"], "the total")
    taken = sum(r["refund"] for r in refunds.values() if r["order"] is order)
    check(0 < amount <= order["total"] - taken, "the amount", 403, "NOT_ENOUGH")
    check(number not in refunds, "out_refund_no", 403, "OUT_REFUND_NO_USED")
    refunds[number] = {
        "order": order, "number": number, "refund": amount, "notify_url": notify_url, "status": "PROCESSING",
        "refund_id": "50" + secrets.token_hex(8), "created": rfc3339(),
    }
    order["state"] = "REFUND"
    return refunds[number]


def refund_object(entry):
    order = entry["order"]
    what = {
        "refund_id": entry["refund_id"], "out_refund_no": entry["number"], "out_trade_no": order["number"],
        "transaction_id": order["transaction_id"], "channel": "ORIGINAL", "user_received_account": "零钱",
        "create_time": entry["created"], "status": entry["status"],
        "amount": {
            "total": order["total"], "refund": entry["refund"], "payer_total": order["total"],
            "payer_refund": entry["refund"], "settlement_refund": entry["refund"], "settlement_total": order["total"],
            "discount_refund": 0, "currency": "CNY",
        },
    }
    if entry["status"] == "SUCCESS":
        what["success_time"] = entry["settled"]
    return what


def certificates():
    sealed = merchant.seal(merchant.keys["platform_cert"].encode(), "certificate")
    return {"data": [{
        "serial_no": merchant.platform_serial, "effective_time": "2020-01-01T00:00:00+08:00",
        "expire_time": "2049-01-01T00:00:00+08:00", "encrypt_certificate": sealed,
    }]}


def route_v3(method, target, body, sealed_to):
    """The operation, its number, and the answer; `None` is 204."""
    path, _, query = target.partition("?")
    query = dict(urllib.parse.parse_qsl(query, strict_parsing=bool(query)))
    segments = [urllib.parse.unquote(s) for s in path.split("/")[1:]]
    match [method, *segments]:
        case ["POST", "v3", "pay", "transactions", ("native" | "jsapi" | "app" | "h5") as product]:
            return "create", *create(product, body)
        case ["GET", "v3", "pay", "transactions", "out-trade-no", number]:
            check(query == {"mchid": merchant.mchid} and not body, "the query")
            return "query", number, order_object(known(number))
        case ["POST", "v3", "pay", "transactions", "out-trade-no", number, "close"]:
            check(json.loads(body) == {"mchid": merchant.mchid} and not query, "the body")
            known(number)["state"] = "CLOSED"
            return "close", number, None
        case ["POST", "v3", "refund", "domestic", "refunds"]:
            return "refund", *refund(body)
        case ["GET", "v3", "refund", "domestic", "refunds", number]:
            check(not query and number in refunds, number, 404, "RESOURCE_NOT_EXISTS")
            return "refund_query", number, refund_object(refunds[number])
        case ["GET", "v3", "certificates"]:
            return "certificates", "", certificates()
    done = operations.serve(method, segments, query, body, sealed_to)
    if done:
        return done
    raise Refused(404, "NOT_FOUND", f"{method} {target}")


def answer_v3(method, target, headers, body):
    try:
        serial = authorized(method, target, headers, body)
        sealed_to = headers.get("Wechatpay-Serial") or serial
        operation, number, answer = route_v3(method, target, body, sealed_to)
    except (Refused, ValueError) as fault:
        # That something is not there is asked, and no fault.
        asked = isinstance(fault, Refused) and fault.asked
        verdicts.append({"op": f"{method} {target}", "number": "", "fault": None if asked else str(fault)})
        status, code = (fault.status, fault.code) if isinstance(fault, Refused) else (400, "PARAM_ERROR")
        text = json.dumps({"code": code, "message": str(fault)}).encode()
        return status, {"Content-Type": "application/json"}, text
    verdicts.append({"op": operation, "number": number, "fault": None})
    if isinstance(answer, bytes):
        return 200, {"Content-Type": "text/plain"}, answer
    text = b"" if answer is None else json.dumps(answer).encode()
    signed = {"Content-Type": "application/json; charset=utf-8", **merchant.headers(text, serial)}
    return 204 if answer is None else 200, signed, text


def answer_api(method, target, body):
    """WeChat's own API of mini programs: no signature of the merchant, but a token, and those of virtual payment."""
    try:
        operation, number, answer = operations.api(method, target, body)
        verdicts.append({"op": operation, "number": number, "fault": None})
    except (Refused, ValueError) as fault:
        verdicts.append({"op": f"{method} {target.split('?')[0]}", "number": "", "fault": str(fault)})
        answer = {"errcode": 47001, "errmsg": str(fault)}
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


# APIv2


def sign_v2(fields, hmac, key=None):
    fields = {name: value for name, value in fields.items() if name != "sign"}
    return (calculate_signature_hmac if hmac else calculate_signature)(fields, key or merchant.keys["v2_key"])


V2_FIELDS = {
    "unifiedorder": ("appid mch_id nonce_str sign body out_trade_no total_fee spbill_create_ip notify_url trade_type",
                     "sign_type detail attach fee_type time_start time_expire goods_tag product_id limit_pay openid "
                     "receipt scene_info profit_sharing"),
    "orderquery": ("appid mch_id nonce_str sign out_trade_no", "sign_type"),
    "closeorder": ("appid mch_id nonce_str sign out_trade_no", "sign_type"),
    "refund": ("appid mch_id nonce_str sign transaction_id out_refund_no total_fee refund_fee",
               "sign_type refund_fee_type refund_desc refund_account notify_url"),
    "refundquery": ("appid mch_id nonce_str sign out_refund_no", "sign_type offset"),
}


def desk_v2(operation, fields):
    """The operation's name as APIv3's, its number, and the answer's own fields."""
    if operation == "unifiedorder":
        number, kind = fields["out_trade_no"], fields["trade_type"]
        check(NUMBER.match(number) and number not in orders, "out_trade_no")
        check(re.fullmatch(r"[1-9]\d*", fields["total_fee"]), "total_fee")
        check(len(fields["body"].encode()) <= 128, "body")
        check("time_expire" not in fields or re.fullmatch(r"\d{14}", fields["time_expire"]), "time_expire")
        needs = {"JSAPI": "openid", "NATIVE": "product_id", "MWEB": "scene_info", "APP": "body"}
        check(needs.get(kind, "?") in fields, "trade_type")
        if kind == "MWEB":
            shaped(json.loads(fields["scene_info"])["h5_info"], {"type": str, "wap_url": str, "wap_name": str})
        prepay_id = "wx" + secrets.token_hex(17)
        orders[number] = {
            "number": number, "product": kind, "appid": fields["appid"], "total": int(fields["total_fee"]),
            "state": "NOTPAY", "prepay_id": prepay_id, "notify_url": fields["notify_url"],
            "openid": fields.get("openid", "o_judge"), "hmac": fields.get("sign_type") == "HMAC-SHA256",
        }
        made = {"trade_type": kind, "prepay_id": prepay_id}
        if kind == "NATIVE":
            made["code_url"] = "weixin://wxpay/bizpayurl?pr=" + secrets.token_hex(4)
        if kind == "MWEB":
            made["mweb_url"] = f"https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package=1"
        return "create", number, made
    if operation == "refund":
        order = next(o for o in orders.values() if o.get("transaction_id") == fields["transaction_id"])
        entry = add_refund(order, fields["out_refund_no"], int(fields["refund_fee"]), int(fields["total_fee"]),
                           fields["notify_url"])
        return "refund", entry["number"], {
            "transaction_id": order["transaction_id"], "out_trade_no": order["number"],
            "out_refund_no": entry["number"], "refund_id": entry["refund_id"], "refund_fee": entry["refund"],
            "total_fee": order["total"], "cash_fee": order["total"],
        }
    if operation == "refundquery":
        entry = refunds[fields["out_refund_no"]]
        order = entry["order"]
        return "refund_query", entry["number"], {
            "transaction_id": order["transaction_id"], "out_trade_no": order["number"], "total_fee": order["total"],
            "cash_fee": order["total"], "refund_count": 1, "out_refund_no_0": entry["number"],
            "refund_id_0": entry["refund_id"], "refund_fee_0": entry["refund"], "refund_status_0": entry["status"],
        }
    order = known(fields["out_trade_no"])
    if operation == "closeorder":
        order["state"] = "CLOSED"
        return "close", order["number"], {}
    return "query", order["number"], paid_fields_v2(order) | {"trade_state": order["state"]}


def paid_fields_v2(order):
    fields = {"out_trade_no": order["number"], "trade_type": order["product"], "total_fee": order["total"],
              "fee_type": "CNY", "openid": order["openid"], "is_subscribe": "N"}
    if "paid" in order:
        fields |= {"transaction_id": order["transaction_id"], "bank_type": "OTHERS", "cash_fee": order["total"],
                   "time_end": re.sub(r"\D", "", order["paid"][:19])}
    return fields


def answer_v2(method, target, headers, body):
    kind = {"Content-Type": "text/plain"}
    try:
        check(method == "POST", "the method")
        operation = target.removeprefix("/secapi").removeprefix("/pay/")
        check(operation in V2_FIELDS and target.startswith("/secapi/") == (operation == "refund"), "the path")
        root = ElementTree.fromstring(body)
        fields = {element.tag: element.text or "" for element in root}
        check(root.tag == "xml" and len(fields) == len(root), "the document")
        required, optional = (names.split() for names in V2_FIELDS[operation])
        check(set(required) <= set(fields) <= set(required + optional), f"the fields {sorted(fields)}")
        check(all(fields.values()), "an empty field")
        check(fields["mch_id"] == merchant.mchid and fields["appid"] in merchant.appids, "mch_id and appid")
        check(re.fullmatch(r"[0-9A-Za-z]{16,32}", fields["nonce_str"]), "nonce_str")
        hmac = fields.get("sign_type", "MD5") == "HMAC-SHA256"
        check(fields["sign"] == sign_v2(fields, hmac), "the sign")
        operation, number, made = desk_v2(operation, fields)
    except (Refused, ValueError, KeyError, StopIteration, ElementTree.ParseError) as fault:
        verdicts.append({"op": f"{method} {target}", "number": "", "fault": repr(fault)})
        return 200, kind, dict_to_xml({"return_code": "FAIL", "return_msg": str(fault)}).encode()
    verdicts.append({"op": operation, "number": number, "fault": None, "sign_type": fields.get("sign_type")})
    made |= {"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": fields["appid"], "mch_id": merchant.mchid,
             "nonce_str": secrets.token_hex(16)}
    return 200, kind, dict_to_xml(made, sign_v2(made, hmac)).encode()


# Callbacks


def stirred(text):
    """base64 with one bit of its first byte turned over."""
    raw = bytearray(base64.b64decode(text))
    raw[0] ^= 1
    return base64.b64encode(raw).decode()


def callback_v3(event, kind, summary, plain, serial, forgery):
    resource = {"original_type": kind, **merchant.seal(json.dumps(plain).encode(), kind)}
    message = {
        "id": secrets.token_hex(16), "create_time": rfc3339(), "resource_type": "encrypt-resource",
        "event_type": event, "summary": summary, "resource": resource,
    }
    body = json.dumps(message).encode()
    headers = merchant.headers(body, serial)
    if forgery == "other key":
        headers = merchant.headers(body, serial, merchant.stranger)
    elif forgery == "unknown serial":
        headers = merchant.headers(body, secrets.token_hex(20).upper(), merchant.stranger)
    elif forgery in ("old", "from the future"):
        headers = merchant.headers(body, serial, age=600 if forgery == "old" else -600)
    elif forgery in ("altered", "altered and signed"):
        resource["ciphertext"] = stirred(resource["ciphertext"])
        body = json.dumps(message).encode()
        if forgery == "altered and signed":
            headers = merchant.headers(body, serial)
    elif forgery == "other text":
        body = body.replace(b'": "', b'":"')
    else:
        check(forgery is None, "no such forgery")
    return {"Content-Type": "application/json", **headers}, body


def callback_v2(fields, inner, hmac, forgery):
    fields |= {"return_code": "SUCCESS", "mch_id": merchant.mchid, "nonce_str": secrets.token_hex(16)}
    key = secrets.token_hex(16) if forgery == "other key" else merchant.keys["v2_key"]
    check(forgery in (None, "other key", "altered"), "no such forgery")
    if inner is None:
        fields["result_code"] = "SUCCESS"
        sign = sign_v2(fields, hmac, key)
        if forgery == "altered":
            fields["total_fee"] += 1
        body = dict_to_xml(fields, sign)
    else:
        padder = block_padding.PKCS7(128).padder()
        plain = dict_to_xml(inner).replace("<xml>", "<root>").replace("</xml>", "</root>").encode()
        cipher = Cipher(algorithms.AES(hashlib.md5(key.encode()).hexdigest().encode()), modes.ECB()).encryptor()
        sealed = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
        sealed = base64.b64encode(sealed).decode()
        body = dict_to_xml(fields | {"req_info": stirred(sealed) if forgery == "altered" else sealed})
    return {"Content-Type": "text/xml; charset=utf-8"}, body.encode()


def payment_callback(order, forgery, serial):
    if "hmac" in order:
        fields = paid_fields_v2(order) | {"appid": order["appid"]}
        return order["notify_url"], *callback_v2(fields, None, order["hmac"], forgery)
    plain = order_object(order) | {"trade_state": "SUCCESS"}
    return order["notify_url"], *callback_v3("TRANSACTION.SUCCESS", "transaction", "支付成功", plain, serial, forgery)


def refund_callback(entry, forgery, serial):
    order = entry["order"]
    entry |= {"status": "SUCCESS", "settled": rfc3339()}
    if "hmac" in order:
        inner = {
            "out_refund_no": entry["number"], "out_trade_no": order["number"], "refund_id": entry["refund_id"],
            "transaction_id": order["transaction_id"], "refund_fee": entry["refund"], "total_fee": order["total"],
            "settlement_refund_fee": entry["refund"], "settlement_total_fee": order["total"],
            "refund_status": "SUCCESS", "refund_account": "REFUND_SOURCE_UNSETTLED_FUNDS",
            "refund_recv_accout": "支付用户零钱", "refund_request_source": "API",
            "success_time": entry["settled"][:19].replace("T", " "),
        }
        return entry["notify_url"], *callback_v2({"appid": order["appid"]}, inner, order["hmac"], forgery)
    plain = refund_object(entry) | {"mchid": merchant.mchid, "refund_status": "SUCCESS"}
    for name in ("status", "channel", "create_time"):
        del plain[name]
    return entry["notify_url"], *callback_v3("REFUND.SUCCESS", "refund", "退款成功", plain, serial, forgery)


# What the tests say


def invocation(wish):
    """Whether the parameters that a client gets are signed as WeChat will check them."""
    order, params = orders[wish["number"]], wish["params"]
    app = "partnerid" in params
    package = order["prepay_id"] if app else f"prepay_id={order['prepay_id']}"
    if "hmac" in order:
        given = params["sign" if app else "paySign"]
        signed = {name: value for name, value in params.items() if name not in ("sign", "paySign")}
        right = given == sign_v2(signed, order["hmac"])
    else:
        names = ("appid", "timestamp", "noncestr") if app else ("appId", "timeStamp", "nonceStr")
        lines = [params[name] for name in names] + [package]
        given = params["sign" if app else "paySign"]
        four = "".join(line + "\n" for line in lines).encode()
        right = merchant.sdk.sign(lines) == given and judge.verifies(merchant.public, four, given)
    if app:
        shape = {"appid": order["appid"], "partnerid": merchant.mchid, "prepayid": order["prepay_id"],
                 "package": "Sign=WXPay"}
    else:
        kind = "RSA" if "hmac" not in order else "HMAC-SHA256" if order["hmac"] else "MD5"
        shape = {"appId": order["appid"], "package": package, "signType": kind}
    return {"signed": right, "shaped": shape.items() <= params.items()}


def told(path, wish):
    global merchant, operations  # pylint: disable=global-statement
    if path == "/judge/keys":
        merchant = Merchant(wish)
        operations = wechat_operations.Operations(merchant, orders, refunds)
        return {}
    if path == "/judge/pay":
        order = orders[wish["number"]]
        digits = str(secrets.randbelow(10**18)).zfill(18)
        order |= {"state": "SUCCESS", "paid": rfc3339(), "transaction_id": "4200" + digits}
        return {}
    if path == "/judge/settle":
        refunds[wish["number"]] |= {"status": wish.get("status", "SUCCESS"), "settled": rfc3339()}
        return {}
    if path == "/judge/happen":
        return operations.happen(wish)
    if path == "/judge/callback":
        serial = merchant.key_id if wish["public_key"] else merchant.platform_serial
        if "event" in wish:
            told = operations.notice(wish["event"], wish["number"])
            return judge.post(told["url"], *callback_v3(*told["event"], told["plain"], serial, wish["forgery"]))
        build, what = (refund_callback, refunds) if wish["refund"] else (payment_callback, orders)
        return judge.post(*build(what[wish["number"]], wish["forgery"], serial))
    if path == "/judge/invocation":
        return invocation(wish)
    if path == "/judge/verdicts":
        return verdicts
    raise KeyError(path)


def answer(method, target, headers, body):
    if target.startswith("/judge/"):
        return 200, {"Content-Type": "application/json"}, json.dumps(told(target, json.loads(body))).encode()
    with lock:
        if target.startswith(("/xpay/", "/wxa/", "/sns/", "/cgi-bin/")):
            return answer_api(method, target, body)
        return (answer_v3 if target.startswith("/v3/") else answer_v2)(method, target, headers, body)


judge.serve(answer)
