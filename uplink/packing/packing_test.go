package packing

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// payment is a record like those of the ledger: a random key, and what is the same in all.
func payment(rng *rand.Rand, i int) []byte {
	key := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", rng.Uint32(), i%65536, rng.IntN(1<<12), rng.IntN(1<<12), rng.Int64N(1<<48))
	return fmt.Appendf(nil, "\x0a\x1f\x08\xf0boot-id-of-16-byt\x12\x24%s\x10%cEUR visa 4242", key, byte(rng.IntN(256)))
}

func equal(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	many := make([][]byte, 1000)
	for i := range many {
		many[i] = payment(rng, i)
	}
	batches := map[string][][]byte{
		"one":                     {payment(rng, 1)},
		"another":                 {payment(rng, 2)},
		"nothing":                 {},
		"an empty one":            {{}},
		"many":                    many,
		"noise":                   {noise(300)},
		"a UUID":                  {[]byte("0123abcd-0123-4567-89ab-0123456789ab")},
		"a UUID in the middle":    {[]byte("x-0123abcd-0123-4567-89ab-0123456789ab-x")},
		"two UUIDs":               {[]byte("0123abcd-0123-4567-89ab-0123456789ab0123abcd-0123-4567-89ab-0123456789ab")},
		"a UUID in capitals":      {[]byte("0123ABCD-0123-4567-89AB-0123456789AB")},
		"not quite a UUID":        {[]byte("0123abcd-0123-4567-89ab-0123456789a"), []byte("0123abcd-0123-4567-89ab-0123456789ag"), []byte("0123abcd-0123-4567-89ab_0123456789ab")},
		"digits":                  {[]byte("0000"), []byte("999999999999999999"), []byte("0123456789012345678901234567890123456789"), []byte("123"), []byte("a0042b9999c")},
		"digits and a UUID":       {[]byte("00420123abcd-0123-4567-89ab-0123456789ab0042"), []byte("0123abcd-0123-4567-89ab-0123456789ab-0123456789ab")},
		"dashes":                  {bytes.Repeat([]byte("-"), 100), []byte("--------")},
		"larger than the history": {bytes.Repeat(payment(rng, 3), 100)},
		"a large one of noise":    {noise(200 << 10), payment(rng, 4)},
		"as large as the history": {bytes.Repeat([]byte{7}, historySize-2)},
	}
	names := make([]string, 0, len(batches))
	for name := range batches {
		names = append(names, name)
	}
	var p Packer
	var u Unpacker
	for round := range 200 {
		name := names[rng.IntN(len(names))]
		records := batches[name]
		packed := p.Pack(records)
		if packed == nil {
			u.Skip(records)
			continue
		}
		got, err := u.Unpack(packed, 1000, 512<<10)
		if err != nil || !equal(got, records) {
			t.Fatalf("round %d, %s: %d records, %v", round, name, len(got), err)
		}
		if !bytes.Equal(p.history, u.history) || len(p.history) > historySize || cap(p.history) > 4*historySize {
			t.Fatalf("round %d, %s: the ends remember %d and %d bytes, of %d", round, name, len(p.history), len(u.history), cap(p.history))
		}
	}
}

// A lone payment is sent in half of its bytes once there was one before it.
func TestLonePayment(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var p Packer
	p.Pack([][]byte{payment(rng, 1)})
	record := payment(rng, 2)
	if packed := p.Pack([][]byte{record}); len(packed) > len(record)*6/10 || packed == nil {
		t.Errorf("%d bytes became %d", len(record), len(packed))
	}
}

func TestHostile(t *testing.T) {
	var p Packer
	good := p.Pack([][]byte{[]byte("hello hello hello hello"), []byte("hello again, hello again")})
	bomb := pack(t, strings.Repeat("\x00", 10<<20))
	for name, packed := range map[string][]byte{
		"empty":              {},
		"not deflate":        []byte("\xff\xff\xff"),
		"cut":                good[:len(good)-4],
		"cut plain form":     pack(t, "\x05\x00hell"),
		"cut UUID":           pack(t, "\x24\x01\x00\x24hell"),
		"UUID past the end":  pack(t, "\x24\x01\x01\x24"+strings.Repeat("x", 60)),
		"UUID in too little": pack(t, "\x23\x01\x00\x24"+strings.Repeat("x", 60)),
		"part of no size":    pack(t, "\x24\x01\x00\x03"+strings.Repeat("x", 60)),
		"too many parts":     pack(t, "\x08\x03\x00\x04\x00\x04\x00\x04"+strings.Repeat("x", 60)),
		"more digits":        pack(t, "\x04\x01\x00\x04\xff\xff"),
		"length without end": pack(t, strings.Repeat("\xff", 20)),
		"too large a record": pack(t, "\xff\xff\xff\xff\x0f"),
		"bomb":               bomb,
	} {
		t.Run(name, func(t *testing.T) {
			var u Unpacker
			if records, err := u.Unpack(packed, 1000, 512<<10); !errors.Is(err, ErrMalformed) {
				t.Errorf("%d records, %v", len(records), err)
			}
		})
	}
	var u Unpacker
	if _, err := u.Unpack(good, 1, 512<<10); !errors.Is(err, ErrMalformed) {
		t.Errorf("two records where one may be: %v", err)
	}
}

// pack deflates what a packer would never write.
func pack(t *testing.T, plain string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(plain))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte(tail))
}

// FuzzUnpack holds whatever can be unpacked to the limits, and to being packed and unpacked to the same.
func FuzzUnpack(f *testing.F) {
	var p Packer
	f.Add([]byte{}, p.Pack([][]byte{[]byte("hello hello hello hello")}))
	f.Add([]byte("x"), p.Pack([][]byte{bytes.Repeat([]byte("0123abcd-0123-4567-89ab-0123456789ab"), 2)}))
	f.Add([]byte("hello again and again"), p.Pack([][]byte{[]byte("hello hello hello hello"), []byte("hello")}))
	f.Fuzz(func(t *testing.T, before, packed []byte) {
		const maxRecords, maxBytes = 50, 5000
		var u Unpacker
		u.Skip([][]byte{before})
		records, err := u.Unpack(packed, maxRecords, maxBytes)
		if err != nil {
			return
		}
		size := 0
		for _, r := range records {
			size += len(r)
		}
		if len(records) > maxRecords || size > maxBytes {
			t.Fatalf("%d records of %d bytes", len(records), size)
		}
		var again Packer
		again.Skip([][]byte{before})
		if packed = again.Pack(records); packed == nil {
			return
		}
		u = Unpacker{}
		u.Skip([][]byte{before})
		if got, err := u.Unpack(packed, maxRecords, maxBytes); err != nil || !equal(got, records) {
			t.Fatalf("%v", err)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	batch := make([][]byte, 1000)
	for i := range batch {
		batch[i] = payment(rng, i)
	}
	var p Packer
	packed := 0
	for b.Loop() {
		packed = len(p.Pack(batch))
	}
	b.ReportMetric(float64(packed)/1000, "B/record")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/record")
}

func BenchmarkPackLone(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var p Packer
	packed, n := 0, 0
	for b.Loop() {
		packed += len(p.Pack([][]byte{payment(rng, n)}))
		n++
	}
	b.ReportMetric(float64(packed)/float64(n), "B/record")
}
