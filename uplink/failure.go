package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/stampd/stampd/uplink/wire"
)

// Failure is why an attempt to reach the backend ended, and how far it had come. It holds no secret: no password of a
// proxy, and nothing of a key.
type Failure struct {
	Stage   wire.UplinkStage // where it ended
	Problem string           // one line for people
	Remedy  string           // what to do; may be empty
	cause   error
}

// Error returns the problem in one line.
func (f *Failure) Error() string { return f.Problem }

// Hint says what to do. It may be empty.
func (f *Failure) Hint() string { return f.Remedy }

// Unwrap returns what was behind it, or nil.
func (f *Failure) Unwrap() error { return f.cause }

// stageOf returns where an attempt ended that ended with err.
func stageOf(err error) wire.UplinkStage {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Stage
	}
	return wire.UplinkStage_UPLINK_STAGE_GRPC
}

// hintOf returns what to do about err. It may be empty.
func hintOf(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Remedy
	}
	return ""
}

// identityFailure is a certificate of the terminal's that can't be used.
func identityFailure(err error) error {
	return &Failure{
		Stage: wire.UplinkStage_UPLINK_STAGE_IDENTITY, Problem: err.Error(), cause: err,
		Remedy: "check cert, key and ca in section [uplink]; files that are replaced are read at the next attempt",
	}
}

// dialFailure explains why the address of the backend, or of the proxy, could not be reached.
func dialFailure(what, address string, err error) error {
	f := &Failure{Stage: wire.UplinkStage_UPLINK_STAGE_TCP, cause: err}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		f.Stage = wire.UplinkStage_UPLINK_STAGE_DNS
		f.Problem, f.Remedy = lookupProblem(what, lookup)
		return f
	}
	if what != theBackend {
		f.Stage = wire.UplinkStage_UPLINK_STAGE_PROXY
	}
	const route = "check the terminal's network: the modem or the cable, its address, its route"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Problem = fmt.Sprintf("%s at %s refuses connections", what, address)
		f.Remedy = "it is not running there, or the port is wrong"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETDOWN):
		f.Problem = fmt.Sprintf("there is no way to %s at %s", what, address)
		f.Remedy = route
	case isTimeout(err):
		f.Problem = fmt.Sprintf("%s at %s does not answer", what, address)
		f.Remedy = "a firewall drops it, the address is wrong, or the network is down: " + route
	default:
		f.Problem = fmt.Sprintf("cannot connect to %s at %s: %v", what, address, last(err))
		f.Remedy = route
	}
	return f
}

// lookupProblem says what went wrong with a name, and what to do.
func lookupProblem(what string, err *net.DNSError) (problem, remedy string) {
	name := quote(err.Name)
	switch {
	case err.IsNotFound:
		return fmt.Sprintf("the name %s of %s does not exist", name, what),
			"check the spelling in section [uplink]; behind a captive portal, no name exists until somebody has signed in"
	case err.IsTimeout:
		return fmt.Sprintf("cannot look up the name %s of %s: the name server does not answer", name, what),
			"check the terminal's network, and the name servers in /etc/resolv.conf"
	}
	return fmt.Sprintf("cannot look up the name %s of %s: the name server can't be reached, or fails", name, what),
		"check the terminal's network, and the name servers in /etc/resolv.conf"
}

// last returns the innermost of a chain of errors, which is what the system said.
func last(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// quote returns a name that somebody else has written as it may stand in an error: short, and without control characters.
func quote(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:80]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
