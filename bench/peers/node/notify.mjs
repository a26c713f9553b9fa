import crypto from "node:crypto";
import { N, S, TableName, commit, history, insert, key, node, order, serve, verified } from "./common.mjs";

/** A payment callback: verify, decrypt, compare, one transaction. */
async function notify({ headers, body }) {
    if (!verified(headers, body)) return { statusCode: 401 };
    const { ciphertext, associated_data, nonce } = JSON.parse(body).resource;
    const sealed = Buffer.from(ciphertext, "base64");
    const cipher = crypto.createDecipheriv("aes-256-gcm", node.v3Key, nonce);
    cipher.setAuthTag(sealed.subarray(-16));
    cipher.setAAD(Buffer.from(associated_data));
    const paid = JSON.parse(Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]).toString());
    if (paid.mchid !== node.mchId || paid.appid !== node.appId || paid.trade_state !== "SUCCESS") return { statusCode: 400 };
    const no = paid.out_trade_no;
    const found = await order(no);
    if (found?.total_fee?.N !== String(paid.amount.total) || found.trade_state.S !== "NOTPAY") return { statusCode: 400 };
    await commit(
        {
            Update: {
                TableName,
                Key: key(`O#${no}`, "O"),
                UpdateExpression: "SET trade_state = :paid, transaction_id = :id ADD version :one REMOVE due, due_shard",
                ConditionExpression: "trade_state = :unpaid AND total_fee = :total",
                ExpressionAttributeValues: {
                    ":paid": S("SUCCESS"), ":unpaid": S("NOTPAY"), ":id": S(paid.transaction_id),
                    ":total": N(paid.amount.total), ":one": N(1),
                },
            },
        },
        insert({ ...key(`T#wxpay#${paid.transaction_id}`, "T"), kind: S("transaction"), out_trade_no: S(no) }),
        history(no, "paid"),
    );
    return { statusCode: 204, body: "" };
}

await serve(notify);
