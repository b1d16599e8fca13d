package pkcs7

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"
)

// newCert returns a certificate of its own, numbered.
func newCert(t testing.TB, serial int64) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func marshal(t testing.TB, certs ...*x509.Certificate) []byte {
	t.Helper()
	der, err := Marshal(certs...)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestRoundTrip(t *testing.T) {
	var certs []*x509.Certificate
	for n := range MaxCertificates {
		certs = append(certs, newCert(t, int64(n+1)))
		got, err := Parse(marshal(t, certs...))
		if err != nil {
			t.Fatalf("%d certificates: %v", len(certs), err)
		}
		if len(got) != len(certs) {
			t.Fatalf("%d certificates read, want %d", len(got), len(certs))
		}
		for i := range got {
			if !bytes.Equal(got[i].Raw, certs[i].Raw) {
				t.Errorf("certificate %d of %d differs", i, len(certs))
			}
		}
	}
}

func TestBase64(t *testing.T) {
	for _, n := range []int{0, 1, 48, 49, 96, 1000} {
		der := bytes.Repeat([]byte{0xa5}, n)
		text := Encode(der)
		for line := range bytes.Lines(text) {
			if len(line) > lineWidth+1 {
				t.Errorf("%d bytes: a line of %d characters", n, len(line))
			}
		}
		for name, form := range map[string][]byte{
			"in lines": text, "in one line": bytes.ReplaceAll(text, []byte("\n"), nil), "in lines of DOS": bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		} {
			if got, err := Decode(form); err != nil || !bytes.Equal(got, der) {
				t.Errorf("%d bytes %s: Decode = %d bytes, %v", n, name, len(got), err)
			}
		}
	}
	if _, err := Decode([]byte("a!==")); err == nil {
		t.Error("Decode took what is not base64")
	}
}

// The file was made by OpenSSL 3.0: openssl crl2pkcs7 -nocrl -certfile two.pem.
func TestParseOpenSSL(t *testing.T) {
	text, err := os.ReadFile("testdata/openssl-two-certificates.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	certs, err := Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range certs {
		names = append(names, c.Subject.CommonName)
	}
	if got := strings.Join(names, ", "); got != "first, second" {
		t.Errorf("certificates of %q, want first and second", got)
	}
	if again := marshal(t, certs...); !bytes.Equal(again, block.Bytes) {
		t.Error("Marshal writes other bytes than OpenSSL")
	}
}

func TestParseRefuses(t *testing.T) {
	one := newCert(t, 1)
	good := marshal(t, one)
	sequence := func(v any) []byte {
		der, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	tagged := func(tag int, der []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: true, Bytes: der}
	}
	signed := func(change func(*signedData)) []byte {
		inner := signedData{Version: 1, Certificates: tagged(0, one.Raw)}
		inner.Content.Type = oidData()
		change(&inner)
		return sequence(contentInfo{oidSignedData(), tagged(0, sequence(inner))})
	}
	if _, err := Parse(signed(func(*signedData) {})); err != nil {
		t.Fatalf("the unchanged message: %v", err)
	}
	tests := map[string]struct {
		der  []byte
		want string
	}{
		"nothing":               {nil, "not a certs-only"},
		"certificate alone":     {one.Raw, "not a certs-only"},
		"bytes that follow":     {append(bytes.Clone(good), 0), "not a certs-only"},
		"cut short":             {good[:len(good)-1], "not a certs-only"},
		"plain data":            {sequence(contentInfo{oidData(), tagged(0, sequence(1))}), "not a certs-only"},
		"content tagged wrong":  {sequence(contentInfo{oidSignedData(), tagged(1, good)}), "not a certs-only"},
		"certificates as CRLs":  {signed(func(s *signedData) { s.Certificates = tagged(1, one.Raw) }), "not a certs-only"},
		"no certificate":        {marshal(t), "holds no certificate"},
		"something signed":      {signed(func(s *signedData) { s.Signers = []asn1.RawValue{tagged(0, nil)} }), "not a certs-only"},
		"other content":         {signed(func(s *signedData) { s.Content.Type = oidSignedData() }), "not a certs-only"},
		"no certificate in one": {signed(func(s *signedData) { s.Certificates.Bytes = sequence(7) }), "certificate 1 of it can't be read"},
		"garbage after one":     {signed(func(s *signedData) { s.Certificates.Bytes = append(bytes.Clone(one.Raw), 0x30) }), "not a certs-only"},
		"too many": {
			signed(func(s *signedData) { s.Certificates.Bytes = bytes.Repeat(one.Raw, MaxCertificates+1) }), "more than 16 certificates",
		},
		"too large": {make([]byte, MaxSize+1), "65537 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if certs, err := Parse(tt.der); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Parse = %d certificates, %v; want an error with %q", len(certs), err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(marshal(f, newCert(f, 1)))
	f.Add(marshal(f, newCert(f, 1), newCert(f, 2)))
	f.Add(marshal(f))
	f.Fuzz(func(t *testing.T, der []byte) {
		certs, err := Parse(der)
		if err != nil {
			return
		}
		again, err := Parse(marshal(t, certs...))
		if err != nil || len(again) != len(certs) {
			t.Fatalf("what was read can't be read again: %v", err)
		}
		for i := range certs {
			if !bytes.Equal(certs[i].Raw, again[i].Raw) {
				t.Fatalf("certificate %d differs after the round trip", i)
			}
		}
	})
}
