#!/bin/sh
# Runs the README's manual smoke test without questions: version, connect --dry-run, capabilities,
# call --wait, worker, and the MCP server's tool list.
#
#   scripts/smoke-chaojiyuyan-sdk.sh
#       uses a local kernel, which it starts and stops
#   BASE_URL=https://… CHAOJIYUYAN_API_KEY=nxt_ag_… scripts/smoke-chaojiyuyan-sdk.sh
#       uses that platform; the call costs the price of CAPABILITY
#
#   CHAOJIYUYAN   the command to test; by default the one on PATH, or else the checkout's
#   CAPABILITY    the capability to call, which the echo stub handles; test.echo.v1 by default
#
# Exit code 0: every step succeeded. It uses its own home folder.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
capability=${CAPABILITY:-test.echo.v1}
command=${CHAOJIYUYAN:-$(command -v chaojiyuyan || "$root/scripts/hatch" run sh -c 'command -v chaojiyuyan')}

work=$(mktemp -d)
# Created here, because a process in the background opens its files only when it starts.
for file in kernel kernel.log worker.log out; do : > "$work/$file"; done
started=""
finish() {
    status=$?
    trap - EXIT
    trap '' INT TERM
    for process in $started; do
        # Repeat the signal if needed: one that arrives before the program has started is lost.
        while kill "$process" 2>/dev/null; do sleep 0.5; done
    done
    rm -rf "$work"
    [ "$status" -eq 0 ] && echo "Smoke test passed." || echo "Smoke test failed." >&2
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$*"; }
fail() {
    echo "smoke: $*" >&2
    exit 1
}
# Waits until the file has a number of lines, or the process has ended.
wait_for_lines() {
    while [ "$(wc -l < "$2")" -lt "$1" ]; do
        kill -0 "$3" 2>/dev/null || { cat "$work"/*.log >&2; fail "a process ended early"; }
        sleep 0.1
    done
}

if [ -z "${BASE_URL:-}" ]; then
    step "a local kernel"
    "$command" dev --port 0 --ephemeral > "$work/kernel" 2> "$work/kernel.log" &
    started="$! $started"
    wait_for_lines 2 "$work/kernel" $!
    BASE_URL=$(sed -n 1p "$work/kernel")
    CHAOJIYUYAN_API_KEY=$(sed -n 2p "$work/kernel")
    echo "$BASE_URL"
fi
[ -n "${CHAOJIYUYAN_API_KEY:-}" ] || fail "BASE_URL asks for CHAOJIYUYAN_API_KEY"
export CHAOJIYUYAN_API_KEY HEBING_BASE_URL="$BASE_URL" HOME="$work"

step "version"
"$command" version

step "connect --dry-run"
"$command" connect --dry-run > "$work/out"
cat "$work/out"
grep -q "Dry run" "$work/out" || fail "connect --dry-run did not say so"
[ ! -e "$work/.claude" ] && [ ! -e "$work/.chaojiyuyan" ] || fail "connect --dry-run wrote files"

step "capabilities"
"$command" capabilities

step "worker $capability"
"$command" worker "$capability" --yes > "$work/worker.log" 2>&1 &
worker=$!
started="$worker $started"

step "call $capability --wait"
"$command" call "$capability" --input '{"text": "smoke"}' --wait --timeout 60
kill -TERM "$worker"
wait "$worker" || { cat "$work/worker.log" >&2; fail "the worker did not drain"; }
started=${started#"$worker "}
cat "$work/worker.log"

step "mcp-server: tools/list"
mkfifo "$work/in"
: > "$work/out"
"$command" mcp-server < "$work/in" >> "$work/out" &
server=$!
started="$server $started"
exec 3> "$work/in"
printf '%s\n' >&3 \
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"smoke","version":"1"}}}' \
    '{"jsonrpc":"2.0","method":"notifications/initialized"}' \
    '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
wait_for_lines 2 "$work/out" "$server"
exec 3>&-
wait "$server" || fail "the MCP server ended with an error"
started=${started#"$server "}
tools=$(tr '{,' '[\n*]' < "$work/out" | sed -n 's/^"name": *"\(kernel_[a-z_]*\)".*/\1/p')
echo "$tools"
[ "$(echo "$tools" | wc -l)" -eq 8 ] || fail "expected eight tools"
