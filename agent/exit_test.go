package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"

	"github.com/stampd/stampd/uplink/wire"
)

// refused is an error as the agent sends it.
func refused(code connect.Code, hint string) error {
	e := connect.NewError(code, errors.New("the agent says no"))
	if hint != "" {
		d, err := connect.NewErrorDetail(&wire.ErrorDetail{Reason: "R", Hint: hint})
		if err != nil {
			panic(err)
		}
		e.AddDetail(d)
	}
	return e
}

func TestExit(t *testing.T) {
	tests := map[string]struct {
		err   error
		code  int
		print string
	}{
		"no error":      {nil, 0, ""},
		"anything":      {errors.New("cannot read\nthe file"), 1, "error: cannot read the file\n"},
		"two problems":  {errors.Join(errors.New("one"), errors.New("two")), 1, "error: one\nerror: two\n"},
		"setting":       {&settingError{file: "f", line: 1, column: 2, key: "k", problem: "p", hint: "h"}, 1, "error: f:1:2: k: p\nhint: h\n"},
		"invalid":       {refused(connect.CodeInvalidArgument, "do better"), 2, "error: the agent says no\nhint: do better\n"},
		"conflict":      {refused(connect.CodeAlreadyExists, "new key"), 2, "error: the agent says no\nhint: new key\n"},
		"no member key": {refused(connect.CodeFailedPrecondition, "set it"), 2, "error: the agent says no\nhint: set it\n"},
		"queue full":    {refused(connect.CodeResourceExhausted, "wait"), 1, "error: the agent says no\nhint: wait\n"},
		"disk":          {refused(connect.CodeUnavailable, "replace"), 1, "error: the agent says no\nhint: replace\n"},
		"not allowed":   {refused(connect.CodePermissionDenied, "be root"), 3, "error: the agent says no\nhint: be root\n"},
		"does not run":  {&unreachableError{"cannot reach", "start it"}, 3, "error: cannot reach\nhint: start it\n"},
		"time over":     {context.DeadlineExceeded, 4, "error: context deadline exceeded\n"},
		"agent in no time": {refused(connect.CodeDeadlineExceeded, ""), 4, "error: the agent did not answer in time\n" +
			"hint: " + hintSameKey + "\n"},
		"agent is gone": {errNoAnswer, 4, "error: the agent went away before it answered\nhint: " + hintSameKey + "\n"},
		"not flushed":   {fmt.Errorf("flush: %w", errNotFlushed), 4, "error: flush: not everything is stored by the backend yet\n"},
		"usage":         {&usageError{"no such flag", "see help"}, 64, "error: no such flag\nhint: see help\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(tt.err); got != tt.code {
				t.Errorf("exit code = %d, want %d", got, tt.code)
			}
			var out bytes.Buffer
			printError(&out, tt.err)
			if out.String() != tt.print {
				t.Errorf("printed\n%swant\n%s", out.String(), tt.print)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	words := []string{"status", "stamp", "payment", "flush"}
	tests := map[string]string{
		"statsu": "status", "satus": "status", "stamps": "stamp", "paymnet": "payment", "flsh": "flush",
		"": "", "x": "", "version": "", "zzzzzz": "",
	}
	for word, want := range tests {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestEnumFlag(t *testing.T) {
	f := newEnumFlag(wire.PaymentKind_PAYMENT_KIND_UNSPECIFIED)
	if got := f.String(); got != "" {
		t.Errorf("unset flag = %q", got)
	}
	for i, name := range f.names() {
		if err := f.Set(name); err != nil || f.String() != name || int(f.value) != i+1 {
			t.Errorf("Set(%q) = %v, flag %q, value %d", name, err, f, f.value)
		}
	}
	for _, name := range []string{"", "unspecified", "zzz", "PAYMENT_KIND_CAPTURED", "1"} {
		if err := f.Set(name); err == nil {
			t.Errorf("%q is a kind", name)
		}
	}
}
