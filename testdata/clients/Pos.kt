// A point-of-sale client in Kotlin, for Android: grpc-okhttp, grpc-android (UdsChannelBuilder) and stubs of protoc-gen-grpc-kotlin.
//
// The application's user must be in local.pos_uids. It records a payment of 12.50 EUR under a key, and watches the status.
import android.net.LocalSocketAddress.Namespace
import io.grpc.Status
import io.grpc.StatusException
import io.grpc.android.UdsChannelBuilder
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.retryWhen
import stampd.v1.Ledger
import stampd.v1.Local
import stampd.v1.LocalServiceGrpcKt.LocalServiceCoroutineStub

// What leaves the outcome unknown. A connection that breaks is UNAVAILABLE.
private val UNKNOWN = setOf(
    Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.INTERNAL, Status.Code.CANCELLED, Status.Code.UNKNOWN,
)

fun connect(socket: String = "/run/stampd/stampd.sock"): LocalServiceCoroutineStub =
    LocalServiceCoroutineStub(UdsChannelBuilder.forPath(socket, Namespace.FILESYSTEM).usePlaintext().build())

// Makes the call until its outcome is known. The request, and so its key, stays the same. The answer says who decided (authMode)
// and whether the step was known already (duplicate).
suspend fun record(stub: LocalServiceCoroutineStub, key: String): Local.RecordPaymentResponse {
    val payment = Ledger.Payment.newBuilder()
        .setIdempotencyKey(key)
        .setKind(Ledger.PaymentKind.PAYMENT_KIND_AUTHORISED)
        .setAuthMode(Ledger.AuthMode.AUTH_MODE_ONLINE)
        .setAmountMinor(1250)
        .setCurrency("EUR")
    val request = Local.RecordPaymentRequest.newBuilder().setPayment(payment).build()
    var wait = 1L
    while (true) {
        try {
            return stub.withDeadlineAfter(40, TimeUnit.SECONDS).recordPayment(request)
        } catch (e: StatusException) {
            if (e.status.code !in UNKNOWN) throw e
        }
        delay(1000 * wait)
        wait = minOf(2 * wait, 30)
    }
}

// Tells how things are, at once and at each change, and watches again when the stream ends.
fun watch(stub: LocalServiceCoroutineStub): Flow<Local.WatchStatusResponse> =
    stub.watchStatus(Local.WatchStatusRequest.newBuilder().setEverySeconds(30).build())
        .retryWhen { cause, _ -> (cause is StatusException && cause.status.code in UNKNOWN).also { if (it) delay(1000) } }
