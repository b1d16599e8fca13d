package identity

import (
	"crypto/fips140"
	"crypto/tls"
)

// Curves returns the key exchange groups of the uplink, the best first: X25519 and P-256, or P-256 alone when the
// process runs in FIPS 140-3 mode, which has no X25519. The hybrid group X25519MLKEM768 is left out because it costs
// 2,318 bytes a handshake. The caller owns the slice.
func Curves() []tls.CurveID {
	if fips140.Enabled() {
		return []tls.CurveID{tls.CurveP256}
	}
	return []tls.CurveID{tls.X25519, tls.CurveP256}
}
