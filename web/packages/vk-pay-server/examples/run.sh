#!/usr/bin/env bash
# Runs the examples of docs/your-backend.md against the local stack, each whose runtime is there.
# Usage: VK_PAY_LOCAL=<cargo run's binary> examples/run.sh [node python php java go]. Needs curl and the built package.
set -euo pipefail
: "${VK_PAY_LOCAL:?names no binary}"
VK_PAY_LOCAL=$(realpath "$VK_PAY_LOCAL")
cd "$(dirname "$0")"
folder=$(mktemp -d)
stack='' receiver='' flaky='' name=start
stop() {
    if [[ -n $1 ]]; then
        kill "$1" 2>/dev/null || true
        wait "$1" 2>/dev/null || true
    fi
}
end() {
    local code=$?
    stop "$receiver"; stop "$flaky"; stop "$stack"
    ((code == 0)) || { echo "FAILED: $name (exit $code)" >&2; cat "$folder/$name.err" "$folder/log" >&2 2>/dev/null || true; }
    rm -rf "$folder"
}
trap end EXIT

wait_for() {
    local what=$1
    shift
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "FAILED: no $what" >&2
    exit 1
}
answers() {
    curl -s -o /dev/null "$1"
}

"$VK_PAY_LOCAL" --port 0 --data-dir "$folder/data" >"$folder/stack" 2>"$folder/log" &
stack=$!
wait_for 'local stack' grep -q 'Ctrl-C' "$folder/stack"

# A server that fails once, and then redirects whoever asks for it; it keeps what it was asked.
cat >"$folder/flaky.mjs" <<'JS'
import { appendFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
const folder = process.argv[2];
let asked = 0;
const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (bytes) => (body += bytes)).on('end', () => {
    if (request.method !== 'POST') return response.writeHead(404).end();
    appendFileSync(`${folder}/asked`, `${request.headers.authorization} ${request.url} ${body}\n`);
    if (request.url.startsWith('/moved')) return response.writeHead(307, { location: '/elsewhere' }).end();
    asked += 1;
    if (asked % 2) return response.writeHead(502).end('<html>');
    response.end(JSON.stringify({ code: 0, msg: 'ok', data: { orderInfo: { codeUrl: 'weixin://again' } }, orderInfo: { codeUrl: 'weixin://again' } }));
  });
});
server.listen(0, '127.0.0.1', () => writeFileSync(`${folder}/flaky.port`, String(server.address().port)));
JS
node "$folder/flaky.mjs" "$folder" &
flaky=$!
wait_for 'failing server' test -s "$folder/flaky.port"

export PAY_URL PAY_KEY QUOTE_SECRET DELIVERY_KEY PORT DONE_DIR
PAY_URL=$(grep -o 'http://127.0.0.1:[0-9]*' "$folder/stack" | head -n 1)
PAY_KEY=$(grep -o 'demo-[0-9a-f]*' "$folder/stack" | head -n 1)
DELIVERY_KEY=a-key-of-the-receiver-of-this-run
PORT=$(node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close(); })")
# The stack reads its document before each request.
QUOTE_SECRET=$(node - "$folder/data/config.json" <<'JS'
const fs = require('fs');
const [, , file] = process.argv;
const config = JSON.parse(fs.readFileSync(file, 'utf8'));
config.handlers.course = { http: { url: `http://127.0.0.1:${process.env.PORT}/pay/course`, key: process.env.DELIVERY_KEY } };
fs.writeFileSync(`${file}.new`, JSON.stringify(config), { mode: 0o600 });
fs.renameSync(`${file}.new`, file);
console.log(config.auth.quote.hs256);
JS
)

expect() {
    local what=$1 pattern=$2 text=$3
    grep -qE -- "$pattern" <<<"$text" || { printf 'FAILED: %s: %s: no %s in %s\n' "$name" "$what" "$pattern" "$text" >&2; exit 1; }
}
# What a page sends, which has no key.
page() {
    curl -s "$PAY_URL/create-payment" -H 'content-type: application/json' \
        -d '{"url":"pay/createPayment","data":{"provider":"wxpay","subject":"Course 1","needQRcode":true,'"$1"'}}'
}
# What somebody sends to the receiver: a body and an Idempotency-Key. Answers body and status.
deliver() {
    curl -s -w ' %{http_code}' "http://127.0.0.1:$PORT/pay/course" -H 'content-type: application/json' -H "idempotency-key: $2" --data-binary "$1" | tr -d '\n'
}
pay() {
    local token
    token=$(curl -s "$PAY_URL/sandbox/cashier/$1" | sed -n 's/.*name="_token" value="\([0-9a-f]*\)".*/\1/p' | head -n 1)
    curl -s -o /dev/null "$PAY_URL/sandbox/cashier/$1" -d "_token=$token" -d how=pay
    curl -s "$PAY_URL/query-payment" -H "authorization: Bearer $PAY_KEY" -d '{"url":"pay/queryPayment","data":{"out_trade_no":"'"$1"'","await_notify":true}}'
}

