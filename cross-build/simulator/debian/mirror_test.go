package debian

import (
	"errors"
	"testing"
)

func TestMirrorIn(t *testing.T) {
	for name, test := range map[string]struct{ targets, want string }{
		"a Debian": {
			targets: "https://apt.example.org/tools/ stable main Tools\n" +
				"http://mirror.example.org/debian-security/ bookworm-security main Debian-Security\n" +
				"http://mirror.example.org/debian/ bookworm-updates main Debian\n" +
				"http://mirror.example.org/debian/ bookworm contrib Debian\n" +
				"http://mirror.example.org/debian/ bookworm main Debian\n",
			want: "http://mirror.example.org/debian/",
		},
		"another system": {targets: "http://archive.example.org/other/ noble main Other\n"},
		"nothing":        {},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mirrorIn(test.targets)
			if got != test.want || (test.want == "") != errors.Is(err, ErrNoMirror) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
