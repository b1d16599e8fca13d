package buffer

import (
	"bytes"
	"reflect"
	"testing"
)

func sampleOverlay() *overlay {
	o := newOverlay()
	row := laneRecord{id: LaneID{Ledger, Epoch{1, 2}}, ordinal: 3, next: 7, acked: 4, head: head{9}}
	o.append(row, 5, []byte("five"))
	o.append(row, 6, nil)
	o.put(nameRow(Keys, []byte("key")), []byte("answer"))
	o.put(nameRow(Cards, []byte("card")), []byte{})
	o.put(nameRow(Entries, []byte("gone")), nil)
	o.notes = append(o.notes, make([]byte, noteHead+4))
	return o
}

func TestFrameRoundTrip(t *testing.T) {
	want := sampleOverlay()
	f := frame{owner: ownerOf("t-1"), generation: 5, index: 0, body: want.appendBody(nil)}
	b := f.append(nil)
	if int64(len(b)) != f.size() || len(b)%framePage != 0 {
		t.Fatalf("a frame of %d bytes, said to have %d", len(b), f.size())
	}
	got, err := readJournal(bytes.NewReader(b), int64(len(b)), ownerOf("t-1"), 5)
	if err != nil {
		t.Fatal(err)
	}
	want.lanes[LaneID{Ledger, Epoch{1, 2}}].records[1].value = []byte{}
	if got.damaged || got.generation != 5 || !reflect.DeepEqual(got.held, want) {
		t.Errorf("got %+v, want %+v", got.held, want)
	}
	for i := range frameHeader + len(f.body) {
		b[i] ^= 0x40
		if got, err := readJournal(bytes.NewReader(b), int64(len(b)), ownerOf("t-1"), 5); err != nil || !got.held.empty() {
			t.Fatalf("byte %d was changed, and nobody saw it (%v)", i, err)
		}
		b[i] ^= 0x40
	}
	if got, _ := readJournal(bytes.NewReader(b), int64(len(b)), ownerOf("t-1"), 6); !got.held.empty() {
		t.Error("a frame that the file has was replayed")
	}
}

func FuzzJournal(f *testing.F) {
	o := sampleOverlay()
	f.Add(frame{owner: ownerOf("t-1"), body: o.appendBody(nil)}.append(nil), o.appendBody(nil))
	f.Add([]byte{}, []byte{1})
	f.Add([]byte{}, []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, journal, body []byte) {
		_, _ = readJournal(bytes.NewReader(journal), int64(len(journal))/framePage*framePage, ownerOf("t-1"), 0)
		o, err := parseBody(body)
		if err != nil {
			return
		}
		again, err := parseBody(o.appendBody(nil))
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Errorf("a body changed when it was written again (%v)", err)
		}
	})
}
