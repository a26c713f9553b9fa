"""What merchants do besides payments, in WeChat Pay's place: transfers and their authorisations, receipts, complaints,
profit sharing, stuck refunds, balances and the fund-flow bill; and WeChat's API of mini programs for shipping and
virtual payment.

Sensitive fields are opened with wechatpayv3's `rsa_decrypt`, and sealed with its `rsa_encrypt`.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
import urllib.parse
from datetime import datetime, timedelta, timezone

from cryptography import x509
from wechatpayv3.utils import rsa_decrypt, rsa_encrypt

from judge import Refused, check, shaped

BEIJING = timezone(timedelta(hours=8))
TEXT = r"[^\x00-\x1f]{1,%d}"
NUMBER = r"[0-9A-Za-z]{1,32}"
SHARE_NUMBER = r"[0-9A-Za-z_\-|*@]{1,64}"
APPID = r"wx[0-9a-f]{16}"
OPENID = r"[\x21-\x7e]{1,64}"
URL = r"https?://[^?#]{1,240}"
SEALED = r"[A-Za-z0-9+/]{342}=="
PHONE = "13800138000"


def rfc3339():
    return datetime.now(BEIJING).isoformat(timespec="seconds")


def absent(what):
    return Refused(404, "NOT_FOUND", what, asked=True)


class Operations:
    """The books of all this."""

    def __init__(self, merchant, orders, refunds):
        self.merchant, self.orders, self.refunds = merchant, orders, refunds
        self.transfers, self.authorizations, self.receipts, self.opened = {}, {}, {}, {}
        self.complaints, self.complaint_url = {}, None
        self.shares, self.returns, self.receivers, self.shipped = {}, {}, set(), {}
        self.virtual = merchant.keys["virtual_pay"]
        self.session, self.token = base64.b64encode(secrets.token_bytes(16)).decode(), secrets.token_hex(20)
        self.files, self.address = {}, ""

    def open(self, sealed, serial, where):
        """A sensitive field, which only the key that Wechatpay-Serial names opens."""
        check(serial in self.merchant.signers, "Wechatpay-Serial of a sealed field")
        try:
            plain = rsa_decrypt(sealed, self.merchant.signers[serial])
        except ValueError as fault:
            raise Refused(400, "PARAM_ERROR", f"{where} does not open") from fault
        self.opened[where] = plain
        return plain

    def serve(self, method, segments, query, body, serial):
        """One call: the operation, its number, and the answer; `None` where it is none of these."""
        match segments:
            case ["v3", "fund-app", "mch-transfer", *rest]:
                return self.transfer(method, rest, query, body, serial)
            case ["v3", "merchant-service", *rest]:
                return self.complaint(method, rest, query, body)
            case ["v3", "profitsharing", *rest]:
                return self.sharing(method, rest, query, body, serial)
            case ["v3", "refund", "domestic", "refunds", refund_id, "apply-abnormal-refund"] if method == "POST":
                return self.abnormal(refund_id, body, serial)
            case ["v3", "merchant", "fund", "balance", account] if method == "GET":
                check(account in ("BASIC", "OPERATION", "FEES") and not query and not body, "the account")
                return "balance", account, {"available_amount": 123456, "pending_amount": 7}
            case ["v3", "bill", "fundflowbill"] if method == "GET":
                check(set(query) == {"bill_date", "account_type", "tar_type"}, "the query")
                check(re.fullmatch(r"\d{4}-\d\d-\d\d", query["bill_date"]), "bill_date")
                check(query["account_type"] in ("BASIC", "OPERATION", "FEES") and query["tar_type"] == "GZIP", "the query")
                return "fund_flow", query["bill_date"], self.offer(self.funds(), "SHA1", "&tartype=gzip")
            case ["v3", "bill", "tradebill"] if method == "GET":
                raise Refused(400, "NO_STATEMENT_EXIST", "no payment of that day", asked=True)
            case ["v3", "billdownload", "file"] if method == "GET":
                check(query["token"] in self.files, "the token", 404, "NO_STATEMENT_EXIST")
                return "file", query["token"], self.files[query["token"]]
        return None

    def offer(self, content, kind, more=""):
        token = secrets.token_hex(16)
        self.files[token] = content
        digest = hashlib.new(kind.lower().replace("-", ""), content).hexdigest()
        return {"hash_type": kind, "hash_value": digest, "download_url": f"{self.address}/v3/billdownload/file?token={token}{more}"}

    def funds(self):
        """The fund-flow bill: what authorised transfers took."""
        head = ("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
                "资金变更提交申请人,备注,业务凭证号")
        rows, total = [head], 0
        for bill in self.transfers.values():
            yuan, total = f"{bill['amount'] / 100:.2f}", total + bill["amount"]
            cells = (datetime.now(BEIJING).strftime("%Y-%m-%d %H:%M:%S"), bill["id"], secrets.token_hex(8), "企业付款",
                     "商家转账", "支出", yuan, "0.00", "system", "备注, 一", bill["number"])
            rows.append(",".join("`" + cell for cell in cells))
        rows.append("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额")
        count = len(self.transfers)
        rows.append(f"`{count}.0,`0.0,`0.00,`{count}.0,`{total / 100:.2f}")
        return ("\n".join(rows) + "\n").encode()

    # Transfers

    def transfer(self, method, rest, query, body, serial):
        check(not query, "the query")
        match [method, *rest]:
            case ["POST", "user-confirm-authorization"]:
                return self.authorize(body)
            case ["GET", "user-confirm-authorization", "out-authorization-no", number]:
                check(not body and number in self.authorizations, number, 404, "NOT_FOUND")
                return "authorization_query", number, self.authorized(number)
            case ["POST", "user-confirm-authorization", "out-authorization-no", number, "close"]:
                check(not body and number in self.authorizations, number, 404, "NOT_FOUND")
                self.close(number)
                return "authorization_close", number, self.authorized(number)
            case ["POST", "transfer-bills", "transfer"]:
                return self.pay_out(body, serial, authorized=True)
            case ["POST", "transfer-bills"]:
                return self.pay_out(body, serial, authorized=False)
            case ["GET", "transfer-bills", "out-bill-no", number]:
                check(not body, "a body")
                if number not in self.transfers:
                    raise absent(number)
                return "transfer_query", number, self.bill(number)
            case ["GET", "elecsign", "out-bill-no", number]:
                if number not in self.receipts:
                    raise absent(number)
                times = {"create_time": rfc3339(), "update_time": rfc3339()}
                return "receipt_query", number, {"state": "FINISHED", **times, **self.receipts[number]}
            case ["POST", "elecsign", "out-bill-no"]:
                wish = json.loads(body)
                shaped(wish, {"out_bill_no": NUMBER})
                check(self.transfers[wish["out_bill_no"]]["name"], "a receipt without a name")
                self.receipts[wish["out_bill_no"]] = self.offer(b"%PDF-1.4\n% " + secrets.token_bytes(64), "SHA256")
                return "receipt", wish["out_bill_no"], {"state": "GENERATING", "create_time": rfc3339()}
        return None

    def authorize(self, body):
        wish = json.loads(body)
        shaped(wish, {
            "out_authorization_no": r"[0-9A-Za-z_\-|*]{5,32}", "appid": APPID, "openid": OPENID,
            "transfer_scene_id": r"\d{4,36}", "user_display_name": TEXT % 32, "authorization_notify_url": URL,
        }, {"user_recv_perception": TEXT % 256})
        number = wish["out_authorization_no"]
        self.authorizations[number] = {**wish, "state": "WAIT_USER_CONFIRM", "created": rfc3339(), "id": None}
        return "authorize", number, {
            "out_authorization_no": number, "state": "WAIT_USER_CONFIRM", "create_time": rfc3339(),
            "package_info": "judge" + secrets.token_hex(16),
        }

    def authorized(self, number):
        own = self.authorizations[number]
        told = {name: own[name] for name in
                ("out_authorization_no", "appid", "openid", "user_display_name", "transfer_scene_id", "state")}
        told["create_time"] = own["created"]
        if own["id"]:
            told |= {"authorization_id": own["id"], "authorize_time": own["given"]}
        if own["state"] == "CLOSED":
            told["close_info"] = {"close_time": rfc3339(), "close_reason": own["why"]}
        return told

    def close(self, number, why="CLOSE_VIA_MCH_API"):
        self.authorizations[number] |= {"state": "CLOSED", "why": why}

    def pay_out(self, body, serial, authorized):
        wish = json.loads(body)
        required = {
            "appid": APPID, "out_bill_no": NUMBER, "transfer_scene_id": r"\d{4,36}", "transfer_amount": int,
            "transfer_remark": TEXT % 32,
            "transfer_scene_report_infos": [({"info_type": TEXT % 15, "info_content": TEXT % 32},)],
        }
        required |= {"out_authorization_no": NUMBER} if authorized else {"openid": OPENID}
        optional = {"user_name": SEALED, "notify_url": URL, "user_recv_perception": TEXT % 64}
        shaped(wish, required, optional)
        number = wish["out_bill_no"]
        name = self.open(wish["user_name"], serial, "user_name") if "user_name" in wish else None
        check(wish["transfer_amount"] < 200000 or name, "user_name of 2000 yuan and more")
        openid = wish.get("openid")
        if authorized:
            own = self.authorizations[wish["out_authorization_no"]]
            check(own["state"] == "TAKING_EFFECT", "an authorisation that is not given", 400, "NO_AUTH")
            openid = own["openid"]
        self.transfers.setdefault(number, {
            "number": number, "id": "1330000" + secrets.token_hex(8), "amount": wish["transfer_amount"], "name": name,
            "openid": openid, "appid": wish["appid"], "notify_url": wish.get("notify_url"), "created": rfc3339(),
            "state": "SUCCESS" if authorized else "WAIT_USER_CONFIRM", "remark": wish["transfer_remark"],
        })
        bill = self.transfers[number]
        answer = {"out_bill_no": number, "transfer_bill_no": bill["id"], "create_time": bill["created"],
                  "state": bill["state"]}
        if authorized:
            return "authorized_transfer", number, self.bill(number)
        return "transfer", number, answer | {"package_info": "judge" + secrets.token_hex(16)}

    def bill(self, number):
        bill = self.transfers[number]
        return {
            "mch_id": self.merchant.mchid, "out_bill_no": number, "transfer_bill_no": bill["id"], "appid": bill["appid"],
            "state": bill["state"], "transfer_amount": bill["amount"], "transfer_remark": bill["remark"],
            "openid": bill["openid"], "create_time": bill["created"], "update_time": rfc3339(),
        }

    # Complaints

    def complaint(self, method, rest, query, body):
        match [method, *rest]:
            case [verb, "complaint-notifications"]:
                check(not query, "the query")
                if verb == "GET":
                    if not self.complaint_url:
                        raise absent("no URL")
                    check(not body, "a body")
                else:
                    wish = json.loads(body)
                    shaped(wish, {"url": URL})
                    taken = bool(self.complaint_url) and verb == "POST"
                    if taken:
                        raise Refused(400, "INVALID_REQUEST", "there is one", asked=True)
                    check(verb in ("POST", "PUT"), "the verb")
                    self.complaint_url = wish["url"]
                return f"complaint_url_{verb}", "", {"mchid": self.merchant.mchid, "url": self.complaint_url}
            case ["GET", "complaints-v2"]:
                check(set(query) == {"limit", "offset", "begin_date", "end_date"} and not body, "the query")
                check(1 <= int(query["limit"]) <= 50, "limit")
                days = [datetime.strptime(query[name], "%Y-%m-%d") for name in ("begin_date", "end_date")]
                check(timedelta() <= days[1] - days[0] <= timedelta(days=30), "the days")
                rows = [self.complained(number) for number in self.complaints]
                return "complaints", "", {"data": rows, "limit": 50, "offset": 0, "total_count": len(rows)}
            case [_, "complaints-v2", number, *_] if number not in self.complaints:
                raise absent(number)
            case ["GET", "complaints-v2", number]:
                check(not query and not body, "the query")
                told = {**self.complained(number), "complainted_mchid": self.merchant.mchid}
                return "complaint_query", number, told
            case ["GET", "complaints-v2", number, "negotiation-historys"]:
                check(set(query) == {"limit", "offset"}, "the query")
                lines = self.complaints[number]["lines"]
                return "complaint_history", number, {"data": lines, "limit": 100, "offset": 0, "total_count": len(lines)}
            case ["POST", "complaints-v2", number, "response"]:
                wish = json.loads(body)
                shaped(wish, {"complainted_mchid": self.merchant.mchid, "response_content": TEXT % 500},
                       {"response_images": list})
                self.line(number, "商户", "MERCHANT_RESPONSE", wish["response_content"])
                self.complaints[number]["state"] = "PROCESSING"
                return "complaint_response", number, None
            case ["POST", "complaints-v2", number, "complete"]:
                shaped(json.loads(body), {"complainted_mchid": self.merchant.mchid})
                self.complaints[number]["state"] = "PROCESSED"
                return "complaint_complete", number, None
        return None

    def line(self, number, operator, kind, text):
        own = self.complaints[number]["lines"]
        own.insert(0, {"log_id": f"{number}{len(own):03}", "operator": operator, "operate_time": rfc3339(),
                       "operate_type": kind, "operate_details": text, "image_list": []})

    def complained(self, number):
        own = self.complaints[number]
        order = self.orders[own["order"]]
        certificate = x509.load_pem_x509_certificate(self.merchant.keys["merchant_cert"].encode())
        return {
            "complaint_id": number, "complaint_time": own["created"], "complaint_detail": "没有收到货",
            "complaint_state": own["state"], "payer_phone": rsa_encrypt(PHONE, certificate.public_key()),
            "complaint_order_info": [{
                "transaction_id": order["transaction_id"], "out_trade_no": order["number"], "amount": order["total"],
            }],
            "complaint_full_refunded": False, "incoming_user_response": False, "user_complaint_times": 1,
            "complaint_media_list": [], "problem_description": "其他", "problem_type": "OTHERS", "user_tag_list": ["TRUSTED"],
        }

    # Profit sharing

    def sharing(self, method, rest, query, body, serial):
        of_kind = r"MERCHANT_ID|PERSONAL_OPENID"
        match [method, *rest]:
            case ["POST", "receivers", ("add" | "delete") as what]:
                check(not query, "the query")
                wish = json.loads(body)
                required = {"appid": APPID, "type": of_kind, "account": OPENID}
                if what == "add":
                    shaped(wish, required | {"relation_type": r"[A-Z_]{1,32}"}, {"name": SEALED, "custom_relation": TEXT % 10})
                    check("name" in wish or wish["type"] != "MERCHANT_ID", "name of a merchant")
                    if "name" in wish:
                        self.open(wish["name"], serial, "name")
                    self.receivers.add(wish["account"])
                else:
                    shaped(wish, required)
                    self.receivers.discard(wish["account"])
                return f"receiver_{what}", wish["account"], {"type": wish["type"], "account": wish["account"]}
            case ["POST", "orders"]:
                wish = json.loads(body)
                receiver = ({"type": of_kind, "account": OPENID, "amount": int, "description": TEXT % 80},)
                shaped(wish, {"transaction_id": r"\d{1,32}", "out_order_no": SHARE_NUMBER, "receivers": [receiver],
                              "unfreeze_unsplit": bool}, {"appid": APPID})
                return self.share(wish, "share")
            case ["POST", "orders", "unfreeze"]:
                wish = json.loads(body)
                shaped(wish, {"transaction_id": r"\d{1,32}", "out_order_no": SHARE_NUMBER, "description": TEXT % 80})
                return self.share({**wish, "receivers": [], "unfreeze_unsplit": True}, "unfreeze")
            case ["GET", "orders", number]:
                if number not in self.shares:
                    raise absent(number)
                own = self.shares[number]
                check(query == {"transaction_id": own["transaction_id"]} and not body, "the query")
                own["state"] = "FINISHED"
                for receiver in own["receivers"]:
                    receiver["result"] = "SUCCESS"
                return "share_query", number, own
            case ["GET", "transactions", transaction_id, "amounts"]:
                check(not query and not body, "the query")
                given = sum(r["amount"] for share in self.shares.values() for r in share["receivers"])
                order = next(o for o in self.orders.values() if o.get("transaction_id") == transaction_id)
                return "unsplit", transaction_id, {
                    "transaction_id": transaction_id, "unsplit_amount": max(order["total"] - given, 0)}
            case ["POST", "return-orders"]:
                wish = json.loads(body)
                shaped(wish, {"out_order_no": SHARE_NUMBER, "out_return_no": SHARE_NUMBER, "return_mchid": r"\d{8,32}",
                              "amount": int, "description": TEXT % 80})
                check(wish["out_order_no"] in self.shares, "out_order_no", 404, "RESOURCE_NOT_EXISTS")
                self.returns[wish["out_return_no"]] = {
                    **wish, "order_id": self.shares[wish["out_order_no"]]["order_id"], "result": "PROCESSING",
                    "return_id": "3009" + secrets.token_hex(8), "create_time": rfc3339(), "finish_time": rfc3339(),
                }
                return "return", wish["out_return_no"], self.returns[wish["out_return_no"]]
            case ["GET", "return-orders", number]:
                if number not in self.returns:
                    raise absent(number)
                check(query == {"out_order_no": self.returns[number]["out_order_no"]}, "the query")
                self.returns[number]["result"] = "SUCCESS"
                return "return_query", number, self.returns[number]
        return None

    def share(self, wish, operation):
        order = next((o for o in self.orders.values() if o.get("transaction_id") == wish["transaction_id"]), None)
        check(order, "transaction_id", 404, "RESOURCE_NOT_EXISTS")
        check(all(r["account"] in self.receivers for r in wish["receivers"]), "a receiver that was not added")
        number = wish["out_order_no"]
        self.shares.setdefault(number, {
            "transaction_id": wish["transaction_id"], "out_order_no": number, "order_id": "3008" + secrets.token_hex(8),
            "state": "PROCESSING",
            "receivers": [{**r, "result": "PENDING", "detail_id": "3601" + secrets.token_hex(8), "create_time": rfc3339(),
                           "finish_time": rfc3339()} for r in wish["receivers"]],
        })
        return operation, number, self.shares[number]

    # A refund that got stuck

    def abnormal(self, refund_id, body, serial):
        wish = json.loads(body)
        entry = next((r for r in self.refunds.values() if r["refund_id"] == refund_id), None)
        check(entry and entry["status"] == "ABNORMAL", "the refund", 404, "RESOURCE_NOT_EXISTS")
        shaped(wish, {"out_refund_no": entry["number"], "type": "USER_BANK_CARD", "bank_type": r"[A-Z_]{1,16}",
                      "bank_account": SEALED, "real_name": SEALED})
        for name in ("bank_account", "real_name"):
            self.open(wish[name], serial, name)
        entry["status"] = "PROCESSING"
        order = entry["order"]
        return "abnormal", refund_id, {
            "refund_id": refund_id, "out_refund_no": entry["number"], "transaction_id": order["transaction_id"],
            "out_trade_no": order["number"], "channel": "OTHER_BANKCARD", "user_received_account": "工商银行借记卡0123",
            "create_time": entry["created"], "status": "PROCESSING",
            "amount": {"total": order["total"], "refund": entry["refund"], "payer_total": order["total"],
                       "payer_refund": entry["refund"], "settlement_refund": entry["refund"], "discount_refund": 0,
                       "settlement_total": order["total"], "currency": "CNY"},
        }

    # WeChat's API of mini programs

    def api(self, method, target, body):
        path, _, query = target.partition("?")
        query = dict(urllib.parse.parse_qsl(query, strict_parsing=bool(query)))
        if path == "/cgi-bin/stable_token":
            wish = json.loads(body)
            shaped(wish, {"grant_type": "client_credential", "appid": APPID, "secret": r".{16,64}"},
                   {"force_refresh": bool})
            return "token", wish["appid"], {"access_token": self.token, "expires_in": 7200}
        if path == "/sns/jscode2session":
            check(query.get("appid") == self.virtual["id"] and query.get("secret") == self.virtual["secret"], "the app")
            return "session", "", {"openid": "o_judge_payer", "session_key": self.session}
        check(method == "POST" and query.pop("access_token", None) == self.token, "access_token")
        if path.startswith("/xpay/"):
            return self.xpay(path, query, body)
        check(not query, "the query")
        wish = json.loads(body)
        if path == "/wxa/sec/order/upload_shipping_info":
            parcel = ({"item_desc": TEXT % 120}, {"tracking_no": TEXT % 128, "express_company": TEXT % 128, "contact": dict})
            shaped(wish, {
                "order_key": {"order_number_type": int, "transaction_id": r"\d{22,32}"}, "logistics_type": int,
                "delivery_mode": int, "shipping_list": [parcel], "upload_time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00",
                "payer": {"openid": OPENID},
            }, {"is_all_delivered": bool})
            check(wish["order_key"]["order_number_type"] == 2 and wish["logistics_type"] in (1, 2, 3, 4), "the kinds")
            self.shipped[wish["order_key"]["transaction_id"]] = wish
            return "ship", wish["order_key"]["transaction_id"], {"errcode": 0, "errmsg": "ok"}
        if path == "/wxa/sec/order/get_order":
            shaped(wish, {"transaction_id": r"\d{22,32}"})
            own = self.shipped.get(wish["transaction_id"])
            order = {"transaction_id": wish["transaction_id"], "order_state": 2 if own else 1, "in_complaint": False}
            if own:
                order["shipping"] = {
                    "delivery_mode": 1, "logistics_type": own["logistics_type"], "finish_shipping": True,
                    "finish_shipping_count": 1, "shipping_list": own["shipping_list"],
                }
            return "shipped", wish["transaction_id"], {"errcode": 0, "errmsg": "ok", "order": order}
        raise Refused(404, "NOT_FOUND", path)

    def xpay(self, path, query, body):
        """The server API of virtual payment, signed with the AppKey, and of a payer's coins with the session too."""
        signed = hmac.new(self.virtual["app_key"].encode(), path.encode() + b"&" + body, hashlib.sha256).hexdigest()
        check(hmac.compare_digest(query.pop("pay_sig", ""), signed), "pay_sig")
        name, wish = path.removeprefix("/xpay/"), json.loads(body)
        check(wish.pop("env") == 0, "env")
        if name == "query_user_balance":
            signed = hmac.new(self.session.encode(), body, hashlib.sha256).hexdigest()
            check(hmac.compare_digest(query.pop("signature", ""), signed), "signature")
            shaped(wish, {"openid": OPENID, "user_ip": r"[0-9a-f.:]{3,45}"})
            answer = {"balance": 12, "present_balance": 2, "sum_save": 10, "sum_present": 2, "sum_balance": 12,
                      "sum_cost": 0, "first_save_flag": False}
        elif name == "get_complaint_list":
            day = r"\d{4}-\d\d-\d\d"
            shaped(wish, {"begin_date": day, "end_date": day, "offset": int, "limit": int})
            answer = {"total": len(self.complaints), "complaints": [self.of_virtual(no) for no in self.complaints]}
        elif name == "get_complaint_detail":
            shaped(wish, {"complaint_id": r"\d{1,64}"})
            answer = {"complaint": self.of_virtual(wish["complaint_id"])}
        elif name == "get_negotiation_history":
            shaped(wish, {"complaint_id": r"\d{1,64}", "offset": int, "limit": int})
            lines = self.complaints[wish["complaint_id"]]["lines"]
            answer = {"total": len(lines), "history": lines}
        elif name == "response_complaint":
            shaped(wish, {"complaint_id": r"\d{1,64}", "response_content": TEXT % 200, "response_images": list})
            self.line(wish["complaint_id"], "商户", "MERCHANT_RESPONSE", wish["response_content"])
            self.complaints[wish["complaint_id"]]["state"] = "PROCESSING"
            answer = {}
        else:
            check(name == "complete_complaint", path)
            shaped(wish, {"complaint_id": r"\d{1,64}"})
            self.complaints[wish["complaint_id"]]["state"] = "PROCESSED"
            answer = {}
        check(not query, f"the query {query}")
        return f"xpay_{name}", wish.get("complaint_id", ""), {"errcode": 0, "errmsg": "ok", **answer}

    def of_virtual(self, number):
        return {**self.complained(number), "payer_phone": PHONE}

    # What the tests have happen, and what is told of it

    def happen(self, wish):
        match wish["what"]:
            case "base":
                self.address = wish["base"]
            case "complain":
                self.complaints[wish["number"]] = {
                    "order": wish["order"], "state": "PENDING", "created": rfc3339(), "lines": []}
                self.line(wish["number"], "投诉人", "USER_CREATE_COMPLAINT", "没有收到货")
            case "authorize":
                self.authorizations[wish["number"]] |= {
                    "state": "TAKING_EFFECT", "id": secrets.token_hex(12), "given": rfc3339()}
            case "revoke":
                self.close(wish["number"], "CLOSE_VIA_USER_OPERATION")
            case "confirm":
                self.transfers[wish["number"]]["state"] = "SUCCESS"
            case "opened":
                return self.opened
            case "address":
                self.complaint_url = wish["url"]
            case other:
                raise KeyError(other)
        return {}

    def notice(self, event, number):
        """An event: where to, its name, type and summary, and what is inside."""
        if event == "COMPLAINT.CREATE":
            plain = {"complaint_id": number, "action_type": "CREATE_COMPLAINT"}
            return {"url": self.complaint_url, "event": (event, "complaint", "产生新投诉"), "plain": plain}
        if event == "MCHTRANSFER.BILL.FINISHED":
            bill = self.bill(number)
            del bill["appid"], bill["transfer_remark"]
            return {"url": self.transfers[number]["notify_url"], "event": (event, "mch_payment", "商家转账单据终态通知"),
                    "plain": bill}
        check(event.startswith("MCHTRANSFER.AUTHORIZATION."), event)
        plain = self.authorized(number)
        del plain["transfer_scene_id"], plain["create_time"]
        url = self.authorizations[number]["authorization_notify_url"]
        return {"url": url, "event": (event, "mch_payment", "商家转账用户免确认收款授权通知"), "plain": plain}