# try NAME SERVE... -- RUN...: the command that receives, and the one that takes `order` or `quote`.
try() {
    name=$1
    shift
    local serve=() first again quote reply id paid wrong
    while [[ $1 != -- ]]; do serve+=("$1"); shift; done
    shift
    local no="EXAMPLE_${name^^}"
    DONE_DIR=$folder/done-$name

    first=$("$@" order "$no")
    expect 'creates an order' '^weixin://' "$first"
    again=$("$@" order "$no")
    [[ $first == "$again" ]] || { echo "FAILED: $name: the same number was another order" >&2; exit 1; }

    quote=$("$@" quote "${no}_Q")
    reply=$(page '"out_trade_no":"'"${no}_Q"'","total_fee":1,"quote":"'"$quote"'"')
    expect 'a page that says another price is refused' '"code":403' "$reply"
    reply=$(page '"out_trade_no":"'"${no}_Q"'","quote":"'"$quote"'"')
    expect 'a quote that is taken' '"code":0.*"total_fee":3000' "$reply"

    : >"$folder/asked"
    reply=$(PAY_URL="http://127.0.0.1:$(cat "$folder/flaky.port")" "$@" order "$no")
    expect 'goes on after a 502' '^weixin://again' "$reply"
    [[ $(wc -l <"$folder/asked") -eq 2 && $(sort -u "$folder/asked" | wc -l) -eq 1 ]] || { echo "FAILED: $name: not the same request twice" >&2; exit 1; }
    : >"$folder/asked"
    if PAY_URL="http://127.0.0.1:$(cat "$folder/flaky.port")/moved" "$@" order "$no" >/dev/null 2>&1; then
        echo "FAILED: $name: took a redirect" >&2
        exit 1
    fi
    [[ $(wc -l <"$folder/asked") -eq 1 ]] || { echo "FAILED: $name: followed a redirect" >&2; exit 1; }

    "${serve[@]}" >"$folder/$name.out" 2>"$folder/$name.err" &
    receiver=$!
    wait_for "receiver of $name" answers "http://127.0.0.1:$PORT/"
    id=$(printf %s "$no" | sha256sum | cut -d' ' -f1)
    paid='"out_trade_no":"'"$no"'","total_fee":3000,"trade_state":"SUCCESS","course_id":"course-1"'
    wrong=$(printf %064d 0)
    expect 'a wrong key' ' 403$' "$(deliver "{$paid,\"key\":\"$DELIVERY_KEY-\"}" "$id")"
    expect 'no key' ' 403$' "$(deliver "{$paid}" "$id")"
    expect 'the Idempotency-Key of another order' ' 403$' "$(deliver "{$paid,\"key\":\"$DELIVERY_KEY\"}" "$wrong")"
    expect 'no JSON' ' 400$' "$(deliver '{' "$id")"
    expect 'an order that is not paid' ' 400$' "$(deliver "{${paid/SUCCESS/NOTPAY},\"key\":\"$DELIVERY_KEY\"}" "$id")"
    expect 'an amount that is none' ' 400$' "$(deliver "{${paid/3000/3000.5},\"key\":\"$DELIVERY_KEY\"}" "$id")"
    expect 'a body that is too large' ' 4[0-9][0-9]$' "$(printf '{"key":"%070000d"}' 0 >"$folder/large"; deliver "@$folder/large" "$id")"
    expect 'another price' '"code": ?1[,}].* 200$' "$(deliver "{${paid/3000/2999},\"key\":\"$DELIVERY_KEY\"}" "$id")"
    [[ ! -e $DONE_DIR/$id ]] || { echo "FAILED: $name: took a forged delivery" >&2; exit 1; }

    expect 'an order is delivered' '"user_order_success":true' "$(pay "$no")"
    expect 'the order of a page is delivered' '"user_order_success":true' "$(pay "${no}_Q")"
    expect 'a repetition is taken' '"code": ?0[,}].* 200$' "$(deliver "{$paid,\"key\":\"$DELIVERY_KEY\"}" "$id")"
    stop "$receiver"
    receiver=''
    [[ $(grep -c "enrolled ${no}\$" "$folder/$name.out") -eq 1 && $(ls "$DONE_DIR" | wc -l) -eq 2 ]] \
        || { echo "FAILED: $name: not done once" >&2; cat "$folder/$name.out" "$folder/$name.err" >&2; exit 1; }
    echo "ok       $name"
}

has() {
    command -v "$1" >/dev/null || { echo "skipped: no $1"; return 1; }
}
(($#)) || set -- node python php java go
for language in "$@"; do
    case $language in
    node) try node node backend.mjs serve -- node backend.mjs ;;
    python) if has python3; then try python python3 backend.py serve -- python3 backend.py; fi ;;
    php) if has php; then try php php -S "127.0.0.1:$PORT" backend.php -- php backend.php; fi ;;
    java)
        if has javac; then
            javac -d "$folder/java" Backend.java
            try java java -cp "$folder/java" Backend serve -- java -cp "$folder/java" Backend
        fi
        ;;
    go)
        if has go; then
            go build -o "$folder/go" backend.go
            try go "$folder/go" serve -- "$folder/go"
        fi
        ;;
    *) echo "$language: no such example" >&2; exit 1 ;;
    esac
done
