#!/usr/bin/env bash
# Installs the independent implementations that judge our traffic, at the versions written down beside this file.
# PAY_JUDGES_PYTHON names another interpreter that already has requirements.txt.
set -euo pipefail
cd "$(dirname "$0")"
if [[ -z ${PAY_JUDGES_PYTHON:-} ]]; then
    [[ -x .venv/bin/python ]] || python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
fi
npm ci --no-audit --no-fund --loglevel=error
