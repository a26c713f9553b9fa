#!/usr/bin/env bash
# Deploys all of it with cargo-lambda and the AWS CLI, without SAM: infra.yaml, the functions with their alias `live`,
# their URLs, and what runs the functions that have none. Running it again updates.
#
#   STACK=vk-pay PROCESSOR=arm64 BUCKET=… deploy/cargo-lambda.sh [Parameter=Value …]
#
# The parameters are those of infra.yaml. Beside them, in the environment:
#   AUTH_TYPE        NONE, or AWS_IAM for the URLs that clients call
#   PUBLIC_BASE_URL  a domain of your own under which notify is reached, as https://pay.shop.example
#   ORIGIN_SECRET    that of edge.yaml
#   BUCKET           a bucket of yours for infra.yaml, which is larger than CloudFormation takes directly
set -euo pipefail
cd "$(dirname "$0")/.."
stack=${STACK:-vk-pay} processor=${PROCESSOR:-arm64} auth=${AUTH_TYPE:-NONE}
# First the one whose URL the others are told.
functions=(notify create-payment query-payment refund transfer login dispatch reconcile worker)
mkdir -p "${CARGO_TARGET_DIR:-target}"
target=$(cd "${CARGO_TARGET_DIR:-target}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

infra() {
    aws cloudformation deploy --template-file infra.yaml --stack-name "$stack" --capabilities CAPABILITY_IAM \
        --no-fail-on-empty-changeset ${BUCKET:+--s3-bucket "$BUCKET"} --parameter-overrides "$@"
}

output() {
    aws cloudformation describe-stacks --stack-name "$stack" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

# CreatePayment of create-payment.
stem() {
    awk -F- '{ for (i = 1; i <= NF; i++) printf "%s%s", toupper(substr($i, 1, 1)), substr($i, 2) }' <<<"$1"
}

# Fails as aws does, but for what is there already.
unless_there() {
    local said
    said=$("$@" 2>&1) || grep -q ResourceConflictException <<<"$said" || { echo "$said" >&2; return 1; }
}

# The URL of a function's alias. Both rights are needed: the one to call the URL, and the one to run the function by it.
url() {
    local name=$1 kind=$2
    unless_there aws lambda create-function-url-config --function-name "$name" --qualifier live --auth-type "$kind"
    aws lambda update-function-url-config --function-name "$name" --qualifier live --auth-type "$kind" >/dev/null
    if [[ $kind = NONE ]]; then
        unless_there aws lambda add-permission --function-name "$name" --qualifier live --statement-id url \
            --action lambda:InvokeFunctionUrl --principal '*' --function-url-auth-type NONE
        unless_there aws lambda add-permission --function-name "$name" --qualifier live --statement-id url-invoke \
            --action lambda:InvokeFunction --principal '*' --invoked-via-function-url
    else
        # What an earlier NONE has left open.
        for statement in url url-invoke; do
            aws lambda remove-permission --function-name "$name" --qualifier live --statement-id "$statement" \
                >/dev/null 2>&1 || true
        done
    fi
    aws lambda get-function-url-config --function-name "$name" --qualifier live --query FunctionUrl --output text
}

# How a function logs, which cargo-lambda cannot say; then it is published once more.
logs() {
    local name=$1 version
    aws lambda update-function-configuration --function-name "$name" --logging-config "$logging" >/dev/null
    aws lambda wait function-updated-v2 --function-name "$name"
    version=$(aws lambda publish-version --function-name "$name" --query Version --output text)
    aws lambda update-alias --function-name "$name" --name live --function-version "$version" >/dev/null
}

there=false
aws lambda get-alias --function-name "$stack-reconcile" --name live >/dev/null 2>&1 && there=true
infra FunctionsAreThere=$there "$@"

logging=$(output LoggingConfig)
tracing=$(output Tracing)
base=${PUBLIC_BASE_URL:-}
for function in "${functions[@]}"; do
    name=$stack-$function
    option=--arm64
    [[ $processor = arm64 ]] || option=--x86-64
    # Not at the root: there, cargo would build with the features that the simulator and the console ask for.
    (cd "functions/$function" && cargo lambda build --locked --release "$option" --bin "$function")
    {
        output Environment
        output "$(stem "$function")Environment"
        [[ $function = notify ]] || echo "PAY_NOTIFY_URL=$base"
        [[ -z ${ORIGIN_SECRET:-} ]] || echo "PAY_ORIGIN_SECRET=$ORIGIN_SECRET"
    } | grep = >"$work/environment"
    # Memory and time are those of the crate's package.metadata.lambda.deploy.
    (cd "functions/$function" && cargo lambda deploy "$name" --binary-name "$function" --lambda-dir "$target/lambda" \
        --alias live --role "$(output "$(stem "$function")RoleArn")" --env-file "$work/environment" \
        ${tracing:+--tracing "${tracing,,}"})
    logs "$name"
    case $function in
        dispatch | reconcile | worker) ;;
        notify)
            address=$(url "$name" NONE)
            base=${base:-${address%/}}
            echo "callbacks: $base"
            ;;
        *) echo "$function: $(url "$name" "$auth")" ;;
    esac
done

infra FunctionsAreThere=true "$@"
