#!/usr/bin/env bash
# The functions of the local stack do what docs/openapi.json says: schemathesis sends them what it makes of the
# document, right and wrong, with a key and without a credential. How much, and what is checked, is in
# tests/contract/schemathesis.toml. Usage: tests/contract.sh [target/debug/vk-pay] [schemathesis]
set -euo pipefail
program=$(realpath "${1:-target/debug/vk-pay}")
schemathesis=${2:-schemathesis}
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
"$program" --port 0 --data-dir "$folder/data" --schedule 0 >"$folder/out" 2>"$folder/log" &
process=$!
trap 'kill $process 2>/dev/null; wait $process 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 300); do
    grep -q 'Ctrl-C' "$folder/out" && break
    kill -0 $process 2>/dev/null || { cat "$folder/log"; exit 1; }
    sleep 0.1
done
member() {
    python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/data/stack.json" "$1"
}
base=$(member url)
key=$(member key)

# call FUNCTION DATA: fails unless the reply is a success.
call() {
    local reply
    reply=$(curl -s -m 60 "$base/$1" -H "authorization: Bearer $key" -H 'content-type: application/json' -d "{\"data\":$2}")
    [[ $reply == '{"code":0,'* ]] || { printf 'FAILED: %s %s: %s\n' "$1" "$2" "$reply"; exit 1; }
}
# The orders of contracts/src/examples.rs, and one that others can try at another provider.
order='"total_fee":10000,"subject":"Recharge","type":"recharge","user_id":"demo-user","openid":"o_demo_user"'
call create-payment '{"out_trade_no":"T20260101002","provider":"wxpay","vk_platform":"h5",'"$order}"
call create-payment '{"out_trade_no":"T20260101003","provider":"wxpay","auth_code":"130000000000000001",'"$order}"
call create-payment '{"out_trade_no":"CONTRACT_ALIPAY","provider":"alipay","auth_code":"2800000000000000001",'"$order}"

# Which phases of schemathesis, then more options.
compare() {
    local phases=$1
    shift
    "$schemathesis" --config-file tests/contract/schemathesis.toml --no-color run docs/openapi.json \
        --url "$base" --phases "$phases" "$@"
}
code=0
echo '-- with a key'
compare examples,coverage,fuzzing --header "authorization: Bearer $key" || code=$?
echo '-- without a credential'
compare examples,coverage || code=$?

call query-payment '{"out_trade_no":"CONTRACT_ALIPAY"}'
if grep -n 'panicked' "$folder/log"; then
    code=1
fi
exit $code
