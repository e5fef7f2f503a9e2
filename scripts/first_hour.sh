#!/bin/sh
# Plays a newcomer's first hour, offline and in a folder of its own: each command with its seconds and its exit code.
# Ends with 1 when one of them answers otherwise than it should. Needs a shell and a Python; `PYTHON` names another one than python3.
#
#   sh scripts/first_hour.sh            # against a simulator that it starts
#   MODELSYNC_ORIGIN=http://… sh scripts/first_hour.sh
set -u
cd "$(dirname "$0")/.." || exit 1
MODELSYNC_HOME=$(mktemp -d) && export MODELSYNC_HOME || exit 1
wrong=0
started=$(date +%s)

# The exit code that it should have, and a command.
try() {
    want=$1
    shift
    began=$(date +%s)
    "$@" >"$MODELSYNC_HOME/out" 2>&1
    code=$?
    printf '%4d s  %3d  %s\n' "$(($(date +%s) - began))" "$code" "$*"
    if [ "$code" -ne "$want" ]; then
        echo "        should be $want:"
        sed 's/^/        /' "$MODELSYNC_HOME/out"
        wrong=1
    fi
}

post() {
    "${PYTHON:-python3}" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], sys.argv[2].encode()).read()' "$@"
}

finish() {
    [ -z "${simulator:-}" ] || kill "$simulator" 2>/dev/null
    rm -rf "$MODELSYNC_HOME"
}
trap finish EXIT

try 0 ./run --version
try 0 ./run --help
try 0 ./run demo
try 64 ./run synk
try 0 ./run status
try 0 ./run providers

if [ -z "${MODELSYNC_ORIGIN:-}" ]; then
    export MODELSYNC_ORIGIN="http://127.0.0.1:${PORT:-8931}"
    ./run simulate --port "${PORT:-8931}" >"$MODELSYNC_HOME/simulator.log" 2>&1 &
    simulator=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        post "$MODELSYNC_ORIGIN/_simulator/day" '{"day": 0}' 2>/dev/null && break
        sleep 1
    done
fi
for name in openrouter groq xai together fireworks nebius novita; do
    variable=$(echo "$name" | tr '[:lower:]' '[:upper:]')_API_KEY
    echo "$variable=demo-$name"
done >"$MODELSYNC_HOME/.env"

post "$MODELSYNC_ORIGIN/_simulator/day" '{"day": 0}'
try 0 ./run doctor --providers openrouter groq
try 0 ./run sync --dry-run --providers openrouter
try 4 ./run sync
try 0 ./run models quill --sort price
try 0 ./run models --free --json
try 0 ./run explain openrouter acme/scribe-2 pricing_prompt
try 4 ./run held
try 0 ./run confirm 1 --reason "it is on their price page"
post "$MODELSYNC_ORIGIN/_simulator/day" '{"day": 1}'
try 0 ./run sync
try 0 ./run sync
try 0 ./run changes --since 1d
try 0 ./run history openrouter acme/scribe-2
try 0 ./run pin openrouter acme/scribe-2 pricing_prompt=0.80/M --until 30d --reason "our contract"
try 64 ./run pin openrouter acme/scribe-2 pricing_promt=0.80/M --reason "our contract"
try 0 ./run pins
try 0 ./run unpin openrouter acme/scribe-2 --reason "it ended"
try 0 ./run rollback openrouter --to 1 --reason "their list was wrong"
try 0 ./run resume openrouter --reason "they fixed it"
try 0 ./run sync --providers openrouter
try 0 ./run db backup "$MODELSYNC_HOME/backup.db"
try 64 ./run sync --providers opnrouter
try 0 ./run runs
try 0 ./run status

echo "$(($(date +%s) - started)) s in all"
exit $wrong
