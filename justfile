# Short names for what is done often; `just` lists them. Each is one line that works without just, too.

_list:
    @just --list --unsorted

# functions, tables, simulated providers and the console, on this machine
run *options:
    cargo run -- {{options}}

# all tests
test:
    cargo test --workspace

# the tests whose name or module holds a text: just one eight_refunds
one name:
    cargo test -p tests --test it -- {{name}} --nocapture

# what is looked at first: format, warnings
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# runs by a seed that try to break it: just sim 200
sim seeds="500":
    cargo run -p simulator -- --seeds {{seeds}}

# everything of web/ that needs no browser
web:
    bash web/check.sh

# everything that must hold, as CI runs it
ci:
    .ci/run

# the archives for those who build nothing, for both processors: just release ~/vk-pay-release
release folder:
    deploy/release.sh {{folder}}

# to AWS, in the account of your credentials: see docs/deploy.md
deploy *options:
    sam build
    sam deploy {{options}}
