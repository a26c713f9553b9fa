#!/usr/bin/env bash
# Everything of web/ that needs no browser: web/check.sh. Needs Node 20.
# With VK_PAY_LOCAL=<cargo run's binary> the compiled mini program pays orders that it has signed, and the server's client
# and the examples for backends sell, refund and receive.
# It leaves the web build that tests/browser/uniapp.test.mjs opens, and the page that package.test.mjs opens.
set -euo pipefail
cd "$(dirname "$0")"
export npm_config_audit=false npm_config_fund=false npm_config_loglevel=error

echo '-- client: tests, types, committed bundles, the packed package in a new project'
cd packages/vk-pay-client
npm ci
npm test
npm run check
npm run sizes
npm run test:package
cd ../..

echo '-- server: tests, the packed package, the pages of the examples'
cd packages/vk-pay-server
npm ci
npm test
npm run check
if [[ -n ${VK_PAY_LOCAL:-} ]]; then
    echo '-- server: examples in every language that is here, against the local stack'
    bash examples/run.sh
fi
cd ../..

echo '-- uni-app: web and WeChat builds, the compiled mini program, the module in a new project'
# The name alone would draw in a cloud client of 120 kB that does not work here.
if grep -rn uniCloud uni_modules/paybundle-cashier/components uni_modules/paybundle-cashier/js_sdk; then
    exit 1
fi
cd demo-uniapp
npm ci
rm -rf dist/build
node uni.mjs h5 mp-weixin
npm test
node fresh.mjs

echo '-- sizes of the demo, bytes and gzipped'
size() {
    printf '%8d %8d  %s\n' "$(cat "$@" | wc -c)" "$(cat "$@" | gzip -9 | wc -c)" "$name"
}
name='web build, scripts' size dist/build/h5/assets/*.js
name='web build, styles' size dist/build/h5/assets/*.css
name='mp-weixin, common/vendor.js (uni-app and Vue)' size dist/build/mp-weixin/common/vendor.js
name='mp-weixin, vk-pay-core.js' size dist/build/mp-weixin/uni_modules/paybundle-cashier/js_sdk/vk-pay-core.js
name='mp-weixin, the module in all' size $(find dist/build/mp-weixin/uni_modules -type f)
