#!/usr/bin/env bash
# Makes what those deploy who build nothing: an archive of each function for each processor, a template for each
# processor that names them, and checksums.
#
#   deploy/release.sh FOLDER [function …]
#
# Needs Rust with both targets, cargo-lambda and zig (docs/deploy.md). The builds are those of `sam build`, which with
# CARGO_TARGET_DIR=target/release-arm64 finds them done.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
folder=$(realpath -m "$1")
shift
cd "$(dirname "$0")/.."
root=$PWD
functions=("$@")
[[ $# -gt 0 ]] || functions=(create-payment query-payment refund transfer login notify dispatch reconcile worker)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

rm -rf "$folder"
mkdir -p "$folder"
# Everything for one processor, in a target of its own. Linking takes one core for each function, so all are built by one
# cargo. They are named, because the whole workspace has the features that the simulator and the console ask for.
archives() {
    local processor=$1 option=$2 function
    export CARGO_TARGET_DIR=$target/release-$processor
    cargo lambda build --locked --release "$option" --quiet "${functions[@]/#/--package=}"
    for function in "${functions[@]}"; do
        # The same bytes from the same binary, whenever it is packed.
        python3 - "$CARGO_TARGET_DIR/lambda/$function/bootstrap" "$folder/$function-$processor.zip" <<'PACK'
import sys, zipfile
source, archive = sys.argv[1:]
entry = zipfile.ZipInfo("bootstrap", (2020, 1, 1, 0, 0, 0))
entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
with zipfile.ZipFile(archive, "w") as out, open(source, "rb") as bytes:
    out.writestr(entry, bytes.read(), compresslevel=9)
PACK
        echo "$function-$processor.zip: $(stat --format=%s "$folder/$function-$processor.zip") bytes"
    done
    # No `Metadata` of how to build, and the archives instead of the sources.
    sed -e '/^    Metadata:$/{N;N;N;/BuildMethod/d}' \
        -e "s|CodeUri: functions/\(.*\)|CodeUri: \1-$processor.zip|" \
        -e "s|^    Default: arm64\$|    Default: $processor|" \
        -e "s|^    AllowedValues: \[arm64, x86_64\]\$|    AllowedValues: [$processor]|" \
        "$root/template.yaml" >"$folder/template-$processor.yaml"
}

archives arm64 --arm64 &
arm64=$!
archives x86_64 --x86-64 &
x86_64=$!
wait "$arm64"
wait "$x86_64"
cp edge.yaml "$folder"
(cd "$folder" && sha256sum -- * >SHA256SUMS)
