package at_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/hal/at"
)

// heard is what a dialogue makes of what came.
type heard struct {
	Lines       []string
	Final       string // empty while there is no end
	Unsolicited []string
}

// hear asks a command and feeds what came, cut into pieces.
func hear(c at.Command, pieces ...string) heard {
	var h heard
	var s at.Scanner
	var d at.Dialogue
	d.Ask(c)
	for _, piece := range pieces {
		s.Scan([]byte(piece), func(line string) {
			a, done, unsolicited := d.Line(line)
			if done {
				h.Lines, h.Final = a.Lines, a.Final.String()+" "+a.Final.Text
			}
			if unsolicited {
				h.Unsolicited = append(h.Unsolicited, line)
			}
		})
	}
	h.Final = strings.TrimSpace(h.Final)
	return h
}

// everySplit calls f with the text whole, byte by byte, and cut in two in every way.
func everySplit(text string, f func(how string, pieces ...string)) {
	f("whole", text)
	f("byte by byte", strings.Split(text, "")...)
	for i := 1; i < len(text); i++ {
		f("cut after "+text[:i], text[:i], text[i:])
	}
}

// The vectors are those of ModemManager's test-at-serial-port.c and of real captures.
func TestDialogue(t *testing.T) {
	csq := at.Command{Text: "AT+CSQ", Prefix: "+CSQ:"}
	plain := at.Command{Text: "AT"}
	for _, test := range []struct {
		name    string
		command at.Command
		came    string
		want    heard
	}{
		{"ok", plain, "\r\nOK\r\n", heard{Final: "OK"}},
		{"ok, then a message", plain, "\r\nOK\r\n\r\n+CMTI: \"ME\",1\r\n", heard{Final: "OK", Unsolicited: []string{`+CMTI: "ME",1`}}},
		{
			"ok, then a call", plain, "\r\nOK\r\n\r\n+CIEV: 7,1\r\n\r\n+CRING: VOICE\r\n\r\n+CLIP: \"+0123456789\",145,,,,0\r\n",
			heard{Final: "OK", Unsolicited: []string{"+CIEV: 7,1", "+CRING: VOICE", `+CLIP: "+0123456789",145,,,,0`}},
		},
		{"no end", csq, "\r\nUNKNOWN COMMAND\r\n", heard{Unsolicited: []string{"UNKNOWN COMMAND"}}},
		{"error, then something", plain, "\r\nERROR\r\n\r\noooops\r\n", heard{Final: "ERROR", Unsolicited: []string{"oooops"}}},
		{"CME text", plain, "\r\n+CME ERROR: raspberry\r\n", heard{Final: "+CME ERROR raspberry"}},
		{"CME number", plain, "\r\n+CME ERROR: 123\r\n", heard{Final: "+CME ERROR 123"}},
		{"CME nothing", plain, "\r\n+CME ERROR: \r\n", heard{Final: "+CME ERROR"}},
		{"CME no space", plain, "\r\n+CME ERROR:10\r\n", heard{Final: "+CME ERROR 10"}},
		{"CMS number", plain, "\r\n+CMS ERROR: 310\r\n", heard{Final: "+CMS ERROR 310"}},
		{"CMS text", plain, "\r\n+CMS ERROR: bananas\r\n", heard{Final: "+CMS ERROR bananas"}},
		{"modem error", plain, "\r\nMODEM ERROR: 5\r\n", heard{Final: "MODEM ERROR 5"}},
		{"modem error in words is none", csq, "\r\nMODEM ERROR: apple\r\n", heard{Unsolicited: []string{"MODEM ERROR: apple"}}},
		{
			"not supported, then something", plain, "\r\nCOMMAND NOT SUPPORT\r\n\r\nSomething extra\r\n",
			heard{Final: "COMMAND NOT SUPPORT", Unsolicited: []string{"Something extra"}},
		},
		{"no carrier", plain, "\r\nNO CARRIER\r\n", heard{Final: "NO CARRIER"}},
		{"no carrier after LF", plain, "\nNO CARRIER\r\n", heard{Final: "NO CARRIER"}},
		{"busy", plain, "\r\nBUSY\r\n", heard{Final: "BUSY"}},
		{"no answer", plain, "\r\nNO ANSWER\r\n", heard{Final: "NO ANSWER"}},
		{"no dialtone", plain, "\r\nNO DIALTONE\r\n", heard{Final: "NO DIALTONE"}},
		{"connect", plain, "\r\nCONNECT\r\n", heard{Final: "CONNECT"}},
		{"connect with a rate", plain, "\r\nCONNECT 115200\r\n", heard{Final: "CONNECT 115200"}},
		{"prompt", plain, "\r\n> ", heard{Final: ">"}},
		{"aborted", plain, "\r\nABORTED\r\n", heard{Final: "ABORTED"}},

		{"an answer", csq, "\r\n+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"no CR LF before", csq, "+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"LF alone", csq, "\n+CSQ: 18,99\nOK\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"echo", csq, "AT+CSQ\r\r\n+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"echo in small letters", csq, "at+csq\r\n+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"echo without its start", csq, "T+CSQ\r\r\n+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{"echo after something", csq, "\x1bxAT+CSQ\r\r\n+CSQ: 18,99\r\n\r\nOK\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK"}},
		{
			"unsolicited inside", csq, "AT+CSQ\r\r\n+CREG: 5\r\n\r\n+CSQ: 18,99\r\n\r\nOK\r\n",
			heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK", Unsolicited: []string{"+CREG: 5"}},
		},
		{
			"unsolicited before, inside and after", csq, "\r\nRING\r\n\r\n+CSQ: 18,99\r\n\r\n+CTZV: +08\r\n\r\nOK\r\n\r\n+QIND: PB DONE\r\n",
			heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK", Unsolicited: []string{"RING", "+CTZV: +08", "+QIND: PB DONE"}},
		},
		{
			"boot", at.Command{Text: "AT+CFUN=1"}, "at+cfun=1\r\r\nOK\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n",
			heard{Final: "OK", Unsolicited: []string{"+CPIN: READY", "+QUSIM: 1", "+QIND: SMS DONE", "+QIND: PB DONE"}},
		},
		{
			"no prefix", at.Command{Text: "AT+CGMM"}, "\r\nSIMCOM_SIM7600E-H\r\n\r\n+CREG: 1\r\n\r\nRDY\r\n\r\nOK\r\n",
			heard{Lines: []string{"SIMCOM_SIM7600E-H"}, Final: "OK", Unsolicited: []string{"+CREG: 1", "RDY"}},
		},
		{
			"a prefix where there need be none", at.Command{Text: "AT+CGSN"}, "\r\n+CGSN: \"351756051523999\"\r\n\r\nOK\r\n",
			heard{Lines: []string{`+CGSN: "351756051523999"`}, Final: "OK"},
		},
		{
			"values after the line of the prefix", at.Command{Text: `AT+QENG="servingcell"`, Prefix: "+QENG:"},
			"\r\n+QENG:\r\n\"servingcell\",\"NOCONN\"\r\n\"LTE\",\"FDD\"\r\n\r\nOK\r\n",
			heard{Lines: []string{`+QENG: "servingcell","NOCONN"`, `+QENG: "LTE","FDD"`}, Final: "OK"},
		},
		{"NUL and bytes of 8 bits", csq, "\x00\r\n\xc3\x28\r\n+CS\x00Q: 18,99\r\n\r\nO\x00K\r\n", heard{Lines: []string{"+CSQ: 18,99"}, Final: "OK", Unsolicited: []string{"\xc3\x28"}}},
		{"a line that is too long", csq, "\r\n+CSQ: " + strings.Repeat("1", 2100) + "\r\n\r\nOK\r\n", heard{Final: "OK"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everySplit(test.came, func(how string, pieces ...string) {
				if got := hear(test.command, pieces...); !cmp.Equal(got, test.want) {
					t.Errorf("%q: (-want +got)\n%s", how, cmp.Diff(test.want, got))
				}
			})
		})
	}
}

