// Package pkcs7 reads and writes certs-only messages: certificates in a SignedData that signs nothing (RFC 5272, section
// 4.1; RFC 5652, section 5.1), in which EST servers answer (RFC 7030, sections 4.1.3 and 4.2.3).
//
// Both ends of enrolment use it. It checks the form of a message and nothing else: no certificate in one is to be trusted
// for being in it. It never verifies a signature, and reads DER alone.
package pkcs7

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
)

// MaxSize is the most bytes that a message may have: room for more certificates than [MaxCertificates].
const MaxSize = 64 << 10

// MaxCertificates is the most certificates that a message may hold: a chain, or an authority's old and new roots with
// those that link them (RFC 7030, section 4.1.3).
const MaxCertificates = 16

// errForm says that bytes are no certs-only message.
var errForm = errors.New("not a certs-only PKCS #7 message")

func oidData() asn1.ObjectIdentifier       { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1} }
func oidSignedData() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2} }

// contentInfo is RFC 5652, section 3.
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

// signedData is RFC 5652, section 5.1. Every set in it but that of the certificates is empty.
type signedData struct {
	Version          int
	DigestAlgorithms []asn1.RawValue `asn1:"set"`
	Content          struct{ Type asn1.ObjectIdentifier }
	Certificates     asn1.RawValue   `asn1:"tag:0"`
	CRLs             []asn1.RawValue `asn1:"optional,set,tag:1"`
	Signers          []asn1.RawValue `asn1:"set"`
}

// isTagged0 reports whether v is [0], constructed. encoding/asn1 takes any tag for a RawValue.
func isTagged0(v asn1.RawValue) bool {
	return v.Class == asn1.ClassContextSpecific && v.Tag == 0 && v.IsCompound
}

// Marshal returns the certs-only message in DER that holds the certificates, in their order.
func Marshal(certs ...*x509.Certificate) ([]byte, error) {
	var all []byte
	for _, c := range certs {
		all = append(all, c.Raw...)
	}
	inner := signedData{
		Version:      1,
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: all},
	}
	inner.Content.Type = oidData()
	der, err := asn1.Marshal(inner)
	if err != nil {
		return nil, fmt.Errorf("cannot write PKCS #7: %w", err)
	}
	der, err = asn1.Marshal(contentInfo{Type: oidSignedData(), Content: asn1.RawValue{
		Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der,
	}})
	if err != nil {
		return nil, fmt.Errorf("cannot write PKCS #7: %w", err)
	}
	return der, nil
}

// Parse returns the certificates of a certs-only message in DER, one at least, in the order in which they stand there.
// It fails when there are more than [MaxCertificates], or the message has more than [MaxSize] bytes; when anything is
// signed, or content is enclosed; and when bytes follow.
func Parse(der []byte) ([]*x509.Certificate, error) {
	if len(der) > MaxSize {
		return nil, fmt.Errorf("cannot read PKCS #7: %d bytes, want at most %d", len(der), MaxSize)
	}
	var outer contentInfo
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || !outer.Type.Equal(oidSignedData()) || !isTagged0(outer.Content) {
		return nil, fmt.Errorf("cannot read PKCS #7: %w", errForm)
	}
	var inner signedData
	if rest, err := asn1.Unmarshal(outer.Content.Bytes, &inner); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("cannot read PKCS #7: %w", errForm)
	}
	if !inner.Content.Type.Equal(oidData()) || len(inner.Signers) > 0 || !isTagged0(inner.Certificates) {
		return nil, fmt.Errorf("cannot read PKCS #7: %w", errForm)
	}
	var certs []*x509.Certificate
	for rest := inner.Certificates.Bytes; len(rest) > 0; {
		if len(certs) == MaxCertificates {
			return nil, fmt.Errorf("cannot read PKCS #7: more than %d certificates", MaxCertificates)
		}
		var raw asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &raw); err != nil {
			return nil, fmt.Errorf("cannot read PKCS #7: %w", errForm)
		}
		cert, err := x509.ParseCertificate(raw.FullBytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read PKCS #7: certificate %d of it can't be read", len(certs)+1)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("cannot read PKCS #7: it holds no certificate")
	}
	return certs, nil
}
