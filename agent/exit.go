// What each error means to the caller: its words, and the exit code that scripts decide by.

package main

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/agent/localapi"
	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/est"
	"github.com/stampd/stampd/uplink/wire"
)

const hintSameKey = "try again with the same key: the answer is the same, and nothing is recorded twice"

// explain returns what is told about err, and the exit code for its cause.
func explain(err error) cli.Fault {
	f := cli.Explain(err)
	var unreachable *unreachableError
	var setting *settingError
	var answer *connect.Error
	var refused *est.RefusedError
	var later *est.LaterError
	switch {
	case f.Exit == cli.ExitUsage:
	case errors.As(err, &unreachable):
		f.Reason, f.Exit = "UNREACHABLE", cli.ExitUnreachable
	case errors.As(err, &setting):
		f.Reason = "CONFIG"
	case errors.As(err, &answer):
		return explainAnswer(answer)
	case errors.As(err, &refused):
		f.Reason, f.Exit = "REFUSED", cli.ExitRefused
	case errors.As(err, &later):
		f.Reason, f.Hint, f.Exit = "LATER", "run it again in "+span(max(later.After, time.Minute))+": the token stays good", cli.ExitTimeout
	case errors.Is(err, errNotFlushed):
		f.Reason, f.Exit = "NOT_FLUSHED", cli.ExitTimeout
	case errors.Is(err, errNotReady):
		f.Reason = "NOT_READY"
	case errors.Is(err, errNotWhole):
		f.Reason = "DAMAGED"
	case errors.Is(err, errNoAnswer):
		f.Reason, f.Hint, f.Exit = "NO_ANSWER", hintSameKey, cli.ExitTimeout
	case errors.Is(err, context.DeadlineExceeded):
		f.Reason, f.Exit = "TIMEOUT", cli.ExitTimeout
	case errors.Is(err, buffer.ErrLocked), errors.Is(err, localapi.ErrRunning):
		f.Reason = "RUNNING"
		f.Hint = "another stampd is running: 'stampd status' asks it, 'systemctl stop stampd' stops it"
	}
	return f
}

// explainAnswer returns what is told about an error that the agent answered with.
func explainAnswer(answer *connect.Error) cli.Fault {
	f := cli.Fault{Problem: answer.Message(), Reason: "FAILED", Exit: exitOf(answer.Code())}
	if d := detailOf(answer); d != nil {
		f.Reason = d.GetReason()
		f.Problem, f.Field, f.Hint = inFlags(f.Problem, d)
	} else if answer.Code() == connect.CodeDeadlineExceeded {
		f.Reason, f.Problem, f.Hint = "TIMEOUT", "the agent did not answer in time", hintSameKey
	}
	return f
}

func exitOf(code connect.Code) cli.Exit {
	switch code {
	case connect.CodeInvalidArgument, connect.CodeAlreadyExists, connect.CodeFailedPrecondition, connect.CodeUnimplemented:
		return cli.ExitRefused
	case connect.CodePermissionDenied:
		return cli.ExitUnreachable
	case connect.CodeDeadlineExceeded:
		return cli.ExitTimeout
	}
	return cli.ExitFailure
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
