# The parent of a ClickHouse server, so that the server never outlives its owner.
#
#   sh warden.sh TEMPORARY COMMAND [ARGUMENT...]
#
# The first line printed is the server's process id. The warden reads file
# descriptor 3 to its end: the owner holds the other end, so that comes when the
# owner lets go, and also when the owner dies, however it dies. Then the warden stops
# the server. An owner that died without a word has left the directory TEMPORARY
# behind (unless that is empty): the warden removes it. File descriptor 4 is the
# owner's lock on the directory: it is only held, until warden and server have ended.
temporary=$1
shift
sh -c 'echo $$; exec "$@"' server "$@" 3<&- </dev/null &
server=$!
exec >/dev/null 2>&1 # so that our output ends when the server's does
trap '' INT TERM HUP # the owner decides, not the terminal

while read -r word <&3; do
	if [ "$word" = done ]; then temporary=; fi
done

kill -TERM "$server"
kill -CONT "$server" # in case that it is paused
patience=200
while kill -0 "$server" && [ "$patience" -gt 0 ]; do
	sleep 0.05
	patience=$((patience - 1))
done
kill -KILL "$server"
wait "$server"
if [ -n "$temporary" ]; then rm -rf "$temporary"; fi