// A line with the prefix of the answer can be one that the modem sends by itself: who asks can tell.
func TestDialogueMine(t *testing.T) {
	command := at.Command{
		Text: "AT+CREG?", Prefix: "+CREG:", Mine: func(line string) bool { return strings.Contains(line, ",") },
	}
	everySplit("\r\n+CREG: 5\r\n\r\n+CREG: 2,5\r\n\r\nOK\r\n", func(how string, pieces ...string) {
		got := hear(command, pieces...)
		if !slices.Equal(got.Lines, []string{"+CREG: 2,5"}) || !slices.Equal(got.Unsolicited, []string{"+CREG: 5"}) {
			t.Errorf("%s: got %+v", how, got)
		}
	})
}

// Nothing is asked: all that comes is unsolicited, whatever it looks like.
func TestDialogueIdle(t *testing.T) {
	var d at.Dialogue
	for _, line := range []string{"OK", "RING", "+CREG: 1", "ERROR"} {
		if _, done, unsolicited := d.Line(line); done || !unsolicited {
			t.Errorf("%s: done %v, unsolicited %v", line, done, unsolicited)
		}
	}
}

func TestCMECode(t *testing.T) {
	for line, want := range map[string]int{
		"+CME ERROR: 10":                    at.CodeNoSIM,
		"+CME ERROR: SIM not inserted":      at.CodeNoSIM,
		"+CME ERROR: SIM failure":           at.CodeSIMFailure,
		"+CME ERROR: SIM busy":              at.CodeSIMBusy,
		"+CME ERROR: SIM PIN required":      at.CodeNeedsPIN,
		"+CME ERROR: SIM PUK required":      at.CodeNeedsPUK,
		"+CME ERROR: SIM wrong":             at.CodeWrongSIM,
		"+CME ERROR: no network service":    -1,
		"+CMS ERROR: 10":                    -1,
		"ERROR":                             -1,
		"+CME ERROR: 4294967306":            -1,
		"+CME ERROR: -10":                   -1,
		"+CME ERROR:   14  ":                at.CodeSIMBusy,
		"+CME ERROR: incorrect parameters ": -1,
	} {
		final, ok := at.ParseFinal(line)
		if got := final.CMECode(); !ok || got != want {
			t.Errorf("%q: got %d, want %d", line, got, want)
		}
	}
}

