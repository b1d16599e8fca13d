package est

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// pauseMin is the wait after the first attempt that failed. It is doubled at each failure.
	pauseMin = time.Minute
	// pauseMax is the longest wait. Thirty days are left when a certificate of ninety falls due: time for 120 attempts.
	pauseMax = 6 * time.Hour
)

// Due returns when a certificate is to be renewed: after two thirds of its life, and up to a twentieth of it later, so
// that terminals which were enrolled in one morning are not renewed in one. It is the same time at every call.
func Due(cert *x509.Certificate) time.Time {
	life := lifeOf(cert)
	sum := sha256.Sum256(cert.Raw)
	part := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	return cert.NotBefore.Add(life/3*2 + time.Duration(part*float64(life/20)))
}

// lateShare is the share of a certificate's life that is left when a person is to be told that it is not renewed: half of
// what was left when that fell due.
const lateShare = 6

func lifeOf(cert *x509.Certificate) time.Duration { return cert.NotAfter.Sub(cert.NotBefore) }

// pause returns how long to wait after an attempt that failed, when so many had failed before it, and so much of the
// certificate's life is left: random, and short enough for several more attempts, but never a hammering.
func pause(failures int, left, life time.Duration) time.Duration {
	longest := max(min(pauseMin<<min(failures, 12), pauseMax, left/8), min(pauseMin, life/200))
	return longest/2 + rand.N(longest/2+1)
}

// asked returns how long the server wants to be left alone.
func asked(err error) time.Duration {
	if later, ok := errors.AsType[*LaterError](err); ok {
		return later.After
	}
	return 0
}

// Serial returns a certificate's serial number as OpenSSL writes it, in lower case.
func Serial(cert *x509.Certificate) string {
	return hex.EncodeToString(cert.SerialNumber.Bytes())
}
