#!/usr/bin/env bash
# The walk by curl of both READMEs, as it stands there, against the local stack: its replies are those that the README
# shows. Usage: tests/readme.sh [target/debug/vk-pay]. Needs curl and jq.
set -euo pipefail
program=$(realpath "${1:-target/debug/vk-pay}")
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
"$program" --port 0 --data-dir "$folder/data" >"$folder/out" 2>"$folder/log" &
process=$!
trap 'kill $process 2>/dev/null; wait $process 2>/dev/null || true; rm -rf "$folder"' EXIT
for _ in $(seq 200); do
    grep -q 'Ctrl-C' "$folder/out" && break
    sleep 0.1
done
base=$(grep -o 'http://127.0.0.1:[0-9]*' "$folder/out" | head -n 1)
key=$(grep -o 'demo-[0-9a-f]*' "$folder/out" | head -n 1)

for page in README.md README.zh-CN.md; do
    number="README_$(tr -dc A-Z <<<"${page#README}")00001"
    # The block of code that begins with BASE=, and the block of JSON after it.
    awk -v walk="$folder/walk" -v shown="$folder/shown" '
        /^```$/ { file = ""; next }
        /^```/ { first = 1; json = /^```json/; next }
        first && /^BASE=/ { file = walk; found = 1 }
        first && json && found == 1 { file = shown; found = 2 }
        { first = 0; if (file) print >file }' "$page"
    sed -i -E "s|^BASE=.*|BASE=$base KEY=$key NO=$number|" "$folder/walk"
    sed -i "s/FIRST00001/$number/" "$folder/shown"
    [[ -s $folder/walk && -s $folder/shown ]] || { echo "FAILED: $page has no walk"; exit 1; }
    bash -euo pipefail "$folder/walk" | sed -E 's/(bizpayurl\?pr=)[^"]*/\1…/' >"$folder/said"
    diff "$folder/shown" "$folder/said" || { echo "FAILED: $page shows other replies"; exit 1; }
    echo "ok  $page"
done
