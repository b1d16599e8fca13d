package loyalty_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/stampd/stampd/loyalty"
)

// regular is the backend's row of a member who comes often: two terminals, a long past, consents, a payment card.
func regular(tb testing.TB) (loyalty.Row, []byte) {
	tb.Helper()
	var row loyalty.Row
	at := int64(1_800_000_000_000)
	for i := range 60 {
		e := loyalty.Entry{ID: id(fmt.Sprintf("t-000%d", 1+i%2), 40_000+317*i), Account: ref("anna"), Body: loyalty.Stamp{Stamps: 1}}
		switch {
		case i == 0:
			e.Body = loyalty.Enrol{}
		case i < 3:
			e.Body = loyalty.Consent{Purpose: loyalty.Purpose(i), Granted: true}
		case i%10 == 0:
			e.Body = loyalty.Redeem{Stamps: 9}
		}
		e.ID.Epoch = [16]byte{byte(1 + i%2), 0xAB}
		at += 86_400_000 + int64(i)*1_234_567
		e.At = loyalty.At(at)
		row.Apply(e)
	}
	rows, err := loyalty.Close(ref("anna"), func(loyalty.Ref) (loyalty.Row, error) { return row, nil }, loyalty.Keep{
		Terminal: "t-0001", AsOf: 1_000_000, Stamps: 5, Redemptions: 1,
		Through: []loyalty.Mark{{Terminal: "t-0001", Epoch: [16]byte{1, 0xAB}, Seq: 70_000}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	closed := rows[ref("anna")]
	closed.Expiry = loyalty.Expiry{At: loyalty.At(at), Stamps: 3}
	return closed, closed.Append(nil, ref("anna"))
}

func TestRegularsRowIsSmall(t *testing.T) {
	row, b := regular(t)
	if len(b) > 200 {
		t.Errorf("the row of a regular has %d bytes, want up to 200", len(b))
	}
	back, err := loyalty.DecodeRow(b, ref("anna"))
	if err != nil || !reflect.DeepEqual(back, row) {
		t.Errorf("came back as %+v, %v; want %+v", back, err, row)
	}
	t.Logf("%d bytes, %d entries open", len(b), len(row.Open))
}

func TestDecodeRowRefuses(t *testing.T) {
	_, good := regular(t)
	for i := range good {
		if _, err := loyalty.DecodeRow(good[:i], ref("anna")); !errors.Is(err, loyalty.ErrRow) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
	if _, err := loyalty.DecodeRow(append(bytes.Clone(good), 0), ref("anna")); !errors.Is(err, loyalty.ErrRow) {
		t.Errorf("a byte more: %v", err)
	}
	newer := bytes.Clone(good)
	newer[0]++
	if _, err := loyalty.DecodeRow(newer, ref("anna")); !errors.Is(err, loyalty.ErrRow) {
		t.Errorf("a later version: %v", err)
	}
}

// A row that is older than the one there, or comes again, changes nothing; a newer one takes over what it has.
func TestRenew(t *testing.T) {
	epoch := [16]byte{1}
	own := func(seq int) loyalty.Entry {
		return loyalty.Entry{ID: id("t-1", seq), Account: ref("anna"), Body: loyalty.Stamp{Stamps: 1}}
	}
	fresh := func(asOf, through uint64, stamps int64) loyalty.Row {
		return loyalty.Row{AsOf: asOf, Through: []loyalty.Mark{{Terminal: "t-1", Epoch: epoch, Seq: through}}, Closed: loyalty.Sums{Stamps: stamps}}
	}
	total := func(r loyalty.Row) int64 {
		return account(t, ref("anna"), func(loyalty.Ref) (loyalty.Row, error) { return r, nil }).Stamps
	}
	var row loyalty.Row
	for seq := 1; seq <= 3; seq++ {
		row.Apply(own(seq))
	}
	row = loyalty.Renew(row, fresh(10, 2, 2+5), "t-1") // another terminal gave 5
	if n := total(row); n != 8 {
		t.Errorf("%d stamps, want 8", n)
	}
	if row.Apply(own(1)) {
		t.Error("an entry that the backend has was applied")
	}
	if again := loyalty.Renew(row, fresh(9, 1, 1), "t-1"); total(again) != 8 {
		t.Errorf("an older row: %d stamps, want 8", total(again))
	}
	without := fresh(11, 0, 8)
	without.Through = nil // an epoch that is no longer told of
	if again := loyalty.Renew(loyalty.Renew(row, fresh(10, 3, 8), "t-1"), without, "t-1"); again.Apply(own(3)) || total(again) != 8 {
		t.Errorf("a row that says less: %d stamps, want 8", total(again))
	}
}

// Rows that name each other in a ring come to an end.
func TestGatherEnds(t *testing.T) {
	load := func(r loyalty.Ref) (loyalty.Row, error) {
		to := map[loyalty.Ref]loyalty.Ref{ref("anna"): ref("bert"), ref("bert"): ref("anna")}
		return loyalty.Row{To: to[r], Members: []loyalty.Ref{r, ref("anna")}}, nil
	}
	if a := account(t, ref("bert"), load); a.Ref != ref("anna") || len(a.Members) != 1 {
		t.Errorf("got %+v", a)
	}
}

func FuzzRow(f *testing.F) {
	_, good := regular(f)
	f.Add(good)
	w := newWorld(3, true)
	w.live(200, 2)
	for _, t := range w.terminals {
		for _, b := range t.rows {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := ref("anna")
		row, err := loyalty.DecodeRow(b, r)
		if err != nil {
			return
		}
		again, err := loyalty.DecodeRow(row.Append(nil, r), r)
		if err != nil || !reflect.DeepEqual(again, row) {
			t.Fatalf("came back as %+v, %v; want %+v", again, err, row)
		}
		load := func(loyalty.Ref) (loyalty.Row, error) { return row, nil }
		first := account(t, r, load)
		if second := account(t, r, load); !reflect.DeepEqual(first, second) {
			t.Fatalf("two readings: %+v and %+v", first, second)
		}
		for _, entry := range row.Open {
			if row.Apply(entry) {
				t.Fatalf("%+v was applied twice", entry)
			}
		}
	})
}
