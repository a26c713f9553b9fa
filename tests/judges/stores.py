"""PyPI app-store-server-library, PyJWT, cryptography, wechat-xpay and wechatpy as judges.

Reads {do, …} from standard input; prints what was confirmed, or a line of JSON; fails at the first doubt.
"""

import base64
import datetime
import json
import sys
import time

import jwt
from appstoreserverlibrary.api_client import APIException, AppStoreServerAPIClient
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.models.NotificationHistoryRequest import NotificationHistoryRequest
from appstoreserverlibrary.signed_data_verifier import SignedDataVerifier, VerificationException
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.oid import NameOID
from wechat_xpay.auth import calc_pay_sig, calc_signature
from wechatpy.crypto import WeChatCrypto

job = json.load(sys.stdin)


def apple_verify():
    """What the sandbox signs is Apple's form; what is altered is not."""
    root = x509.load_pem_x509_certificate(job["root"].encode())
    der = root.public_bytes(serialization.Encoding.DER)
    verifier = SignedDataVerifier([der], False, Environment.PRODUCTION, job["bundle"], job["app"])
    transaction = verifier.verify_and_decode_signed_transaction(job["transaction"])
    assert transaction.transactionId == job["transaction_id"], transaction
    assert transaction.appAccountToken == job["token"], transaction
    notification = verifier.verify_and_decode_notification(job["notification"])
    assert notification.rawNotificationType == "ONE_TIME_CHARGE", notification
    print("app-store-server-library takes the transaction and the notification")
    for spoilt in job["forged"]:
        try:
            verifier.verify_and_decode_notification(spoilt)
        except VerificationException:
            continue
        raise AssertionError("a forged notification was taken")
    print("and none of the forged ones")
    claims = jwt.decode(
        job["jwt"], ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), bytes.fromhex(job["point"])),
        algorithms=["ES256"], audience="appstoreconnect-v1", issuer=job["issuer"],
    )
    assert claims["bid"] == job["bundle"] and claims["exp"] - int(time.time()) <= 3600, claims
    assert jwt.get_unverified_header(job["jwt"]) == {"alg": "ES256", "kid": job["kid"], "typ": "JWT"}
    print("PyJWT takes the token of the App Store Server API")


def apple_history():
    """Apple's own client gets missed notifications out of the sandbox, and would have asked as we did."""
    keys, asked = job["keys"], json.loads(job["asked"])
    client = AppStoreServerAPIClient(
        keys["privateKeyContent"].encode(), keys["keyId"], keys["issuerId"], keys["bundleId"], Environment.PRODUCTION,
    )
    client._base_url = keys["apiBase"] + "/storekit"
    request = NotificationHistoryRequest(startDate=asked["startDate"], endDate=asked["endDate"], onlyFailures=True)
    written = {name: value for name, value in client._get_request_json(request).items() if value is not None}
    assert written == asked, (written, asked)
    print("Apple's client asks as we do")
    der = x509.load_pem_x509_certificate(keys["rootCertContent"].encode()).public_bytes(serialization.Encoding.DER)
    verifier = SignedDataVerifier([der], False, Environment.PRODUCTION, keys["bundleId"], keys["appAppleId"])
    token, tokens = None, []
    while True:
        page = client.get_notification_history(token, request)
        for record in page.notificationHistory:
            assert record.sendAttempts and all(sent.sendAttemptResult for sent in record.sendAttempts), record
            notification = verifier.verify_and_decode_notification(record.signedPayload)
            transaction = notification.data.signedTransactionInfo
            tokens.append(verifier.verify_and_decode_signed_transaction(transaction).appAccountToken)
        token = page.paginationToken
        if not page.hasMore:
            break
    assert sorted(tokens) == sorted(job["tokens"]), tokens
    print(f"Apple's client reads {len(tokens)} notifications")
    for start, end, code in ((0, asked["endDate"], 4000012), (2, 1, 4000013), (None, 1, 4000015), (1, None, 4000016)):
        try:
            client.get_notification_history(None, NotificationHistoryRequest(startDate=start, endDate=end))
        except APIException as refused:
            assert refused.raw_api_error == code, (start, end, refused.raw_api_error)
            continue
        raise AssertionError(f"{start} to {end} was taken")
    print("Apple's client understands the refusals")


