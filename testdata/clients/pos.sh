#!/bin/sh
# A point-of-sale client with curl: pos.sh SOCKET KEY [WATCH_MS]
# It records a payment of 12.50 EUR under KEY, and watches the status for WATCH_MS milliseconds (2000 when not given).
set -eu
socket=$1 key=$2 watch=${3:-2000}
service=http://stampd/stampd.v1.LocalService

# call NAME BODY makes one call and prints its answer. It goes on for as long as the outcome is not known.
call() {
	wait=1
	while :; do
		if answer=$(curl -s --max-time 40 --unix-socket "$socket" -H 'Content-Type: application/json' -d "$2" "$service/$1"); then
			case $answer in
			*'"code":"unavailable"'* | *'"code":"deadline_exceeded"'* | *'"code":"internal"'* | *'"code":"canceled"'*) ;;
			*) break ;;
			esac
		fi
		echo "not answered, trying again with the same key in $wait s" >&2
		sleep "$wait"
		[ "$wait" -ge 30 ] || wait=$((wait * 2))
	done
	echo "$answer"
}

# field NAME takes a value out of the JSON on standard input.
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p"; }

answer=$(call RecordPayment '{"payment":{"idempotencyKey":"'"$key"'","kind":"PAYMENT_KIND_AUTHORISED","authMode":"AUTH_MODE_ONLINE","amountMinor":"1250","currency":"EUR"}}')
case $answer in
*'"code":"'*)
	echo "refused: $(echo "$answer" | field reason)" >&2
	exit 1
	;;
esac
echo "recorded: auth_mode $(echo "$answer" | field authMode), duplicate $(echo "$answer" | field duplicate)"

# Five bytes before each message of a stream: a zero, and its length in four. tr and grep take those of the answers off.
printf '\000\000\000\000\002{}' |
	curl -sN --unix-socket "$socket" -H 'Content-Type: application/connect+json' -H "Connect-Timeout-Ms: $watch" \
		--data-binary @- "$service/WatchStatus" |
	tr '\000\002' '\n\n' | grep -ao '{".*' |
	while read -r message; do
		case $message in
		'{"error":'*) echo "watched: the stream ended with $(echo "$message" | field reason)" ;;
		*) echo "watched: $(echo "$message" | field uplink), $(echo "$message" | sed 's/.*"ledger"//' | field records) in the ledger" ;;
		esac
	done
