package hal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampd/stampd/hal/at"
	"github.com/stampd/stampd/hal/cellular"
	"github.com/stampd/stampd/hal/haltest"
)

// garbled is what a bad line makes of an answer.
type garbled struct {
	how   string
	bytes []byte
	// plausible means that what comes may be an honest answer of another value: a digit, a letter or the sign of a
	// number was lost, doubled or changed into another. Nobody can tell.
	plausible bool
}

// valueByte reports whether a byte belongs to a value, and is not there to tell one value from the next.
func valueByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '-' || b == ' ' || b == '.'
}

// everyDamage calls f with the text cut after every byte, and with every byte lost, doubled and with each bit of it turned over,
// and with a line in between at every place.
func everyDamage(text string, f func(garbled)) {
	for i := range len(text) {
		b := text[i]
		f(garbled{how: "cut", bytes: []byte(text[:i])})
		f(garbled{"lost", []byte(text[:i] + text[i+1:]), valueByte(b)})
		f(garbled{"doubled", []byte(text[:i+1] + text[i:]), valueByte(b)})
		for bit := range 8 {
			turned := b ^ 1<<bit
			f(garbled{"turned", []byte(text[:i] + string([]byte{turned}) + text[i+1:]), valueByte(b) && (valueByte(turned) || turned == 0)}) // NUL is left out
		}
		for _, line := range []string{"\r\n+CREG: 5\r\n", "\r\nRING\r\n", "\r\n+CMTI: \"ME\",1\r\n"} {
			f(garbled{how: "interrupted", bytes: []byte(text[:i] + line + text[i:])})
		}
	}
}

// answerTo returns what is taken in of what comes after a question.
func answerTo(q cellular.Query, came []byte) *cellular.Reading {
	r := new(cellular.Reading)
	var s at.Scanner
	var d at.Dialogue
	d.Ask(at.Command{Text: q.Text, Prefix: q.Prefix, Mine: q.Mine})
	s.Scan(came, func(line string) {
		if a, done, _ := d.Line(line); done && a.Final.Kind == at.OK {
			q.Take(r, a.Lines)
		}
	})
	return r
}

// knownOf returns what a reading tells, by name.
func knownOf(r *cellular.Reading) map[string]string {
	known := make(map[string]string)
	put := func(name string, value any) {
		if text := fmt.Sprint(value); text != "" {
			known[name] = text
		}
	}
	put("maker", r.Maker)
	put("model", r.Model)
	put("firmware", r.Firmware)
	put("sim", r.SIM)
	put("iccid", r.ICCID)
	put("imei", r.IMEI)
	put("operator", r.Operator.Name)
	put("code", r.Operator.Code)
	putKnown(known, "radio", r.Radio)
	putKnown(known, "access", r.Access)
	putKnown(known, "area", r.Cell.Area)
	putKnown(known, "cell", r.Cell.ID)
	putKnown(known, "physical", r.Cell.PhysicalID)
	putKnown(known, "channel", r.Cell.Channel)
	putKnown(known, "band", r.Cell.Band)
	putKnown(known, "temperature", r.Temperature)
	s := r.Signal
	for name, level := range map[string]cellular.Level{
		"rssi": s.RSSI, "rscp": s.RSCP, "ecio": s.EcIo, "rsrp": s.RSRP, "rsrq": s.RSRQ, "sinr": s.SINR,
		"nr_rsrp": s.NRRSRP, "nr_rsrq": s.NRRSRQ, "nr_sinr": s.NRSINR,
	} {
		putKnown(known, name, level.Tenths)
	}
	if r.Clock != nil && r.Clock.Offset != nil { // else it is not used
		put("clock", r.Clock.Time.Unix())
		putKnown(known, "zone", r.Clock.Offset)
	}
	for _, reg := range r.Registrations {
		put(string(reg.Domain), reg.State)
		putKnown(known, string(reg.Domain)+" area", reg.Area)
		putKnown(known, string(reg.Domain)+" cell", reg.Cell)
		putKnown(known, string(reg.Domain)+" access", reg.Access)
	}
	return known
}

// printable reports whether all of a text is ASCII that can be read.
func printable(text []byte) bool {
	return strings.Trim(string(text), "\r\n") != "" && !bytes.ContainsFunc(text, func(r rune) bool { return (r < ' ' || r > '~') && r != '\r' && r != '\n' })
}