def certificate(name, issuer, key, signer, ca, marker):
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=9)).add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(identifier, False)
    )
    if ca:
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "encipher_only", "decipher_only"), False,
        )
        builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), True)
    if marker:
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(marker), b"\x05\x00"), False)
    return builder.sign(signer, hashes.SHA384())


def apple_make():
    """A chain by cryptography, a transaction by PyJWT, in the shape that Apple's library takes itself."""
    keys = [ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())]
    leaf_key = ec.generate_private_key(ec.SECP256R1())
    root = certificate("root", None, keys[0], keys[0], True, None)
    middle = certificate("middle", root.subject, keys[1], keys[0], True, "1.2.840.113635.100.6.2.1")
    leaf = certificate("leaf", middle.subject, leaf_key, keys[1], False, "1.2.840.113635.100.6.11.1")
    der = [c.public_bytes(serialization.Encoding.DER) for c in (leaf, middle, root)]
    now = int(time.time() * 1000)
    claims = {
        "transactionId": "70001", "originalTransactionId": "70001", "bundleId": "com.example.judge",
        "productId": "coins_1", "quantity": 1, "purchaseDate": now, "signedDate": now, "type": "Consumable",
        "inAppOwnershipType": "PURCHASED", "environment": "Production",
    }
    signed = jwt.encode(claims, leaf_key, "ES256", headers={"x5c": [base64.b64encode(c).decode() for c in der]})
    verifier = SignedDataVerifier([der[2]], False, Environment.PRODUCTION, "com.example.judge", 1)
    assert verifier.verify_and_decode_signed_transaction(signed).transactionId == "70001"
    print(json.dumps({"root": root.public_bytes(serialization.Encoding.PEM).decode(), "signed": signed}))


def canonical(value):
    if isinstance(value, dict):
        kept = sorted((k, v) for k, v in value.items() if v is not None)
        return "&".join(f"{k}={canonical(v)}" for k, v in kept)
    if isinstance(value, list):
        return ",".join(canonical(v) for v in value if v is not None)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def huawei_pss():
    """The two signatures of PayMercAuth, and that of orderStr, by cryptography."""
    key = serialization.load_der_public_key(base64.b64decode(job["key"]))

    def verify(text, signature):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        key.verify(base64.b64decode(signature), text.encode(), pss, hashes.SHA256())

    for request in job["requests"]:
        auth = json.loads(request["auth"])
        signed = canonical(json.loads(request["body"])) if request["body"] else request["target"]
        verify(signed, auth["bodySign"])
        verify(canonical({k: v for k, v in auth.items() if k != "headerSign"}), auth["headerSign"])
    order = json.loads(job["order"])
    verify(canonical({k: v for k, v in order.items() if k != "sign"}), order["sign"])
    print(f"cryptography takes {len(job['requests'])} requests and the client's text")


def xpay():
    """pay_sig and signature of our calls, by wechat-xpay."""
    for request in job["requests"]:
        assert calc_pay_sig(request["uri"], request["body"], job["app_key"]) == request["pay_sig"], request
    assert calc_signature(job["sign_data"], job["session_key"]) == job["signature"]
    assert calc_pay_sig("requestVirtualPayment", job["sign_data"], job["app_key"]) == job["paySig"]
    print(f"wechat-xpay takes {len(job['requests'])} calls and the client's text")


def push():
    """Message push by wechatpy: it opens the sandbox's, and writes one for us."""
    crypto = WeChatCrypto(job["token"], job["key"], job["app_id"])
    opened = crypto.decrypt_message(job["body"], job["msg_signature"], job["timestamp"], job["nonce"])
    opened = json.loads(opened)
    assert opened["Event"] == "xpay_coin_pay_notify" and opened["OutTradeNo"] == job["number"], opened
    print("wechatpy opens the sandbox's push")
    timestamp, nonce = str(int(time.time())), "judge1234"
    sealed = crypto.encrypt_message(json.dumps(opened), nonce, timestamp)
    print(json.dumps({"xml": sealed, "timestamp": timestamp, "nonce": nonce}))


{
    "apple_verify": apple_verify, "apple_make": apple_make, "apple_history": apple_history, "huawei_pss": huawei_pss,
    "xpay": xpay, "push": push,
}[job["do"]]()
