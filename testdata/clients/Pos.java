// A point-of-sale client in Java, for Linux: grpc-netty with netty's native epoll transport, and stubs of protoc-gen-grpc-java:
//
//   protoc -I uplink/wire --java_out=src --grpc-java_out=src uplink/wire/*.proto
//
// Run it with the socket and a key: it records a payment of 12.50 EUR under the key, and watches the status.
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.unix.DomainSocketAddress;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import stampd.v1.Ledger;
import stampd.v1.Local;
import stampd.v1.LocalServiceGrpc;

public final class Pos {
  // What leaves the outcome unknown. A connection that breaks is UNAVAILABLE.
  private static final Set<Status.Code> UNKNOWN = EnumSet.of(
      Status.Code.UNAVAILABLE, Status.Code.DEADLINE_EXCEEDED, Status.Code.INTERNAL, Status.Code.CANCELLED, Status.Code.UNKNOWN);

  public static void main(String[] args) throws InterruptedException {
    EventLoopGroup loops = new EpollEventLoopGroup(1);
    ManagedChannel channel = NettyChannelBuilder.forAddress(new DomainSocketAddress(args[0]))
        .channelType(EpollDomainSocketChannel.class)
        .eventLoopGroup(loops)
        .overrideAuthority("stampd")
        .usePlaintext()
        .build();
    LocalServiceGrpc.LocalServiceBlockingStub stub = LocalServiceGrpc.newBlockingStub(channel);

    Local.RecordPaymentResponse recorded = record(stub, args[1]);
    System.out.printf("recorded: auth_mode %s, duplicate %b%n", recorded.getAuthMode(), recorded.getDuplicate());
    watch(stub);
    channel.shutdownNow();
    loops.shutdownGracefully();
  }

  // Makes the call until its outcome is known. The request, and so its key, stays the same.
  static Local.RecordPaymentResponse record(LocalServiceGrpc.LocalServiceBlockingStub stub, String key) throws InterruptedException {
    Local.RecordPaymentRequest request = Local.RecordPaymentRequest.newBuilder()
        .setPayment(Ledger.Payment.newBuilder()
            .setIdempotencyKey(key)
            .setKind(Ledger.PaymentKind.PAYMENT_KIND_AUTHORISED)
            .setAuthMode(Ledger.AuthMode.AUTH_MODE_ONLINE)
            .setAmountMinor(1250)
            .setCurrency("EUR"))
        .build();
    for (long wait = 1; ; wait = Math.min(2 * wait, 30)) {
      try {
        return stub.withDeadlineAfter(40, TimeUnit.SECONDS).recordPayment(request);
      } catch (StatusRuntimeException e) {
        if (!UNKNOWN.contains(e.getStatus().getCode())) {
          throw e;
        }
      }
      TimeUnit.SECONDS.sleep(wait);
    }
  }

  // Says how things are, at once and at each change, until the stream ends: then watch again.
  static void watch(LocalServiceGrpc.LocalServiceBlockingStub stub) {
    try {
      Iterator<Local.WatchStatusResponse> messages = stub.watchStatus(Local.WatchStatusRequest.newBuilder().setEverySeconds(30).build());
      while (messages.hasNext()) {
        Local.WatchStatusResponse m = messages.next();
        System.out.printf("watched: %s, %d in the ledger%n", m.getUplink(), m.getLedger().getRecords());
      }
    } catch (StatusRuntimeException e) {
      System.out.println("watched: the stream ended with " + e.getStatus().getCode());
    }
  }
}
