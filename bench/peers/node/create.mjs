import crypto from "node:crypto";
import { N, S, TableName, commit, config, history, insert, key, node, order, serial, serve, sign, verified } from "./common.mjs";

const same = (a, b) => a.length === b.length && crypto.timingSafeEqual(Buffer.from(a), Buffer.from(b));

/** An order by QR code: who calls, is the number free, the order, the signed request, its parameters. */
async function create({ headers, body }) {
    const given = (headers.authorization ?? "").replace(/^Bearer /, "");
    if (!Object.values(config.auth.keys).some((known) => same(known, given))) return { statusCode: 401 };
    const wanted = JSON.parse(body);
    const no = wanted.out_trade_no;
    if (await order(no)) return { statusCode: 409 };
    const now = Date.now();
    const made = {
        ...key(`O#${no}`, "O"), kind: S("order"), out_trade_no: S(no), subject: S(wanted.subject), type: S(wanted.type),
        user_id: S(wanted.user_id), trade_state: S("NOTPAY"), provider: S("wxpay"), pay_type: S("wxpay_h5"),
        list_key: S(`user#${wanted.user_id}`), list_date: N(now), due_shard: S("0"), due: N(now + 5000),
        total_fee: N(wanted.total_fee), create_date: N(now),
    };
    await commit(insert(made), history(no, "created"));
    const url = await codeUrl(wanted, now);
    await commit(
        {
            Update: {
                TableName,
                Key: key(`O#${no}`, "O"),
                UpdateExpression: "SET fresh_until = :until ADD version :one",
                ConditionExpression: "trade_state = :unpaid",
                ExpressionAttributeValues: { ":unpaid": S("NOTPAY"), ":until": N(now + 7_200_000), ":one": N(1) },
            },
        },
        history(no, "parameters"),
        { Put: { TableName, Item: { ...key(`O#${no}`, "P#1"), kind: S("parameters"), code_url: S(url) } } },
    );
    const answer = { code: 0, out_trade_no: no, total_fee: wanted.total_fee, orderInfo: { codeUrl: url } };
    return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(answer) };
}

/** Makes the order at WeChat Pay and verifies its answer. */
async function codeUrl(wanted, now) {
    const path = "/v3/pay/transactions/native";
    const body = JSON.stringify({
        appid: node.appId, mchid: node.mchId, description: wanted.subject, out_trade_no: wanted.out_trade_no,
        time_expire: new Date(now + 7_200_000).toISOString().replace(/\.\d+Z/, "+00:00"),
        notify_url: `${config.notifyUrl}/pay-notify/wxpay/default`,
        amount: { total: wanted.total_fee, currency: "CNY" },
    });
    const nonce = crypto.randomBytes(16).toString("hex").toUpperCase();
    const timestamp = Math.floor(now / 1000);
    const signature = sign(`POST\n${path}\n${timestamp}\n${nonce}\n${body}\n`);
    const authorization = `WECHATPAY2-SHA256-RSA2048 mchid="${node.mchId}",nonce_str="${nonce}",signature="${signature}",timestamp="${timestamp}",serial_no="${serial}"`;
    const answer = await fetch(node.apiBase + path, {
        method: "POST",
        headers: {
            authorization, accept: "application/json", "content-type": "application/json", "user-agent": "bench",
            "wechatpay-serial": node.wxpayPublicKeyId,
        },
        body,
    });
    const text = await answer.text();
    if (!verified(Object.fromEntries(answer.headers), text)) throw new Error(`not WeChat Pay's answer: ${text}`);
    return JSON.parse(text).code_url;
}

await serve(create);
