package est

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// RefusedError says that the server understood the request and refused it: the same request will be refused again.
type RefusedError struct {
	Server Address
	Status int    // of HTTP: 400 to 499
	Reason string // the server's words, one line of printable characters; may be empty
}

// Error says who refused, and why as far as it told.
func (e *RefusedError) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = strings.ToLower(http.StatusText(e.Status))
	}
	return fmt.Sprintf("%s refused to issue a certificate: %s (HTTP status %d)", e.Server, reason, e.Status)
}

// LaterError says that the server wants to be asked again: a person is to approve the request first (RFC 7030, section
// 4.2.3), or the server is busy.
type LaterError struct {
	Server Address
	Status int           // of HTTP: 202, 429 or 503
	After  time.Duration // how long to wait, up to a day; 0 when the server did not say
}

// Error says what the server waits for.
func (e *LaterError) Error() string {
	what := "is busy"
	if e.Status == http.StatusAccepted {
		what = "has not approved the request yet"
	}
	return fmt.Sprintf("%s %s (HTTP status %d)", e.Server, what, e.Status)
}
