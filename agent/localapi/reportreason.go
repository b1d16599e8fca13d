package localapi

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// maskedReason stands for a reason that held cardholder data.
	maskedReason = "(masked: it held cardholder data)"
	// maxReason is the most that is kept of a reason, in characters (AppCrash.reason).
	maxReason = 200
	// maxUnixMs is the last time that a crash can have (CrashReport.crashed_unix_ms).
	maxUnixMs = 1e13 - 1
	// longNumber is how many digits a number has that is masked: a shorter one is a code or a line.
	longNumber = 5
)

var (
	// numberIn is digits with whatever stands between the groups of a telephone, an account or a card, as long as it is no letter.
	numberIn = regexp.MustCompile(`\p{Nd}(?:[^\p{L}\p{Nd}]*\p{Nd})*`)
	// secretIn is a code that must never be kept, after its name: verification codes and PINs (PCI DSS 3.3.1).
	secretIn = regexp.MustCompile(`(?i)((?:pin|cvv2?|cvc2?|cav2?|csc)[^\p{L}\p{Nd}]{1,4})\p{Nd}+`)
	// addressIn is an address of memory, which is another at each crash.
	addressIn = regexp.MustCompile(`0[xX][0-9a-fA-F]+`)
	// accountIn is a word that names somebody somewhere.
	accountIn = regexp.MustCompile(`\S*@\S*`)
)

// inspect shows a request to the guard. What is said of a crash is made fit to be kept before: a crash must not be lost
// because of how it is told.
func (s *Server) inspect(ctx context.Context, m proto.Message) error {
	if report, ok := m.(*wire.ReportAppPerformanceRequest); ok && report.GetCrash() != nil {
		s.cleanCrash(ctx, report.GetCrash())
	}
	return s.Guard.Inspect(m)
}

// cleanCrash scrubs the reason of a crash, and leaves out a time that can't be. Cardholder data in the reason raises the alarm
// that it would anywhere, and nothing of the reason is kept.
func (s *Server) cleanCrash(ctx context.Context, crash *wire.CrashReport) {
	if ms := crash.CrashedUnixMs; ms != nil && (*ms < 0 || *ms > maxUnixMs) {
		crash.CrashedUnixMs = nil
	}
	told := crash.GetReason()
	crash.Reason = scrub(told)
	for _, reason := range []string{told, crash.GetReason()} {
		err := s.Guard.Inspect(&wire.ReportAppPerformanceRequest{Crash: &wire.CrashReport{Reason: reason}})
		if v := new(pci.Violation); errors.As(err, &v) {
			s.alarm(ctx, v)
			crash.Reason = maskedReason
			return
		}
	}
}

// scrub returns the first line of a text that has anything in it, up to 200 printable characters of it, without numbers of five
// digits or more, verification codes, PINs, addresses of memory, and words with an @: a "#" is in their place.
func scrub(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return '\n'
		case unicode.IsPrint(r) && r != unicode.ReplacementChar:
			return r
		}
		return ' '
	}, text)
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.Join(strings.Fields(line), " ")
	line = accountIn.ReplaceAllString(line, "#")
	line = addressIn.ReplaceAllString(line, "0x#")
	line = secretIn.ReplaceAllString(line, "${1}#")
	line = numberIn.ReplaceAllStringFunc(line, func(number string) string {
		digits := 0
		for _, r := range number {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if digits >= longNumber {
			return "#"
		}
		return number
	})
	if kept := []rune(line); len(kept) > maxReason {
		line = strings.TrimSpace(string(kept[:maxReason]))
	}
	return line
}
