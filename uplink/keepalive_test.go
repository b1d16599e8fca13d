package uplink_test

import (
	"crypto/tls"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/stampd/stampd/uplink"
)

// pingBytes is what a probe of an idle link costs one way: an HTTP/2 PING of 17 bytes in a TLS record of 22.
const pingBytes = 39

// TestIdleLinkSendsPingsOnly waits for a probe of an idle link at the shortest setting, which is gRPC's own floor and the
// reference gateway's: nothing else is sent, and the gateway does not mind.
func TestIdleLinkSendsPingsOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 11 seconds")
	}
	t.Parallel()
	b := newBench(t, func(certs string) string {
		address, _ := serveGateway(t, certs)
		return address
	}, func(o *uplink.Options) { o.Keepalive = 10 * time.Second })
	b.run()
	eventually(t, "the terminal to be online", b.client.Online)
	time.Sleep(200 * time.Millisecond) // for what belongs to the start
	before := b.client.Status()
	time.Sleep(10*time.Second + 300*time.Millisecond)
	after := b.client.Status()
	up, down := after.GetSentBytes()-before.GetSentBytes(), after.GetReceivedBytes()-before.GetReceivedBytes()
	t.Logf("%d bytes up and %d down in one probe", up, down)
	if up != pingBytes || down != pingBytes || after.GetConnects() != 1 || !b.client.Online() {
		t.Errorf("%d up, %d down, %d connects; want %d and %d, 1", up, down, after.GetConnects(), pingBytes, pingBytes)
	}
}

// The gateway takes no more pings than that: a terminal with a broken setting is told to calm down, and can't drain a
// fleet's data plan unnoticed.
func TestGatewayWantsNoMorePings(t *testing.T) {
	var address string
	b := newBench(t, func(certs string) string { address, _ = serveGateway(t, certs); return address }, nil)
	pair, err := tls.LoadX509KeyPair(b.file("terminal.pem"), b.file("terminal.key"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", address, &tls.Config{
		Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, InsecureSkipVerify: true, //nolint:gosec // nothing is sent that matters
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := f.WritePing(false, [8]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatalf("it is not told: %v", err)
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok {
			if away.ErrCode != http2.ErrCodeEnhanceYourCalm {
				t.Errorf("it is told %v", away.ErrCode)
			}
			return
		}
	}
}
