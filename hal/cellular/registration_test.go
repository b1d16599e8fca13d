package cellular_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/hal/cellular"
)

// show returns a registration as "solicited EPS 1 tac ci act", with - for what is unknown.
func show(r cellular.Registration) string {
	how := "URC"
	if r.Solicited {
		how = "answer"
	}
	text := fmt.Sprintf("%s %s %d", how, r.Domain, r.State)
	text += " " + orDash("%X", r.Area) + " " + orDash("%X", r.Cell) + " " + orDash("%d", r.Access)
	return text
}

func orDash[T any](format string, v *T) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf(format, *v)
}

// The vectors are those of ModemManager's test-modem-helpers.c, and forms of 3GPP TS 27.007 that it has none of. A 0 there
// means unknown.
func TestParseRegistration(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"+CREG: 1,3", "answer CREG 3 - - -"},
		{"\r\n+CREG: 3\r\n", "URC CREG 3 - - -"},
		{"\r\n+CREG: 11\r\n", "URC CREG 11 - - -"},
		{"+CREG: 1,1,84CD,00D30173", "answer CREG 1 84CD D30173 -"},
		{"\r\n+CREG: 1,84CD,00D30156\r\n", "URC CREG 1 84CD D30156 -"},
		{"\r\n+CREG: 11,\"33FE\",\"a3fb477\"\r\n", "URC CREG 11 33FE A3FB477 -"},
		{`+CREG: 2,1,"CE00","01CEAD8F"`, "answer CREG 1 CE00 1CEAD8F -"},
		{`+CREG: 1,"CE00","00005449"`, "URC CREG 1 CE00 5449 -"},
		{"+CREG: 2,0,00,0", "answer CREG 0 - - -"},
		{"+CREG: 2,1,8BE3,2BAF", "answer CREG 1 8BE3 2BAF -"},
		{"+CREG: 1,8BE3,2BAF", "URC CREG 1 8BE3 2BAF -"},
		{`+CREG: 2,1,"8BE3","00002BAF"`, "answer CREG 1 8BE3 2BAF -"},
		{"+CREG: 2,,", "URC CREG 2 - - -"},
		{`+CREG:002,001,"18d8","ffff"`, "answer CREG 1 18D8 FFFF -"},
		{"+CREG:2,1,0001,0010", "answer CREG 1 1 10 -"},
		{`+CREG:002,001,"0001","0010"`, "answer CREG 1 1 10 -"},
		{"+CREG: 1,0001,0010,0", "URC CREG 1 1 10 0"},
		{`+CREG: 001,"0001","0010",000`, "URC CREG 1 1 10 0"},
		{"+CREG: 10,0001,0010,0", "URC CREG 10 1 10 0"},
		{`+CREG: 0011,"0001","0010",000`, "URC CREG 11 1 10 0"},
		{`+CREG: 2,6,"8B37","0A265185",7`, "answer CREG 6 8B37 A265185 7"},
		{`+CREG: 6,"8B37","0A265185",7`, "URC CREG 6 8B37 A265185 7"},
		{"+CGREG: 1,3", "answer CGREG 3 - - -"},
		{"+CGREG: 3", "URC CGREG 3 - - -"},
		{`+CGREG: 2,1,"8BE3","00002B5D",3`, "answer CGREG 1 8BE3 2B5D 3"},
		{`+CGREG: 1,"8BE3","00002B5D",3`, "URC CGREG 1 8BE3 2B5D 3"},
		{`+CREG: 2,5,"0502","0404736D"`, "answer CREG 5 502 404736D -"},
		{`+CGREG: 5,"0502","0404736D",2`, "URC CGREG 5 502 404736D 2"},
		{"+CGREG: 2,1, 81ED, 1A9CEB", "answer CGREG 1 81ED 1A9CEB -"},
		{"+CREG: 2,1,000B,2816, B, C2816", "answer CREG 1 B 2816 -"},
		{"+CREG: 2,11,003F,8FE3, B, C2816", "answer CREG 11 3F 8FE3 -"},
		{"+CREG: 2,1,  0 5, 2715", "answer CREG 1 - 2715 -"},
		{`+CGREG: 1,"1422","00000142",3,"00"`, "URC CGREG 1 1422 142 3"},
		{`+CGREG: 11,"B092","00000697",3,"00"`, "URC CGREG 11 B092 697 3"},
		{"+CGREG:2,10,ebbd,f025", "answer CGREG 10 EBBD F025 -"},
		{`+CGREG:002,0011,"0f0d","14c3"`, "answer CGREG 11 F0D 14C3 -"},
		{"+CEREG: 1,3", "answer CEREG 3 - - -"},
		{"+CEREG: 3", "URC CEREG 3 - - -"},
		{"+CEREG: 2,1, 1F00, 79D903 ,7", "answer CEREG 1 1F00 79D903 7"},
		{"+CEREG: 1, 1F00, 79D903 ,7", "URC CEREG 1 1F00 79D903 7"},
		{`+CEREG: 2,10,"8d83","671f98a",7`, "answer CEREG 10 8D83 671F98A 7"},
		{"+CEREG: 2,10, 2CA8, 20 ,B5583D ,7", "answer CEREG 10 2CA8 B5583D 7"},
		{"+CEREG: 11, 78FE, 20 ,14419E ,7", "URC CEREG 11 78FE 14419E 7"},
		{"+CEREG: 1, 2, 0001, 00000100, 7", "answer CEREG 2 1 100 7"},
		{"+CEREG: 2, 0001, 00000100, 7", "URC CEREG 2 1 100 7"},
		{"+CEREG: 2,1, 1F00, 20 ,79D903 ,7", "answer CEREG 1 1F00 79D903 7"},
		{"+CEREG: 1, 1F00, 20 ,79D903 ,7", "URC CEREG 1 1F00 79D903 7"},
		{`+CGREG: 2, 1, "0426", "F00F"`, "answer CGREG 1 426 F00F -"},
		{`+CGREG: 1, "0426", "F00F"`, "URC CGREG 1 426 F00F -"},
		{"+C5GREG: 1,3", "answer C5GREG 3 - - -"},
		{"+C5GREG: 1, 10", "answer C5GREG 10 - - -"},
		{"+C5GREG: 3", "URC C5GREG 3 - - -"},
		{"+C5GREG: 2,1,1F00,79D903,11,6,ABCDEF", "answer C5GREG 1 1F00 79D903 11"},
		{"+C5GREG: 1,1F00,79D903,11,6,ABCDEF", "URC C5GREG 1 1F00 79D903 11"},

		{`+CEREG: 4,1,"5DF1","01A2D001",7,,,"00000010","00100110"`, "answer CEREG 1 5DF1 1A2D001 7"},
		{`+CEREG: 1,"5DF1","01A2D001",7,,,"00000010","00100110"`, "URC CEREG 1 5DF1 1A2D001 7"},
		{"+CEREG: 3,3,,,,0,15", "answer CEREG 3 - - -"},
		{"+CEREG: 3,,,,0,15", "URC CEREG 3 - - -"},
		{`+CEREG: 2,5,"FFFE","FFFFFFFF",7`, "answer CEREG 5 - - 7"},
		{`+C5GREG: 2,5,"000ABC","000A1B2C3D",11`, "answer C5GREG 5 ABC A1B2C3D 11"},
		{`+C5GREG: 2,5,"ABCDEF","FA1B2C3D4",11`, "answer C5GREG 5 ABCDEF FA1B2C3D4 11"},
		{`+CEREG: 2,1,"1F00","FA1B2C3D4",7`, "answer CEREG 1 1F00 - 7"},
		{`+CEREG: 2,1,"1F00","79D903",14`, "answer CEREG 1 1F00 79D903 -"},
		{"+cereg: 0,1", "answer CEREG 1 - - -"},
		{"+CEREG: 0,0", "answer CEREG 0 - - -"},
	} {
		r, ok := cellular.ParseRegistration(test.line)
		if got := show(r); !ok || got != test.want {
			t.Errorf("%q: got %s (%v), want %s", test.line, got, ok, test.want)
		}
	}
	for _, line := range []string{
		"", "+CREG", "+CREG:", "+CREG: ", "+CREG: x", "+CREG: 12", "+CREG: -1", "+CREG: 1.5", "CREG: 1", "+CSQ: 1,1", "+XREG: 1",
		`+CREG: "1"`, "+CREG: ,1", "+CREG: 99", "+CREG: 4294967297", "+CREGX: 1",
	} {
		if r, ok := cellular.ParseRegistration(line); ok {
			t.Errorf("%q: taken for %s", line, show(r))
		}
	}
}

