// What is printed of the terminal's certificate.

package main

import (
	"io"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

// printCertificate writes how the terminal's certificate is, or nothing where none is wanted.
func printCertificate(w io.Writer, p palette, c *wire.CertificateStatus) {
	if c == nil {
		return
	}
	end := "unknown"
	if c.NotAfterUnixMs != nil {
		end = date(time.UnixMilli(c.GetNotAfterUnixMs()))
	}
	text := "certificate until " + end
	switch c.GetState() {
	case wire.CertificateState_CERTIFICATE_STATE_NONE:
		text = p.warn("no certificate")
	case wire.CertificateState_CERTIFICATE_STATE_VALID:
		if c.RenewUnixMs != nil {
			text += ", to be renewed from " + date(time.UnixMilli(c.GetRenewUnixMs())) + " on"
		}
	case wire.CertificateState_CERTIFICATE_STATE_DUE:
		text = p.warn(text + ", to be renewed now")
	case wire.CertificateState_CERTIFICATE_STATE_EXPIRED:
		text = p.bad("certificate expired on " + end)
	case wire.CertificateState_CERTIFICATE_STATE_CLOCK_UNKNOWN:
		text += ", and " + p.warn("the clock is not set")
	default:
		return
	}
	row(w, "identity", text)
	if c.GetLastError() != "" {
		row(w, "", p.dim(printable(c.GetLastError())))
	}
}

// date writes a day as it is at UTC, by which certificates are valid.
func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }
