// What both Node functions need: the Runtime API's loop, the configuration, the table, WeChat Pay's signatures.

import { DynamoDBClient, GetItemCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import crypto from "node:crypto";
import http from "node:http";

const config = JSON.parse(process.env.PAY_CONFIG);
export { config };
export const node = config.wxpay.h5;
export const TableName = process.env.PAY_TABLE;
const privateKey = crypto.createPrivateKey(node.appPrivateKeyContent);
const providersKey = crypto.createPublicKey(node.wxpayPublicKeyContent);
const certificate = new crypto.X509Certificate(node.appCertContent);
if (!certificate.checkPrivateKey(privateKey)) throw new Error("the private key does not match the certificate");
export const serial = certificate.serialNumber;
const dynamodb = new DynamoDBClient({ endpoint: process.env.AWS_ENDPOINT_URL_DYNAMODB });

export const sign = (message) => crypto.sign("sha256", Buffer.from(message), privateKey).toString("base64");

/** Verifies WeChat Pay's signature over a message's raw bytes, then its age. */
export function verified(headers, body) {
    if (headers["wechatpay-serial"] !== node.wxpayPublicKeyId) return false;
    const message = `${headers["wechatpay-timestamp"]}\n${headers["wechatpay-nonce"]}\n${body}\n`;
    const signature = Buffer.from(headers["wechatpay-signature"], "base64");
    if (!crypto.verify("sha256", Buffer.from(message), providersKey, signature)) return false;
    return Math.abs(Date.now() / 1000 - Number(headers["wechatpay-timestamp"])) <= 300;
}

export const S = (text) => ({ S: text });
export const N = (number) => ({ N: String(number) });
export const key = (pk, sk) => ({ pk: S(pk), sk: S(sk) });

export async function order(no) {
    return (await dynamodb.send(new GetItemCommand({ TableName, Key: key(`O#${no}`, "O"), ConsistentRead: true }))).Item;
}

export const insert = (Item) => ({ Put: { TableName, Item, ConditionExpression: "attribute_not_exists(pk)" } });

export function history(no, what) {
    const at = Date.now();
    return insert({ ...key(`O#${no}`, `H#${at}#${what}`), kind: S("history"), what: S(what), at: N(at) });
}

export const commit = (...TransactItems) => dynamodb.send(new TransactWriteItemsCommand({ TransactItems }));

/** Asks the runtime for work, for ever. */
export async function serve(handle) {
    const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
    const agent = new http.Agent({ keepAlive: true });
    const exchange = (method, path, body) =>
        new Promise((resolve, reject) => {
            const request = http.request({ agent, hostname, port, method, path, body }, (answer) => {
                const chunks = [];
                answer.on("data", (chunk) => chunks.push(chunk));
                answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(chunks).toString() }));
            });
            request.on("error", reject);
            request.end(body);
        });
    const base = "/2018-06-01/runtime/invocation";
    for (;;) {
        const next = await exchange("GET", `${base}/next`);
        const reply = await handle(JSON.parse(next.body));
        await exchange("POST", `${base}/${next.headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(reply));
    }
}
