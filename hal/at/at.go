// Package at speaks AT commands with a cellular modem: it keeps the port open, splits what comes into lines, asks one
// command at a time, and hands on what the modem says by itself.
//
// It is for package hal, and knows no vendor and no meaning: what an answer says is for its caller to find out. It never
// dials, never enters a PIN, never stores a setting in the modem, and never waits without a limit.
//
// Sources: ITU-T V.250 and 3GPP TS 27.007 clause 4 for the form of commands and answers, and ModemManager's
// mm-serial-parsers.c for what modems make of it.
package at

import (
	"errors"
	"time"
)

// Why a command has no answer. Test for them with errors.Is.
var (
	// ErrGone means that the port is not there, or went away.
	ErrGone = errors.New("the port is not there")
	// ErrBusy means that another program has the port, or that this one may not open it.
	ErrBusy = errors.New("the port can't be had")
	// ErrSilent means that nothing came back in time.
	ErrSilent = errors.New("the modem is silent")
	// ErrGarbled means that what came back in time is no answer.
	ErrGarbled = errors.New("the modem answers garbage")
	// ErrClosed means that the port was closed by [Port.Close].
	ErrClosed = errors.New("the port is closed")
)

const (
	// DefaultTimeout is how long a command may take that says nothing else. 3GPP TS 27.007 sets no limit; what asks no
	// network is answered within 300 ms.
	DefaultTimeout = 2 * time.Second
	// maxLine is the longest line that is taken, in bytes; longer ones are left out.
	maxLine = 2 << 10
	// maxAnswer is how much one answer may hold, in bytes.
	maxAnswer = 64 << 10
)

// Command is one command and what is to be known of its answer.
type Command struct {
	// Text is the command without its end: "AT+CSQ".
	Text string
	// Prefix is what the lines of the answer begin with: "+CSQ:". Empty means that they begin with anything, as those
	// of AT+CGMI do.
	Prefix string
	// Mine tells a line of the answer from one with the same prefix that the modem sends by itself. Nil means that all of
	// them belong to the answer, and without a prefix all that have not that of another command.
	Mine func(line string) bool
	// Timeout is how long the answer may take. Zero means DefaultTimeout.
	Timeout time.Duration
}

// Answer is what a modem answers to a command.
type Answer struct {
	// Lines are the lines of the answer without the last, as they came.
	Lines []string
	// Final is the line that ends it.
	Final Final
}

// RefusedError is the error of a command that the modem answered with anything but OK.
type RefusedError struct {
	// Final is the line that says so.
	Final Final
}

// Error returns the kind and the number of the refusal. What else the modem says is no text of ours.
func (e *RefusedError) Error() string { return "the modem refuses: " + e.Final.String() }