// However the bytes are cut, the same comes out of them, and never more than went in.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte("AT+CSQ\r\r\n+CREG: 5\r\n\r\n+CSQ: 18,99\r\n\r\nOK\r\n"), uint16(7))
	f.Add([]byte("+QENG:\r\n\"servingcell\",1\r\n> \r\n+CME ERROR: 10\r\n"), uint16(3))
	f.Fuzz(func(t *testing.T, came []byte, cut uint16) {
		for _, c := range []at.Command{{Text: "AT+CSQ", Prefix: "+CSQ:"}, {Text: "ATI"}} {
			whole := hear(c, string(came))
			i := min(int(cut), len(came))
			if got := hear(c, string(came[:i]), string(came[i:])); !cmp.Equal(got, whole) {
				t.Errorf("cut after %d: (-whole +cut)\n%s", i, cmp.Diff(whole, got))
			}
			size := 0
			for _, line := range slices.Concat(whole.Lines, whole.Unsolicited) {
				size += len(line)
				if strings.ContainsAny(line, "\r\n\x00") || strings.TrimSpace(line) == "" {
					t.Errorf("line %q", line)
				}
			}
			if size > 4*len(came)+16 {
				t.Errorf("%d bytes of lines from %d", size, len(came))
			}
		}
	})
}
