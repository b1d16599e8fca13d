package block_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/block"
	"github.com/stampd/stampd/uplink/block/blocktest"
	"github.com/stampd/stampd/uplink/wire"
)

// A block in the form of before, as terminals have it in their queues.
func TestDecodePlain(t *testing.T) {
	events := rounds(t, 3, blocktest.Options{})
	b, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	got, err := block.Decode(b)
	if err != nil || len(got) != len(events) {
		t.Fatalf("%d events became %d (error %v)", len(events), len(got), err)
	}
	for i := range events {
		if !bytes.Equal(got[i], events[i]) {
			t.Errorf("event %d: %x became %x", i, events[i], got[i])
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := checkRoundTrip(t, rounds(t, 5, blocktest.Options{}))
	plain := func(events ...[]byte) []byte {
		b, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := map[string]struct {
		block []byte
		want  string
	}{
		"nothing":                     {nil, "empty"},
		"another version":             {append([]byte{2}, good[1:]...), "version 2"},
		"version alone":               {good[:1], ""},
		"half of it":                  {good[:len(good)/2], ""},
		"all but the last byte":       {good[:len(good)-1], ""},
		"zeros and a byte more":       {append(bytes.Clone(good), 0, 0, 0, 0, 7), "damaged"},
		"plain, cut":                  {plain([]byte("event"))[:4], "TelemetryBlock"},
		"plain, with another field":   {append(plain([]byte("event")), 0x10, 1), "TelemetryBlock"},
		"plain, with 1,001 events":    {plain(make([][]byte, 1001)...), "too many"},
		"plain, with more than a MiB": {plain(make([]byte, block.MaxBytes), []byte{1}), "too much"},
		"1,024 events":                {[]byte{1, 0xFF, 0xFF, 0xFF, 0xFF}, "too many"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := block.Decode(test.block)
			if err == nil || got != nil {
				t.Fatalf("got %d events and error %v", len(got), err)
			}
			if newer := name == "another version"; errors.Is(err, block.ErrVersion) != newer {
				t.Errorf("error %q is one of the version: %v, want %v", err, !newer, newer)
			}
			if !strings.HasPrefix(err.Error(), "cannot decode block: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %q, want one with %q", err, test.want)
			}
		})
	}
}

// A bit that flips is noticed, unless it is one that no event depends on.
func TestDecodeDamaged(t *testing.T) {
	events := rounds(t, 5, blocktest.Options{Jitter: blocktest.Jitter})
	good := checkRoundTrip(t, events)
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if got, err := block.Decode(bad); err == nil && !slices.EqualFunc(got, events, bytes.Equal) {
				t.Errorf("bit %d of byte %d flipped, and nobody noticed", bit, i)
			}
		}
	}
}

// checkBounded opens a block from anywhere and checks what Decode promises of its memory.
func checkBounded(t *testing.T, b []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	events, err := block.Decode(b)
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(min(256<<10+len(b)<<13, 16<<20)); got > most {
		t.Errorf("a block of %d bytes took %d bytes of memory, want no more than %d", len(b), got, most)
	}
	if took > 10*time.Second {
		t.Errorf("a block of %d bytes took %v", len(b), took)
	}
	size := 0
	for _, e := range events {
		size += len(e)
	}
	if err == nil && (len(events) == 0 || len(events) > block.MaxEvents || size > block.MaxBytes) {
		t.Errorf("%d events of %d bytes", len(events), size)
	}
}

func TestDecodeBounded(t *testing.T) {
	for name, fill := range map[string]func(b []byte){
		"zeros":  func([]byte) {},
		"ones":   func(b []byte) { copy(b, bytes.Repeat([]byte{0xFF}, len(b))) },
		"waves":  func(b []byte) { copy(b, bytes.Repeat([]byte{0x00, 0xFF}, len(b))) },
		"random": func(b []byte) { fillRandom(b, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 5, 8, 13, 50, 200, 1000, 5000, 50_000, 2 << 20} {
				b := make([]byte, 1+n)
				fill(b[1:])
				b[0] = 1
				checkBounded(t, b)
				b[1] = 0x10 // a few events
				checkBounded(t, b)
			}
		})
	}
	t.Run("changed", func(t *testing.T) {
		r := newRandom(3)
		for seed := range uint64(100) {
			var events []*wire.Event
			for range 1 + r.IntN(100) {
				events = append(events, newRandom(seed).event())
			}
			b := checkRoundTrip(t, encoded(t, events...))
			for range 1 + r.IntN(4) {
				b[1+r.IntN(len(b)-1)] ^= byte(1 + r.IntN(255))
			}
			if b = b[:1+r.IntN(len(b))]; r.IntN(2) == 0 {
				b = append(b, make([]byte, r.IntN(5000))...)
			}
			checkBounded(t, b)
		}
	})
	t.Run("packed tight", func(t *testing.T) {
		for _, size := range []int{0, 10, 100, 1000} {
			detail := strings.Repeat("x", size)
			event := &wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: &wire.Lifecycle{Detail: detail}}}
			var events []*wire.Event
			for range block.MaxEvents {
				events = append(events, event)
			}
			checkBounded(t, checkRoundTrip(t, encoded(t, events...)))
		}
	})
}

func fillRandom(b []byte, seed uint64) {
	r := newRandom(seed)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0x0A, 0x00})
	for n := range 3 {
		b, err := block.Encode(rounds(f, 1+4*n, blocktest.Options{Number: uint64(n), Times: blocktest.Times(n)}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	r := newRandom(5)
	for range 5 {
		b, err := block.Encode(encoded(f, r.event(), r.event(), r.event()))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkBounded(t, b)
		events, err := block.Decode(b)
		if err != nil {
			return
		}
		checkRoundTrip(t, events)
	})
}

func FuzzRoundTrip(f *testing.F) {
	add := func(events [][]byte) {
		b, err := proto.Marshal(&wire.TelemetryBlock{Events: events})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	add([][]byte{nil, {0x0a}, {0x08, 0x01}, []byte("text")})
	for n := range 3 {
		add(rounds(f, 1+n, blocktest.Options{Number: uint64(n), Times: blocktest.Times(n)}))
	}
	r := newRandom(6)
	for range 5 {
		add(encoded(f, r.event(), r.event(), r.event()))
	}
	add(newFields(5))
	add([][]byte{nest(3), nest(9)})
	f.Fuzz(func(t *testing.T, b []byte) {
		var packed wire.TelemetryBlock
		if proto.Unmarshal(b, &packed) != nil || len(packed.Events) == 0 {
			packed.Events = [][]byte{b, b}
		}
		if events := packed.Events; len(events) <= block.MaxEvents && len(b) <= block.MaxBytes/2 {
			checkRoundTrip(t, events)
		}
	})
}

func ExampleDecode() {
	event, err := proto.Marshal(&wire.Event{Body: &wire.Event_Lifecycle{Lifecycle: &wire.Lifecycle{
		Kind: wire.LifecycleKind_LIFECYCLE_KIND_STARTED, Version: "1.0.0",
	}}})
	if err != nil {
		panic(err)
	}
	packed, err := block.Encode([][]byte{event, event, event})
	if err != nil {
		panic(err)
	}
	events, err := block.Decode(packed)
	fmt.Println(len(events), "events of", len(event), "bytes, in a block of", len(packed), err)
	// Output: 3 events of 12 bytes, in a block of 13 <nil>
}
