#!/bin/sh
# The whole story on an embedded database: migrate, seed, serve, trigger, watch, report, stop.
# Run by `make demo`; by hand, with the environment active:  CUSTOMERS=10000 sh examples/demo.sh
# GATEWAY=smpp sends to a message centre of our own, which reaches no phone, and compares with its log.
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

centre=
server=
stop() {
    trap - EXIT INT TERM
    for each in $server $centre; do
        kill -TERM "$each" 2>/dev/null || true
        wait "$each" 2>/dev/null || true
    done
}
trap stop EXIT
trap 'stop; exit 130' INT TERM

# until_says WORDS FILE PROCESS: wait for the words, or end with the file where the process did
until_says() {
    until grep -q "$1" "$2" 2>/dev/null; do
        if ! kill -0 "$3" 2>/dev/null; then
            cat "$2" >&2
            exit 1
        fi
        sleep 0.1
    done
}

# how_to_look: the last words
how_to_look() {
    if [ "$folder" != var/demo ]; then
        command="DATABASE_URL=$DATABASE_URL SMS_LOG_DIR=$SMS_LOG_DIR make web"
    elif [ "$customers" != 2000000 ]; then
        command="make web CUSTOMERS=$customers"
    else
        command="make web"
    fi
    echo "To look at it:       $command"
    echo "                     and http://127.0.0.1:${SMS_WEB_PORT:-8000}/campaigns/$name"
}

gateway=${GATEWAY:-log}
if [ "$gateway" = smpp ]; then
    centre_log=$folder/$name.centre.log
    rm -f "$folder/centre.out" # what an earlier demo said is not to be taken for this one's
    python -m examples.smsc --port 0 --log "$centre_log" >"$folder/centre.out" 2>&1 &
    centre=$!
    until_says 'listening on' "$folder/centre.out" "$centre"
    port=$(sed -n 's/^listening on .*://p' "$folder/centre.out")
    export SMS_GATEWAYS="$folder/gateways.toml" DEMO_PASSWORD=demo
    printf '[smpp]\nkind = "smpp"\nhost = "127.0.0.1"\nport = %s\nsystem_id = "demo"\npassword_env = "DEMO_PASSWORD"\nbinds = 4\nwindow = 100\n' "$port" >"$SMS_GATEWAYS"
    echo "a message centre listens on 127.0.0.1:$port"
fi

python -m migrations
python -m seed --customers "$customers"

# a demo that was broken off would go on beside this one
unfinished='import json, sys
for each in json.load(sys.stdin):
    if each["state"] in ("running", "paused"):
        print(each["campaign"])'
for each in $(python -m app status --json | python -c "$unfinished"); do
    python -m app cancel "$each"
done

echo "the server listens on 127.0.0.1:$SMS_PORT"
rm -f "$server_log"
python -m app serve 2>"$server_log" &
server=$!
until_says 'server ready' "$server_log" "$server"

if [ "$gateway" = smpp ]; then
    python -m app trigger "$name" --gateway smpp --template '{name}{honorific}，您好' --watch
    python -m app status "$name"
    sent=$(python -m app status "$name" --json | python -c 'import json, sys; print(json.load(sys.stdin)["sent"])')
    stop
    taken=$(awk -F '\t' '$4 != ""' "$centre_log" | wc -l)
    numbers=$(cut -f 3 "$centre_log" | sort -u | wc -l)
    echo
    echo "On record as sent $sent; in the centre's log $taken messages to $numbers numbers"
    echo "The centre's log:    $centre_log"
    echo "The server's log:    $server_log"
    echo "The database:        $DATABASE_URL"
    how_to_look
    [ "$sent" -eq "$taken" ] && [ "$taken" -eq "$numbers" ]
    exit
fi

python -m app trigger "$name" --watch
python -m app report "$name"
stop

echo
echo "The messages:        $SMS_LOG_DIR/$name/task_*.log"
echo "The server's log:    $server_log"
echo "The database:        $DATABASE_URL"
how_to_look
