#!/usr/bin/env bash
# The main job by curl, for every pay type: create, pay at the simulated wallet, credited once, refunded twice in
# part, and the third refund refused. Usage: tests/curl.sh [target/debug/vk-pay]
set -euo pipefail
program=${1:-target/debug/vk-pay}
folder=$(mktemp -d)
"$program" --port 0 --data-dir "$folder/data" >"$folder/out" 2>"$folder/log" &
process=$!
trap 'kill $process 2>/dev/null; wait $process 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 200); do
    grep -q 'Ctrl-C' "$folder/out" && break
    sleep 0.1
done
base=$(grep -o 'http://127.0.0.1:[0-9]*' "$folder/out" | head -n 1)
key=$(grep -o 'Bearer [^'"'"']*' "$folder/out" | head -n 1)

# post FUNCTION DATA: the reply's body, then its HTTP status on a line of its own.
post() {
    curl -s -w '\n%{http_code}' "$base/$1" -H "authorization: $key" -H 'content-type: application/json' -d "$2"
}
expect() {
    local what=$1 pattern=$2 text=$3
    grep -q -- "$pattern" <<<"$text" || { printf 'FAILED: %s: no %s in %s\n' "$what" "$pattern" "$text"; exit 1; }
}

passed=0
life() {
    local name=$1 data=$2 no="CURL_${1//-/_}" reply token
    local order='"out_trade_no":"'$no'","total_fee":100,"subject":"Recharge","type":"recharge","user_id":"demo-user"'
    reply=$(post create-payment "{$order,$data}")
    expect "$name created" '"code":0' "$reply"
    if [[ $reply != *'"trade_state":"SUCCESS"'* ]]; then
        token=$(curl -s "$base/sandbox/cashier/$no" | sed -n 's/.*name="_token" value="\([0-9a-f]*\)".*/\1/p' | head -n 1)
        curl -s -o /dev/null "$base/sandbox/cashier/$no" -d "_token=$token" -d how=pay
    fi
    reply=$(post query-payment '{"out_trade_no":"'"$no"'","await_notify":true}')
    expect "$name paid" '"trade_state":"SUCCESS"' "$reply"
    expect "$name delivered" '"user_order_success":true' "$reply"
    if [[ $name == appleiap* ]]; then
        expect "$name refund" '"code":2005' "$(post refund '{"out_trade_no":"'"$no"'"}')"
        echo "ok  $name"
        passed=$((passed + 1))
        return
    fi
    for amount in 30 20; do
        expect "$name refunded" '"code":0' "$(post refund '{"out_trade_no":"'"$no"'","refund_fee":'$amount'}')"
    done
    expect "$name over-refund" '^409$' "$(post refund '{"out_trade_no":"'"$no"'","refund_fee":51}')"
    echo "ok  $name"
    passed=$((passed + 1))
}

for merchant in default v2; do
    for node in mp-weixin h5-weixin app-plus h5 mweb; do
        life "wxpay-$node-$merchant" '"provider":"wxpay","pid":"'$merchant'","vk_platform":"'$node'","openid":"o_demo_user"'
    done
done
life wxpay-codepay '"provider":"wxpay","auth_code":"130000000000000001"'
for merchant in default cert; do
    for node in mp-alipay app-plus h5 pc wap; do
        life "alipay-$node-$merchant" '"provider":"alipay","pid":"'$merchant'","vk_platform":"'$node'","openid":"o_demo_user"'
    done
done
life alipay-codepay '"provider":"alipay","auth_code":"2800000000000000001"'
for merchant in default v2 cert; do
    for node in h5 h5-weixin mweb mp-weixin mp-alipay app-plus; do
        life "vkspay-$node-$merchant" '"provider":"vkspay","pid":"'$merchant'","vk_platform":"'$node'"'
    done
    life "douyin-$merchant" '"provider":"douyin","pid":"'$merchant'"'
    life "huawei-mp-harmony-$merchant" '"provider":"huawei","pid":"'$merchant'","vk_platform":"mp-harmony"'
    life "huawei-app-harmony-$merchant" '"provider":"huawei","pid":"'$merchant'","vk_platform":"app-harmony"'
    life "appleiap-$merchant" '"provider":"appleiap","pid":"'$merchant'","product_id":"demo.product"'
done
for merchant in default v2; do
    life "wxpay-virtual-coins-$merchant" '"provider":"wxpay-virtual","pid":"'$merchant'","code":"login","wxpay_virtual":{"mode":"short_series_coin","buy_quantity":100}'
    life "wxpay-virtual-goods-$merchant" '"provider":"wxpay-virtual","pid":"'$merchant'","code":"login","wxpay_virtual":{"mode":"short_series_goods","buy_quantity":2,"product_id":"sword","goods_price":50}'
done
echo "$passed passed, 0 failed"
