package guest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stampd/stampd/cross-build/simulator/guest"
)

func TestFollow(t *testing.T) {
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		said string
		want int
		err  error
	}{
		"a whole life":      {`{"Event":"booted"}` + "\n" + `{"Event":"exited","Code":1}` + "\n" + `{"Event":"done"}` + "\n", 3, nil},
		"nothing after it":  {`{"Event":"done"}{"Event":"booted"}`, 1, nil},
		"no end":            {`{"Event":"booted"}`, 1, guest.ErrIncomplete},
		"cut in a report":   {`{"Event":"booted"}{"Eve`, 1, guest.ErrIncomplete},
		"nothing":           {"", 0, guest.ErrIncomplete},
		"something else":    {"Kernel panic", 0, guest.ErrIncomplete},
		"the reader's word": {`{"Event":"failed"}{"Event":"done"}`, 1, refused},
	} {
		t.Run(name, func(t *testing.T) {
			got := 0
			err := guest.Follow(strings.NewReader(test.said), func(r guest.Report) error {
				got++
				if r.Event == guest.Failed {
					return refused
				}
				return nil
			})
			if got != test.want || !errors.Is(err, test.err) || err != nil && test.err == nil {
				t.Errorf("%d reports, %v, want %d, %v", got, err, test.want, test.err)
			}
		})
	}
}
