#!/bin/sh
# The whole story on an embedded database: migrate, seed, serve, trigger, watch, report, stop.
# Run by `make demo`; by hand, with the environment active:  CUSTOMERS=10000 sh examples/demo.sh
set -eu
cd "$(dirname "$0")/.."
customers=${CUSTOMERS:-2000000}
name=demo-$(date +%Y%m%d-%H%M%S)
folder=${DEMO_DIR:-var/demo}
mkdir -p "$folder"
server_log=$folder/server.log
export DATABASE_URL="sqlite:///$folder/customers-$customers.db"
export SMS_LOG_DIR="$folder/logs"
# a server of yours may have the usual one
: "${SMS_PORT:=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')}"
export SMS_PORT

python -m migrations
python -m seed --customers "$customers"

echo "the server listens on 127.0.0.1:$SMS_PORT"
python -m app serve 2>"$server_log" &
server=$!
stop() {
    trap - EXIT INT TERM
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
}
trap stop EXIT
trap 'stop; exit 130' INT TERM
until grep -q 'server ready' "$server_log"; do
    if ! kill -0 "$server" 2>/dev/null; then
        cat "$server_log" >&2
        exit 1
    fi
    sleep 0.1
done

python -m app trigger "$name" --watch
python -m app report "$name"
stop

echo
echo "The messages:        $SMS_LOG_DIR/$name/task_*.log"
echo "The server's log:    $server_log"
echo "The database:        $DATABASE_URL"
