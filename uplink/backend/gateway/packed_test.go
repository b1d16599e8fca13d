package gateway

import (
	"crypto/sha256"
	"encoding/binary"
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

// However many batches one ack is for, at most fifteen acks in a row leave the chain out.
func TestChainIsToldInEverySixteenthAck(t *testing.T) {
	const batches, size = 600, 20
	term := start(t).connect("m1", "t1")
	term.hello(greeting("t1"))
	term.welcome()
	var chain [32]byte
	var packer packing.Packer
	for n := range uint64(batches) {
		b := readings(t, 1+n*size, size)
		b.LaneIndex = 0
		for i, r := range b.Records {
			d := sha256.New()
			d.Write(chain[:])
			d.Write(binary.BigEndian.AppendUint64(nil, b.FirstSeq+uint64(i)))
			d.Write(r)
			chain = [32]byte(d.Sum(nil))
		}
		b.Chain = append([]byte(nil), chain[:8]...)
		if b.Packed = packer.Pack(b.Records); b.Packed != nil {
			b.Records = nil
		}
		term.send(b)
	}
	silent, acks := 0, 0
	for through := uint64(0); through < batches*size; acks++ {
		a := term.ack()
		through = a.GetThrough()
		if silent++; len(a.GetChain()) > 0 {
			silent = 0
		}
		if silent > 15 {
			t.Fatalf("%d acks in a row without the chain", silent)
		}
	}
	if acks == batches {
		t.Log("no ack was for more than one batch")
	}
}
