# A point-of-sale client with grpcio. Generate the stubs from the repository's root, into the folder of this file:
#
#   pip install grpcio grpcio-tools
#   python3 -m grpc_tools.protoc -I uplink/wire --python_out=testdata/clients --grpc_python_out=testdata/clients uplink/wire/*.proto
#
# Then: python3 pos.py SOCKET KEY [WATCH_SECONDS]
# It records a payment of 12.50 EUR under KEY, and watches the status.
import sys
import time

import grpc

import connection_pb2
import ledger_pb2
import local_pb2
import local_pb2_grpc

# What leaves the outcome unknown. A connection that breaks is UNAVAILABLE.
UNKNOWN = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
}


def repeat(call, request):
    """Makes a call until its outcome is known. The request, and so its key, stays the same."""
    wait = 1
    while True:
        try:
            return call(request, timeout=40)
        except grpc.RpcError as e:
            if e.code() not in UNKNOWN:
                raise
            print(f"not answered ({e.code().name}), trying again with the same key in {wait} s", file=sys.stderr)
        time.sleep(wait)
        wait = min(2 * wait, 30)


def record(stub, key):
    """Records a payment and says what is known of it."""
    payment = ledger_pb2.Payment(
        idempotency_key=key,
        kind=ledger_pb2.PAYMENT_KIND_AUTHORISED,
        auth_mode=ledger_pb2.AUTH_MODE_ONLINE,
        amount_minor=1250,
        currency="EUR",
    )
    answer = repeat(stub.RecordPayment, local_pb2.RecordPaymentRequest(payment=payment))
    mode = ledger_pb2.AuthMode.Name(answer.auth_mode)
    print(f"recorded: auth_mode {mode}, duplicate {str(answer.duplicate).lower()}")


def watch(stub, seconds):
    """Says how things are, at once and at each change. An application leaves the timeout out, and watches again at the end."""
    try:
        for m in stub.WatchStatus(local_pb2.WatchStatusRequest(every_seconds=30), timeout=seconds):
            print(f"watched: {connection_pb2.UplinkState.Name(m.uplink)}, {m.ledger.records} in the ledger")
            for alarm in m.alarms:
                print(f"alarm: {alarm.text}; {alarm.hint}")
    except grpc.RpcError as e:
        print(f"watched: the stream ended with {e.code().name}")


def main(socket, key, seconds="2"):
    with grpc.insecure_channel("unix:" + socket, options=[("grpc.default_authority", "stampd")]) as channel:
        stub = local_pb2_grpc.LocalServiceStub(channel)
        record(stub, key)
        watch(stub, float(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
