package readiness

import (
	"time"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// endsSoon is how long before its end a certificate ends soon: an outage of a long weekend would outlast it.
const endsSoon = 4 * 24 * time.Hour

// uplink says whether what is stored can be sent once the network is back.
func (f *Facts) uplink() []*wire.ReadinessReason {
	if f.Uplink == wire.UplinkState_UPLINK_STATE_DISABLED {
		return reasons(wire.ReadinessCode_READINESS_CODE_BACKEND, degraded, "no backend is configured: what is recorded stays on the terminal",
			"set uplink.backend and start the agent again")
	}
	const (
		code = wire.ReadinessCode_READINESS_CODE_CERTIFICATE
		hint = "'stampd status' says more; 'stampd enroll' gets a new certificate"
	)
	c := f.Certificate
	r := &wire.ReadinessReason{Code: code, Readiness: degraded, Hint: hint}
	if c != nil {
		r.UntilUnixMs = c.NotAfterUnixMs
	}
	switch c.GetState() {
	case wire.CertificateState_CERTIFICATE_STATE_NONE:
		r.Text = "the terminal has no certificate that can be used: what is recorded can't be sent"
	case wire.CertificateState_CERTIFICATE_STATE_EXPIRED:
		r.Text = "the terminal's certificate has expired: what is recorded can't be sent"
	case wire.CertificateState_CERTIFICATE_STATE_CLOCK_UNKNOWN:
		r.Text = "it is not known whether the terminal's certificate is still good: nobody knows what time it is"
	case wire.CertificateState_CERTIFICATE_STATE_VALID, wire.CertificateState_CERTIFICATE_STATE_DUE:
		switch {
		case c.GetLastError() != "":
			r.Text = "the terminal's certificate can't be renewed: " + c.GetLastError()
		case r.UntilUnixMs == nil || f.Now.IsZero():
			r.Text = "it is not known how long the terminal's certificate is good"
		case time.UnixMilli(*r.UntilUnixMs).Sub(f.Now) < endsSoon:
			r.Text = "the terminal's certificate ends in " + cli.Span(max(time.UnixMilli(*r.UntilUnixMs).Sub(f.Now), 0)) +
				", and can't be renewed without the network"
		default:
			r.Readiness, r.Hint = ready, ""
			r.Text = "the certificate is good for another " + cli.Span(time.UnixMilli(*r.UntilUnixMs).Sub(f.Now))
		}
	default:
		r.Text = "it is not known whether the terminal's certificate is good"
	}
	return []*wire.ReadinessReason{r}
}
