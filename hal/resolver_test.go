package hal

import (
	"net/netip"
	"slices"
	"testing"
)

func TestParseResolver(t *testing.T) {
	a := func(texts ...string) (list []netip.Addr) {
		for _, text := range texts {
			list = append(list, netip.MustParseAddr(text))
		}
		return list
	}
	for _, test := range []struct {
		name, file string
		want       []netip.Addr
		unknown    bool
	}{
		{"empty", "", nil, false},
		{"no server", "# none\n; none\nsearch example\noptions edns0\n", nil, false},
		{"both families", "nameserver 192.0.2.1\nnameserver\t2001:db8::1\n", a("192.0.2.1", "2001:db8::1"), false},
		{"with a zone", "nameserver fe80::1%wlan0\n", a("fe80::1%wlan0"), false},
		{"a comment behind it", "nameserver 192.0.2.1 # the shop's\n", a("192.0.2.1"), false},
		{"indented, without an end", "  nameserver 192.0.2.1", a("192.0.2.1"), false},
		{"commented out", "#nameserver 192.0.2.1\n", nil, false},
		{"other keyword", "nameservers 192.0.2.1\n", nil, false},
		{"one that is none", "nameserver router\nnameserver 192.0.2.1\n", a("192.0.2.1"), false},
		{"none that is one", "nameserver router\n", nil, true},
		{"without an address", "nameserver\n", nil, true},
		{"with a port", "nameserver 192.0.2.1:53\n", nil, true},
		{"binary", "nameserver 192.0.2.1\n\x00", nil, true},
		{"zone with an escape", "nameserver fe80::1%\x1b[2J\n", nil, true},
	} {
		got, err := parseResolver([]byte(test.file))
		if !slices.Equal(got, test.want) || (err != nil) != test.unknown {
			t.Errorf("%s: got %v and %v, want %v", test.name, got, err, test.want)
		}
	}
}
