package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// refused is an error as the agent sends it.
func refused(code connect.Code, hint string) error {
	return refusedField(code, "the agent says no", "", hint)
}

func refusedField(code connect.Code, text, field, hint string) error {
	e := connect.NewError(code, errors.New(text))
	if hint != "" {
		d, err := connect.NewErrorDetail(&wire.ErrorDetail{Reason: "R", Field: field, Hint: hint})
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
		code  cli.Exit
		print string
	}{
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
		"usage":         {&cli.UsageError{Problem: "no such flag", Remedy: "see help"}, 64, "error: no such flag\nhint: see help\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := explain(tt.err).Exit; got != tt.code {
				t.Errorf("exit code = %d, want %d", got, tt.code)
			}
			var out bytes.Buffer
			cli.Print(&out, tt.err, explain)
			if out.String() != tt.print {
				t.Errorf("printed\n%swant\n%s", out.String(), tt.print)
			}
		})
	}
}

func TestEnumFlag(t *testing.T) {
	f := newEnumFlag(wire.PaymentKind_PAYMENT_KIND_UNSPECIFIED)
	if got := f.String(); got != "" {
		t.Errorf("unset flag = %q", got)
	}
	for i, name := range f.Names() {
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

func TestInFlags(t *testing.T) {
	tests := map[string]struct {
		text, field, hint string
		want              cli.Fault
	}{
		"field with a flag": {
			"cannot accept payment.tip_minor", "payment.tip_minor", "send minor units from 0 to amount_minor, which includes it",
			cli.Fault{Problem: "cannot accept --tip", Field: "--tip", Hint: "send 0 to --amount, which includes it"},
		},
		"with a reason": {
			"cannot accept idempotency_key: it holds cardholder data (pan)", "idempotency_key", "send card.last4, card.par or a token",
			cli.Fault{Problem: "cannot accept --key: it holds cardholder data (pan)", Field: "--key", Hint: "send --card-last4, --card-par or --card-token"},
		},
		"range of one": {
			"cannot accept stamps", "stamps", "send 1 to 1, the programme's limit per purchase",
			cli.Fault{Problem: "cannot accept --stamps", Field: "--stamps", Hint: "send 1, the programme's limit per purchase"},
		},
		"range that begins like it": {
			"cannot accept payment_key", "payment_key", "send 1 to 128 printable ASCII characters",
			cli.Fault{Problem: "cannot accept --payment-key", Field: "--payment-key", Hint: "send 1 to 128 printable ASCII characters"},
		},
		"field without a flag": {
			"cannot accept payment", "payment", "send it",
			cli.Fault{Problem: "cannot accept payment", Field: "payment", Hint: "send it"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.want.Reason, tt.want.Exit = "R", cli.ExitRefused
			if got := explain(refusedField(connect.CodeInvalidArgument, tt.text, tt.field, tt.hint)); got != tt.want {
				t.Errorf("explained %+v, want %+v", got, tt.want)
			}
		})
	}
}

// setByTheAgent are the fields of requests that the agent sets, and refuses from a caller.
var setByTheAgent = []string{"payment.emv_dropped", "payment.anomalies", "payment.risk"}

// isSetByTheAgent reports whether a field is one of them, or in one.
func isSetByTheAgent(field string) bool {
	return slices.ContainsFunc(setByTheAgent, func(ours string) bool { return field == ours || strings.HasPrefix(field, ours+".") })
}

// TestEveryFieldHasItsFlag holds the table to the schema and to the commands: each field that a command fills has a flag,
// and that flag exists. What the agent sets has none.
func TestEveryFieldHasItsFlag(t *testing.T) {
	table := fieldFlags()
	root := newRootCommand()
	for command, m := range map[string]proto.Message{
		"payment record": &wire.RecordPaymentRequest{}, "stamp give": &wire.AwardStampsRequest{},
		"stamp void": &wire.VoidEntryRequest{}, "card show": &wire.GetCardRequest{}, "card redeem": &wire.RedeemRewardRequest{},
		"card link": &wire.LinkCardRequest{}, "card unlink": &wire.UnlinkCardRequest{}, "member enrol": &wire.EnrolMemberRequest{},
		"member consent": &wire.SetConsentRequest{}, "member merge": &wire.MergeMembersRequest{}, "member erase": &wire.EraseMemberRequest{},
		"readiness": &wire.OfflineReadinessRequest{}, "flush": &wire.FlushRequest{},
	} {
		cmd, _, err := root.Find(strings.Fields(command))
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range leaves(m.ProtoReflect().Descriptor(), "") {
			flag := table[field]
			if isSetByTheAgent(field) {
				if flag != "" {
					t.Errorf("%s: field %s has flag %q, and the agent refuses it", command, field, flag)
				}
				continue
			}
			if cmd.Flags().Lookup(strings.TrimPrefix(flag, "--")) == nil {
				t.Errorf("%s: field %s has flag %q, which the command does not have", command, field, flag)
			}
		}
	}
}

// leaves returns the path of every field that is no message.
func leaves(d protoreflect.MessageDescriptor, in string) (paths []string) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if f.Message() != nil {
			paths = append(paths, leaves(f.Message(), in+string(f.Name())+".")...)
			continue
		}
		paths = append(paths, in+string(f.Name()))
	}
	return paths
}