// putKnown puts a value that is known.
func putKnown[T any](known map[string]string, name string, value *T) {
	if value != nil {
		known[name] = fmt.Sprint(*value)
	}
}

// asTold returns the questions that a transcript answers with OK, and what comes.
func asTold(t *testing.T, archive string) map[string]cellular.Query {
	t.Helper()
	tr, err := haltest.ReadTranscript(archive)
	if err != nil {
		t.Fatal(err)
	}
	queries := append(cellular.Identity(), cellular.State()...)
	queries = append(queries, cellular.SIMQuery())
	for _, d := range cellular.Domains() {
		queries = append(queries, cellular.RegistrationQuery(d))
	}
	var who cellular.Reading
	for _, q := range cellular.Identity() {
		q.Take(&who, tr.Answer(q.Text)[:1])
	}
	p := cellular.ProfileOf(who.Maker, who.Model)
	queries = append(append(append(queries, p.Signal...), p.ICCID...), p.Temperature)
	told := make(map[string]cellular.Query)
	for _, q := range queries {
		if lines := tr.Answer(q.Text); len(lines) > 1 && lines[len(lines)-1] == "OK" {
			told["\r\n"+strings.Join(lines[:len(lines)-1], "\r\n")+"\r\n\r\nOK\r\n"] = q
		}
	}
	return told
}

// However an answer is damaged, what is taken in of it is what the modem said, or is not known, or there is a doubt beside it. Left
// out is what nobody can tell: a digit, a letter or a sign that became another, or was lost or doubled.
func TestGarbledAnswers(t *testing.T) {
	archives, err := filepath.Glob("../testdata/at/*.txtar")
	if err != nil || len(archives) < 6 {
		t.Fatalf("%d transcripts (%v), want at least six", len(archives), err)
	}
	for _, archive := range archives {
		for text, q := range asTold(t, archive) {
			clean := knownOf(answerTo(q, []byte(text)))
			failed := 0
			everyDamage(text, func(g garbled) {
				r := answerTo(q, g.bytes)
				if g.plausible || len(r.Doubts) > 0 || q.Prefix == "" && g.how != "cut" {
					return // without a prefix anything is text; it is asked twice therefore
				}
				if q.Prefix == "+QTEMP:" {
					return // the hottest of the sensors that could be read
				}
				for name, value := range knownOf(r) {
					mayBe := strings.HasSuffix(name, " cell") && g.how == "lost" || // the comma after it, and the technology is part of it
						name == "operator" && g.how == "turned" && printable(g.bytes)
					if value != clean[name] && !mayBe && failed < 3 {
						failed++
						t.Errorf("%s: %s: %s: %q gives %s=%s, want %q", filepath.Base(archive), q.Text, g.how, g.bytes, name, value, clean[name])
					}
				}
			})
		}
	}
}

// However badly damaged, no answer makes anything fail, and nothing stays for the next.
func TestGarbledAtRandom(t *testing.T) {
	archives, err := filepath.Glob("../testdata/at/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(4, 1948)) //nolint:gosec // nothing is secret here
	for _, archive := range archives {
		told := asTold(t, archive)
		for range 200 {
			var all bytes.Buffer
			for text := range told {
				for i := range len(text) {
					switch random.IntN(40) {
					case 0:
					case 1:
						all.WriteString(text[i:i+1] + text[i:i+1])
					case 2:
						all.WriteByte(byte(random.IntN(256)))
					case 3:
						all.WriteString("\r\n+CEREG: 2\r\n")
					default:
						all.WriteByte(text[i])
					}
				}
			}
			for text, q := range told {
				var s at.Scanner
				var d at.Dialogue
				c := at.Command{Text: q.Text, Prefix: q.Prefix, Mine: q.Mine}
				d.Ask(c)
				s.Scan(all.Bytes(), func(line string) { d.Line(line) })
				s.Scan([]byte("\r\n"), func(string) {})
				d.Ask(c)
				r := new(cellular.Reading)
				s.Scan([]byte(text), func(line string) {
					if a, done, _ := d.Line(line); done {
						q.Take(r, a.Lines)
					}
				})
				want := knownOf(answerTo(q, []byte(text)))
				if got := knownOf(r); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s after garbage: got %v, want %v", q.Text, got, want)
				}
			}
		}
	}
}
