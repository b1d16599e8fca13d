package identity

import (
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("a", 64)
	tests := []struct {
		name string
		in   string
		want ID
		ok   bool
	}{
		{"plain", "spiffe://stampd/merchant/m1/terminal/t1", ID{"m1", "t1"}, true},
		{"dots and dashes", "spiffe://stampd/merchant/cafe.north-1/terminal/0-a.b", ID{"cafe.north-1", "0-a.b"}, true},
		{"longest", "spiffe://stampd/merchant/" + long + "/terminal/" + long, ID{long, long}, true},
		{"a merchant called terminal", "spiffe://stampd/merchant/terminal/terminal/t1", ID{"terminal", "t1"}, true},
		{"empty", "", ID{}, false},
		{"other trust domain", "spiffe://example/merchant/m1/terminal/t1", ID{}, false},
		{"trust domain as prefix", "spiffe://stampd.example/merchant/m1/terminal/t1", ID{}, false},
		{"other scheme", "https://stampd/merchant/m1/terminal/t1", ID{}, false},
		{"capital scheme", "SPIFFE://stampd/merchant/m1/terminal/t1", ID{}, false},
		{"port", "spiffe://stampd:1/merchant/m1/terminal/t1", ID{}, false},
		{"user", "spiffe://u@stampd/merchant/m1/terminal/t1", ID{}, false},
		{"query", "spiffe://stampd/merchant/m1/terminal/t1?x", ID{}, false},
		{"fragment", "spiffe://stampd/merchant/m1/terminal/t1#x", ID{}, false},
		{"trailing slash", "spiffe://stampd/merchant/m1/terminal/t1/", ID{}, false},
		{"more path", "spiffe://stampd/merchant/m1/terminal/t1/x", ID{}, false},
		{"path in merchant", "spiffe://stampd/merchant/a/b/terminal/t1", ID{}, false},
		{"no merchant", "spiffe://stampd/merchant//terminal/t1", ID{}, false},
		{"no terminal", "spiffe://stampd/merchant/m1/terminal/", ID{}, false},
		{"terminal only", "spiffe://stampd/terminal/t1", ID{}, false},
		{"dot dot", "spiffe://stampd/merchant/../terminal/t1", ID{}, false},
		{"leading dash", "spiffe://stampd/merchant/m1/terminal/-t", ID{}, false},
		{"capital letter", "spiffe://stampd/merchant/m1/terminal/T1", ID{}, false},
		{"percent", "spiffe://stampd/merchant/m1/terminal/t%31", ID{}, false},
		{"newline", "spiffe://stampd/merchant/m1/terminal/t1\n", ID{}, false},
		{"nul", "spiffe://stampd/merchant/m1/terminal/t\x00", ID{}, false},
		{"not ascii", "spiffe://stampd/merchant/m1/terminal/té", ID{}, false},
		{"too long", "spiffe://stampd/merchant/m1/terminal/" + long + "a", ID{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(tt.in)
			if (err == nil) != tt.ok || got != tt.want {
				t.Fatalf("Parse = %+v, %v; want %+v, ok %v", got, err, tt.want, tt.ok)
			}
			if tt.ok && got.String() != tt.in {
				t.Errorf("String = %q, want %q", got.String(), tt.in)
			}
		})
	}
}

func TestFromCertificate(t *testing.T) {
	uri := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	good := uri("spiffe://stampd/merchant/m1/terminal/t1")
	tests := []struct {
		name string
		uris []*url.URL
		ok   bool
	}{
		{"one", []*url.URL{good}, true},
		{"none", nil, false},
		{"two", []*url.URL{good, uri("spiffe://stampd/merchant/m1/terminal/t2")}, false},
		{"one and something else", []*url.URL{good, uri("https://stampd.example")}, false},
		{"another's", []*url.URL{uri("spiffe://cluster.local/ns/default")}, false},
		{"user info", []*url.URL{uri("spiffe://x:y@stampd/merchant/m1/terminal/t1")}, false},
		{"escaped slash", []*url.URL{uri("spiffe://stampd/merchant/m1%2Fx/terminal/t1")}, false},
		{"escaped letter", []*url.URL{uri("spiffe://stampd/merchant/%6d1/terminal/t1")}, false},
		{"forced query", []*url.URL{uri("spiffe://stampd/merchant/m1/terminal/t1?")}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FromCertificate(&x509.Certificate{URIs: tt.uris})
			if (err == nil) != tt.ok {
				t.Fatalf("FromCertificate = %+v, %v; want ok %v", got, err, tt.ok)
			}
			if tt.ok && got != (ID{Merchant: "m1", Terminal: "t1"}) {
				t.Errorf("FromCertificate = %+v", got)
			}
		})
	}
}

func TestCurves(t *testing.T) {
	got := Curves()
	if slices.Contains(got, tls.X25519) == fips140.Enabled() {
		t.Errorf("Curves = %v with FIPS 140 mode %v", got, fips140.Enabled())
	}
	if !slices.Contains(got, tls.CurveP256) || slices.Contains(got, tls.X25519MLKEM768) {
		t.Errorf("Curves = %v, want P-256 and no hybrid group", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("spiffe://stampd/merchant/m1/terminal/t1")
	f.Add("spiffe://stampd/merchant/%6d1/terminal/t1?")
	f.Add("spiffe://stampd/merchant/terminal/terminal/terminal/terminal/t")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := Parse(s)
		if err != nil {
			return
		}
		if id.String() != s {
			t.Errorf("Parse(%q) = %+v, which is written %q", s, id, id.String())
		}
		u, err := url.Parse(s)
		if err != nil {
			t.Fatalf("accepted %q, which is no URL: %v", s, err)
		}
		if again, err := FromCertificate(&x509.Certificate{URIs: []*url.URL{u}}); err != nil || again != id {
			t.Errorf("FromCertificate = %+v, %v; want %+v", again, err, id)
		}
	})
}
