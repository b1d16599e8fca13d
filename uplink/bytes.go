package uplink

import "github.com/stampd/stampd/uplink/wire"

// purpose is what sent bytes are for.
type purpose int

// The purposes.
const (
	forLedger    purpose = 0
	forTelemetry purpose = 1
	forOverhead  purpose = 2
	purposes             = 3
)

// traffic is what went over connections, in bytes.
type traffic struct {
	sent                 [purposes]uint64
	received             uint64
	sentTCP, receivedTCP uint64
	tcpKnown             bool
}

func (t *traffic) add(u traffic) {
	for p := range t.sent {
		t.sent[p] += u.sent[p]
	}
	t.received += u.received
	t.sentTCP += u.sentTCP
	t.receivedTCP += u.receivedTCP
	t.tcpKnown = t.tcpKnown || u.tcpKnown
}

// sentBytes returns what was sent, for whatever it was.
func (t *traffic) sentBytes() (n uint64) {
	for _, sent := range t.sent {
		n += sent
	}
	return n
}

func (t *traffic) message() *wire.Traffic {
	m := &wire.Traffic{
		SentLedgerBytes: t.sent[forLedger], SentTelemetryBytes: t.sent[forTelemetry], SentOverheadBytes: t.sent[forOverhead],
		ReceivedOverheadBytes: t.received,
	}
	if t.tcpKnown {
		m.SentTcpBytes, m.ReceivedTcpBytes = new(t.sentTCP), new(t.receivedTCP)
	}
	return m
}

// trafficOf returns what a message says. What TCP took is known when both directions are.
func trafficOf(m *wire.Traffic) traffic {
	t := traffic{
		sent:     [purposes]uint64{m.GetSentLedgerBytes(), m.GetSentTelemetryBytes(), m.GetSentOverheadBytes()},
		received: m.GetReceivedOverheadBytes(),
	}
	if m != nil && m.SentTcpBytes != nil && m.ReceivedTcpBytes != nil {
		t.sentTCP, t.receivedTCP, t.tcpKnown = m.GetSentTcpBytes(), m.GetReceivedTcpBytes(), true
	}
	return t
}
