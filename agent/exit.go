package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/agent/localapi"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/wire"
)

// Exit codes. Scripts decide by them, so they never change.
const (
	exitOK          = 0
	exitFailure     = 1  // it did not work; the error says why
	exitRefused     = 2  // the agent refused the request: the same request will be refused again
	exitUnreachable = 3  // the agent does not run, or this user may not ask it
	exitTimeout     = 4  // no answer, or not in time; whether it was done is not known
	exitUsage       = 64 // no such command or flag (EX_USAGE of sysexits.h)
)

const hintSameKey = "try again with the same key: the answer is the same, and nothing is recorded twice"

// exitCode returns the exit code for the cause of err.
func exitCode(err error) int {
	var usage *usageError
	var unreachable *unreachableError
	var answer *connect.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unreachable):
		return exitUnreachable
	case errors.As(err, &answer):
		switch answer.Code() {
		case connect.CodeInvalidArgument, connect.CodeAlreadyExists, connect.CodeFailedPrecondition, connect.CodeUnimplemented:
			return exitRefused
		case connect.CodePermissionDenied:
			return exitUnreachable
		case connect.CodeDeadlineExceeded:
			return exitTimeout
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errNoAnswer), errors.Is(err, errNotFlushed):
		return exitTimeout
	}
	return exitFailure
}

// printError writes one line "error: …" and, when there is something to do about it, one "hint: …". An error that joins
// others is printed one by one.
func printError(w io.Writer, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			printError(w, e)
		}
		return
	}
	text, hint := describe(err)
	fmt.Fprintf(w, "error: %s\n", oneLine(text))
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", oneLine(hint))
	}
}

// describe returns what to say of err, and what to do about it.
func describe(err error) (text, hint string) {
	var usage *usageError
	var setting *settingError
	var unreachable *unreachableError
	var answer *connect.Error
	switch {
	case errors.As(err, &usage):
		return usage.problem, usage.hint
	case errors.As(err, &setting):
		return setting.Error(), setting.hint
	case errors.As(err, &unreachable):
		return unreachable.Error(), unreachable.hint
	case errors.As(err, &answer):
		text = answer.Message()
		if d := detailOf(answer); d != nil {
			return text, d.GetHint()
		}
		if answer.Code() == connect.CodeDeadlineExceeded {
			return "the agent did not answer in time", hintSameKey
		}
		return text, ""
	case errors.Is(err, errNoAnswer):
		return err.Error(), hintSameKey
	case errors.Is(err, buffer.ErrLocked), errors.Is(err, localapi.ErrRunning):
		return err.Error(), "another stampd is running: 'stampd status' asks it, 'systemctl stop stampd' stops it"
	}
	return err.Error(), ""
}

// detailOf returns the agent's own detail of an error, or nil.
func detailOf(e *connect.Error) *wire.ErrorDetail {
	for _, d := range e.Details() {
		if m, err := d.Value(); err == nil {
			if detail, ok := m.(*wire.ErrorDetail); ok {
				return detail
			}
		}
	}
	return nil
}

// oneLine keeps an error on its line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
