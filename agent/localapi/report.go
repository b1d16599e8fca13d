package localapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/agent/collect"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/sketch"
	"github.com/stampd/stampd/uplink/wire"
)

// What one report may hold (ReportAppPerformanceRequest).
const (
	maxReportOperations = 64
	maxReportDurations  = 4096 // of one operation
	maxReportSketch     = 8192 // bytes
	maxReportName       = 64
	maxReportKey        = 128
)

// reasonTooMany is the reason of a refusal for what is too much to be told apart.
const reasonTooMany = "TOO_MANY"

// reportAppPerformance counts what an application reports of itself.
func (s *Server) reportAppPerformance(_ context.Context, req *wire.ReportAppPerformanceRequest) (*wire.ReportAppPerformanceResponse, error) {
	if err := checkReport(req); err != nil {
		return nil, err
	}
	report := &collect.AppReport{App: req.GetApp(), Version: req.GetVersion(), Key: req.GetIdempotencyKey()}
	for i, o := range req.GetOperations() {
		durations, err := durationsOf(o, fmt.Sprintf("operations[%d]", i))
		if err != nil {
			return nil, err
		}
		report.Operations = append(report.Operations, collect.OperationReport{Name: o.GetName(), Durations: durations, Errors: o.GetErrors()})
	}
	if crash := req.GetCrash(); crash != nil {
		report.Crash = &collect.CrashReport{Reason: crash.GetReason(), UnixMs: crash.CrashedUnixMs}
	}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return nil, err
	}
	report.Body = sha256.Sum256(body)
	duplicate, err := s.Report(report)
	switch {
	case errors.Is(err, collect.ErrReportKey):
		return nil, ledger.ErrKeyReused
	case errors.Is(err, collect.ErrTooMany):
		return nil, &ledger.Invalid{Field: "operations", Reason: reasonTooMany,
			Hint: "use fewer names of operations, and keep order numbers and ids out of them; until the window ends nothing more is told apart"}
	case err != nil:
		return nil, err
	}
	return &wire.ReportAppPerformanceResponse{Duplicate: duplicate, ReasonMasked: req.GetCrash().GetReason() == maskedReason}, nil
}

// checkReport returns what is wrong with a report, but for its sketches.
func checkReport(req *wire.ReportAppPerformanceRequest) error {
	const names = " letters, digits, dots, dashes and underscores"
	switch {
	case req.GetApp() == "":
		return &ledger.Invalid{Field: "app", Reason: ledger.ReasonMissing, Hint: "say which application reports, such as pos"}
	case !isWord(req.GetApp(), "._-"):
		return &ledger.Invalid{Field: "app", Reason: ledger.ReasonFormat, Hint: "send 1 to 64" + names}
	case req.GetApp() == collect.AgentName:
		return &ledger.Invalid{Field: "app", Reason: ledger.ReasonUnknown, Hint: "use another name: the agent reports itself under this one"}
	case req.GetVersion() != "" && !isWord(req.GetVersion(), ".-_+~:"):
		return &ledger.Invalid{Field: "version", Reason: ledger.ReasonFormat, Hint: "send up to 64 letters, digits and .-_+~:"}
	case len(req.GetIdempotencyKey()) > maxReportKey || strings.Trim(req.GetIdempotencyKey(), printable) != "":
		return &ledger.Invalid{Field: "idempotency_key", Reason: ledger.ReasonFormat, Hint: "send up to 128 printable ASCII characters, or none"}
	case len(req.GetOperations()) == 0 && req.GetCrash() == nil:
		return &ledger.Invalid{Field: "operations", Reason: ledger.ReasonMissing, Hint: "send at least one operation or a crash"}
	case len(req.GetOperations()) > maxReportOperations:
		return &ledger.Invalid{Field: "operations", Reason: ledger.ReasonRange, Hint: "send up to 64 operations a call"}
	}
	for i, o := range req.GetOperations() {
		field := fmt.Sprintf("operations[%d]", i)
		switch {
		case !isWord(o.GetName(), "._-/:"):
			return &ledger.Invalid{Field: field + ".name", Reason: ledger.ReasonFormat,
				Hint: "send 1 to 64" + names + ", slashes and colons, such as card.read"}
		case len(o.GetDurationsUs()) > maxReportDurations:
			return &ledger.Invalid{Field: field + ".durations_us", Reason: ledger.ReasonRange, Hint: "send up to 4096 durations a call, or a sketch"}
		}
	}
	return nil
}

// durationsOf returns how long an operation took.
func durationsOf(o *wire.OperationReport, field string) (*sketch.Sketch, error) {
	if len(o.GetSketch()) > maxReportSketch {
		return nil, &ledger.Invalid{Field: field + ".sketch", Reason: ledger.ReasonRange, Hint: "send up to 8192 bytes"}
	}
	durations, err := sketch.Decode(o.GetSketch())
	if err != nil {
		return nil, &ledger.Invalid{Field: field + ".sketch", Reason: ledger.ReasonFormat, Hint: "send the form that AppOperation.sketch describes, in base64 when in JSON"}
	}
	for _, us := range o.GetDurationsUs() {
		durations.Add(us)
	}
	return durations, nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// printable is every printable ASCII character.
const printable = letters + " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

// isWord reports whether a text is 1 to 64 letters, digits and those characters.
func isWord(text, others string) bool {
	return text != "" && len(text) <= maxReportName && strings.Trim(text, letters+others) == ""
}
