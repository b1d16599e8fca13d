package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"

	"github.com/stampd/stampd/uplink/cli"
)

// checkCertificate refuses a certificate that every terminal would refuse: one that is not for servers (RFC 5280, section
// 4.2.1.12; one without the extension is for anything), or that names no host (RFC 6125: a common name is none). What
// can't be read is left to [backend.Open], which says so.
func checkCertificate(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	const remedy = "issue one with 'stampd-backend ca issue DIR --server HOST --out DIR'; every terminal would refuse this one"
	uses := cert.ExtKeyUsage
	if len(uses)+len(cert.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(uses, x509.ExtKeyUsageServerAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny) {
		return cli.WithHint(fmt.Errorf("cannot serve with %s: the certificate is not for servers", file), remedy)
	}
	if len(cert.DNSNames)+len(cert.IPAddresses) == 0 {
		return cli.WithHint(fmt.Errorf("cannot serve with %s: the certificate has no DNS name and no IP address", file), remedy)
	}
	return nil
}