func TestBestRegistration(t *testing.T) {
	for _, test := range []struct {
		name, want string
		lines      []string
	}{
		{"none", "", nil},
		{"LTE first", "CEREG 5", []string{"+CREG: 0,1", "+CGREG: 0,1", "+CEREG: 0,5"}},
		{"LTE idle on 3G", "CGREG 1", []string{"+CEREG: 0,0", "+CGREG: 0,1", "+CREG: 0,1"}},
		{"5G alone", "C5GREG 1", []string{"+CEREG: 0,0", "+C5GREG: 2,1", "+CREG: 0,0"}},
		{"calls alone", "CREG 5", []string{"+CREG: 5", "+CGREG: 0"}},
		{"denied", "CEREG 3", []string{"+CEREG: 0,3", "+CGREG: 0,2", "+CREG: 0,2"}},
		{"searching beside idle", "CGREG 2", []string{"+CEREG: 0,0", "+CGREG: 0,2"}},
		{"unknown beside idle", "CGREG 0", []string{"+CEREG: 0,4", "+CGREG: 0,0"}},
		{"the last word counts", "CEREG 2", []string{"+CEREG: 0,1", "+CEREG: 2"}},
	} {
		var rs cellular.Registrations
		for _, line := range test.lines {
			r, ok := cellular.ParseRegistration(line)
			if !ok {
				t.Fatal(line)
			}
			rs.Set(r)
		}
		got := ""
		if best := rs.Best(); best != nil {
			got = fmt.Sprintf("%s %d", best.Domain, best.State)
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// Each domain keeps its own.
func TestRegistrationQuery(t *testing.T) {
	q := cellular.RegistrationQuery(cellular.EPS)
	if q.Mine("+CEREG: 5") || !q.Mine("+CEREG: 2,5") || !q.Mine("+CEREG: rubbish") {
		t.Error("an unsolicited line is taken for the answer, or the answer is not")
	}
	var r cellular.Reading
	q.Take(&r, []string{"+CEREG: 2,5"})
	q.Take(&r, []string{"+CEREG: 99"})
	if len(r.Registrations) != 1 || r.Registrations[0].State != cellular.Roaming {
		t.Errorf("got %+v", r.Registrations)
	}
	if diff := cmp.Diff([]cellular.Doubt{{Source: "CEREG", Name: "registration", Raw: " 99"}}, r.Doubts); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseRegistration(f *testing.F) {
	f.Add("+CREG: 2,1,000B,2816, B, C2816")
	f.Add(`+CEREG: 1,"5DF1","01A2D001",7,,,"00000010","00100110"`)
	f.Fuzz(func(t *testing.T, line string) {
		r, ok := cellular.ParseRegistration(line)
		if !ok {
			return
		}
		if r.State > 11 || r.Area != nil && (*r.Area == 0 || *r.Area >= 1<<24) || r.Cell != nil && *r.Cell >= 1<<36 ||
			r.Access != nil && *r.Access > 13 {
			t.Errorf("%q: out of range: %s", line, show(r))
		}
		again := fmt.Sprintf("+%s: %d", r.Domain, r.State)
		if r.Solicited {
			again = fmt.Sprintf("+%s: 0,%d", r.Domain, r.State)
		}
		if r2, ok := cellular.ParseRegistration(again); !ok || r2.State != r.State || r2.Solicited != r.Solicited {
			t.Errorf("%q, and as %q %s", line, again, show(r2))
		}
	})
}
