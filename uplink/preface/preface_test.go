package preface_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/net/http2"

	"github.com/stampd/stampd/uplink/preface"
)

const ack = "\x00\x00\x00\x04\x01\x00\x00\x00\x00"

// wire keeps what is written to it, piece by piece, and takes only so many bytes of each when it is to fail.
type wire struct {
	pieces []string
	takes  int // of each piece, when above 0
}

var errCut = errors.New("cut")

func (w *wire) Write(b []byte) (int, error) {
	if w.takes > 0 && w.takes < len(b) {
		return w.takes, errCut
	}
	w.pieces = append(w.pieces, string(b))
	return len(b), nil
}

func TestPieces(t *testing.T) {
	tests := map[string]struct{ writes, want []string }{
		"client":                           {[]string{http2.ClientPreface, "settings", ack, "request", "more"}, []string{http2.ClientPreface + "settings", ack + "request", "more"}},
		"server":                           {[]string{"settings", ack, "answer", "more"}, []string{"settings", ack + "answer", "more"}},
		"no acknowledgement":               {[]string{"settings", "answer", "more"}, []string{"settings", "answer", "more"}},
		"acknowledgement with company":     {[]string{"settings", ack + "answer"}, []string{"settings", ack + "answer"}},
		"later acknowledgements pass":      {[]string{"settings", "answer", ack, "more"}, []string{"settings", "answer", ack, "more"}},
		"an acknowledgement comes at once": {[]string{ack, "settings"}, []string{ack, "settings"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var to wire
			w := preface.New(&to)
			for _, b := range tt.writes {
				if n, err := w.Write([]byte(b)); n != len(b) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", b, n, err)
				}
			}
			if !slices.Equal(to.pieces, tt.want) {
				t.Errorf("sent %q, want %q", to.pieces, tt.want)
			}
		})
	}
}

// What was held back is not the caller's of the write that fails.
func TestShortWrite(t *testing.T) {
	for taken, want := range map[int]int{3: 0, len(ack) + 2: 2} {
		to := &wire{}
		w := preface.New(to)
		for _, b := range []string{"settings", ack} {
			if _, err := w.Write([]byte(b)); err != nil {
				t.Fatal(err)
			}
		}
		to.takes = taken
		if n, err := w.Write([]byte("request")); n != want || !errors.Is(err, errCut) {
			t.Errorf("Write = %d, %v after %d bytes, want %d, %v", n, err, taken, want, errCut)
		}
	}
}
