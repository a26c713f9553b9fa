#!/usr/bin/env bash
# Switches off one defence after the other and tells which seed notices: simulator/defences.sh [SEEDS [NAME ...]]
# Each file in simulator/defences takes one out of the code; the code is changed in a copy, never here.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-500}
names=("${@:2}")
[[ ${#names[@]} -gt 0 ]] || mapfile -t names < <(basename -s .patch simulator/defences/*.patch)
# A folder of its own: Cargo takes what it built of the copy for what it built here, so that the next `cargo run` would do
# without the defence.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/defences
tree=$(mktemp -d)/tree
trap 'git worktree remove --force "$tree"' EXIT
git worktree add -q --detach "$tree"
failed=0
for name in "${names[@]}"; do
    git -C "$tree" apply "$PWD/simulator/defences/$name.patch"
    cargo build -q --locked --manifest-path "$tree/Cargo.toml" -p simulator
    simulate=$CARGO_TARGET_DIR/debug/simulate
    if said=$("$simulate" --seeds "$seeds" 2>/dev/null) && said=$("$simulate" --exhaustive 2>/dev/null); then
        printf '%-40s NOT NOTICED by %s seeds and the small scopes\n' "$name" "$seeds"
        failed=1
    else
        printf '%-40s %s\n' "$name" "$(grep -m 1 -E '^seed|deaths|, order ' <<<"$said" | cut -c 1-140)"
    fi
    git -C "$tree" checkout -q .
done
exit "$failed"
