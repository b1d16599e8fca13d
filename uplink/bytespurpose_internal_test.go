package uplink

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// script writes a random client's side of a connection, as gRPC does, and returns it with what is announced and what each
// purpose has of it.
func script(t *testing.T, rng *rand.Rand) (wire []byte, messages []announced, want [purposes]int) {
	t.Helper()
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	f := http2.NewFramer(&out, nil)
	var data []byte // what is still to go into frames
	for range 1 + rng.IntN(20) {
		var err error
		switch rng.IntN(6) {
		case 0:
			err = f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		case 1:
			err = f.WritePing(rng.IntN(2) == 0, [8]byte{1})
		case 2:
			err = errors.Join(f.WriteWindowUpdate(0, 1000), f.WriteData(1, false, nil))
		case 3:
			p, size := purpose(rng.IntN(purposes)), rng.IntN(400)
			messages = append(messages, announced{p, messagePrefix + size})
			want[p] += messagePrefix + size
			data = append(data, make([]byte, messagePrefix+size)...)
		default:
			n := rng.IntN(len(data) + 1)
			err = f.WriteData(1, false, data[:n])
			data = data[n:]
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.WriteData(1, false, data); err != nil {
		t.Fatal(err)
	}
	want[forOverhead] = 0
	return out.Bytes(), messages, want
}

// Whatever is written, in whatever pieces, each purpose gets what is its own.
func TestPurposes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		written, messages, want := script(t, rng)
		f := frames{pass: len(http2.ClientPreface), messages: messages}
		var got [purposes]int
		for len(written) > 0 {
			part := 1 + rng.IntN(min(len(written), 1+rng.IntN(60)))
			for p, n := range f.sort(written[:part]) {
				got[p] += n
			}
			written = written[part:]
		}
		if got != want {
			t.Fatalf("counted %v, want %v", got, want)
		}
	}
}

// torn is a connection that takes a random part of each write, or all of it.
type torn struct {
	net.Conn
	rng   *rand.Rand
	taken uint64
}

func (c *torn) Write(b []byte) (int, error) {
	if c.rng.IntN(4) > 0 {
		c.taken += uint64(len(b))
		return len(b), nil
	}
	n := c.rng.IntN(len(b) + 1)
	c.taken += uint64(n)
	return n, io.ErrClosedPipe
}

// Writes that fail halfway add up as well: a purpose never has more than was written.
func TestPurposesOfTornWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := &meter{now: func() instant { return instant{wall: time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)} }}
		below := &torn{rng: rng}
		conn := m.counted(below)
		written, messages, want := script(t, rng)
		s := newSorter(conn, conn)
		s.frames.messages = messages
		for len(written) > 0 {
			part := 1 + rng.IntN(min(len(written), 200))
			_, _ = s.Write(written[:part])
			written = written[part:]
		}
		if m.total.sentBytes() != below.taken {
			t.Fatalf("%d bytes are counted of %d", m.total.sentBytes(), below.taken)
		}
		for _, p := range []purpose{forLedger, forTelemetry} {
			if m.total.sent[p] > uint64(want[p]) {
				t.Fatalf("%d bytes for %d, of %d", m.total.sent[p], p, want[p])
			}
		}
		if all := m.calendar.all(m.now()); len(all) != 1 || all[0].traffic != m.total {
			t.Fatalf("the day has %v of %v", all, m.total)
		}
	}
}

// A meter outlives the connections that are gone.
func TestMeterOfClosedConnections(t *testing.T) {
	m := &meter{now: func() instant { return instant{boot: time.Hour, known: true} }}
	here, there := net.Pipe()
	defer there.Close()
	first := m.counted(here)
	second := m.counted(&torn{rng: rand.New(rand.NewPCG(1, 2))})
	_ = first.Close()
	if m.current != second {
		t.Error("closing a connection took away the one after it")
	}
}
