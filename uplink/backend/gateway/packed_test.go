package gateway

import (
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/stampd/stampd/uplink/packing"
	"github.com/stampd/stampd/uplink/wire"
)

// packed returns a batch with its records packed, as the first of a stream.
func packed(t *testing.T, b *wire.Batch) *wire.Batch {
	t.Helper()
	var p packing.Packer
	if b.Packed = p.Pack(b.Records); b.Packed == nil {
		t.Fatal("it can't be packed")
	}
	b.Records = nil
	return b
}

func TestPackedBatchesRefused(t *testing.T) {
	// One record would not be packed: it has nothing in common with others.
	record := func() *wire.Batch {
		b := readings(t, 1, 20)
		b.LaneIndex = 0
		return b
	}
	for name, make := range map[string]func() *wire.Batch{
		"not packed records": func() *wire.Batch { return &wire.Batch{FirstSeq: 1, Packed: []byte{0xff, 0xff}} },
		"both forms": func() *wire.Batch {
			b := packed(t, record())
			b.Records = record().Records
			return b
		},
		"telemetry": func() *wire.Batch {
			b := packed(t, record())
			b.LaneIndex = 1
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			term := start(t).connect("m1", "t1")
			term.hello(greeting("t1"))
			if got := term.welcome().GetPacking(); got != 1 {
				t.Errorf("the Welcome offers packing %d", got)
			}
			term.send(make())
			term.refused(codes.InvalidArgument)
		})
	}
}
