package cellular_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/hal/cellular"
)

// The vectors are those of ModemManager's test-modem-helpers.c, and a real Quectel answer.
func TestParseICCID(t *testing.T) {
	for text, want := range map[string]string{
		`"984402003576012594F9"`:    "8944200053671052499",
		"98231420326409614067":      "89324102234690160476",
		"8944200053671052499F":      "8944200053671052499",
		"8944200053671052499":       "8944200053671052499",
		`"89324102234690160476"`:    "89324102234690160476",
		`"898602F9091830030220"`:    "898602F9091830030220",
		`"898602C0123456789012"`:    "898602C0123456789012",
		" 898604B2012290748345 ":    "898604B2012290748345",
		"898604b2012290748345":      "898604B2012290748345",
		"982314203264096":           "",
		"98231420326pl9614067":      "",
		`"0044200053671052499"`:     "",
		"0044200053671052499":       "",
		`"89148000000637720260",""`: "89148000000637720260",
		"":                          "",
		"F":                         "",
		"FFFFFFFFFFFFFFFFFFFF":      "",
		"89324102234690160476123":   "",
		"4242424242424242424":       "",
		"8944 2000 5367 1052 499":   "",
		"９９44200053671052499":       "",
		`"8944200053671052499`:      "8944200053671052499",
		"00000000000000000000":      "",
		"8844200053671052499":       "",
		"8944200053671052499FFFFF":  "",
	} {
		got, err := cellular.ParseICCID(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestParseIMEI(t *testing.T) {
	for text, want := range map[string]string{
		"490154203237518":     "490154203237518",
		`"352099001761481"`:   "352099001761481",
		" 861536030196001 ":   "861536030196001",
		"490154203237519":     "", // wrong check digit
		"49015420323751":      "",
		"4901542032375180":    "",
		"000000000000000":     "",
		"378282246310005":     "", // a card number
		"371449635398431":     "",
		"213112345678904":     "",
		"49015420323751X":     "",
		"":                    "",
		"4242424242424242":    "",
		"４９0154203237518":     "",
		"490154203237518,352": "",
	} {
		got, err := cellular.ParseIMEI(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q (%v), want %q", text, got, err, want)
		}
	}
}

// Identifiers come with a prefix, with another, or with none; what is none is told of without being told.
func TestIdentity(t *testing.T) {
	var r cellular.Reading
	lines := map[string][]string{
		"AT+CGMI": {"Quectel"},
		"AT+CGMM": {"EC25"},
		"AT+CGMR": {"Revision: EC25EFAR06A08M4G"},
		"AT+CGSN": {`+CGSN: "352099001761481"`},
	}
	for _, q := range cellular.Identity() {
		q.Take(&r, lines[q.Text])
	}
	if r.Maker != "Quectel" || r.Model != "EC25" || r.Firmware != "EC25EFAR06A08M4G" || r.IMEI != "352099001761481" {
		t.Errorf("got %+v", r)
	}
	for line, want := range map[string]string{
		"+QCCID: 898604B2012290748345": "898604B2012290748345",
		"8944200053671052499":          "8944200053671052499",
		`+ICCID: 8944200053671052499F`: "8944200053671052499",
		"+CCID: 4242424242424242":      "",
	} {
		p, _ := cellular.ProfileNamed("quectel")
		var r cellular.Reading
		p.ICCID[0].Take(&r, []string{line})
		if r.ICCID != want || len(r.Doubts) == 0 == (want == "") {
			t.Errorf("%q: got %q, doubts %q", line, r.ICCID, doubts(&r))
		}
		if strings.Contains(doubts(&r), "4242") {
			t.Errorf("%q: the doubt has the value", line)
		}
	}
}

func TestProfileOf(t *testing.T) {
	for _, test := range []struct{ maker, model, want string }{
		{"Quectel", "EC25", "quectel"},
		{"QUALCOMM INCORPORATED", "EP06-A", "quectel"},
		{"SIMCOM INCORPORATED", "SIMCOM_SIM7600E-H", "simcom"},
		{"INCORPORATED", "A7670E-LASE", "simcom"},
		{"u-blox", "SARA-R410M-02B", "ublox"},
		{"Telit", "LE910C4-EU", "generic"},
		{"", "", "generic"},
	} {
		if got := cellular.ProfileOf(test.maker, test.model).Name; got != test.want {
			t.Errorf("%s %s: got %s, want %s", test.maker, test.model, got, test.want)
		}
	}
	if _, ok := cellular.ProfileNamed("none"); ok {
		t.Error("there is a profile that there is not")
	}
}

func TestParseSIM(t *testing.T) {
	for line, want := range map[string]cellular.SIM{
		"+CPIN: READY":         cellular.SIMReady,
		`+CPIN: "READY"`:       cellular.SIMReady,
		"+CPIN:READY":          cellular.SIMReady,
		"+CPIN: SIM PIN":       cellular.SIMPIN,
		"+CPIN: SIM PUK":       cellular.SIMPUK,
		"+CPIN: SIM PUK2":      cellular.SIMPUK,
		"+CPIN: PH-NET PIN":    cellular.SIMLocked,
		"+CPIN: PH-SIM PIN":    cellular.SIMLocked,
		"+CPIN: NOT INSERTED":  cellular.SIMAbsent,
		"+CPIN: NOT READY":     cellular.SIMBusy,
		"+CPIN: something new": cellular.SIMUnknown,
		"+CPIN:":               cellular.SIMUnknown,
		"READY":                cellular.SIMUnknown,
	} {
		if got := cellular.ParseSIM(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	for code, want := range map[int]cellular.SIM{
		10: cellular.SIMAbsent, 11: cellular.SIMPIN, 12: cellular.SIMPUK, 13: cellular.SIMFailed, 14: cellular.SIMBusy,
		15: cellular.SIMWrong, 100: cellular.SIMUnknown, -1: cellular.SIMUnknown,
	} {
		if got := cellular.SIMOfError(code); got != want {
			t.Errorf("+CME ERROR %d: got %q, want %q", code, got, want)
		}
	}
}

func TestCOPS(t *testing.T) {
	for _, test := range []struct{ line, name, code, access string }{
		{`+COPS: 1,0,"CHINA MOBILE",7`, "CHINA MOBILE", "", "7"},
		{`+COPS: 1,0,"CHINA MOBILE"`, "CHINA MOBILE", "", "-"},
		{`+COPS: 1,2,"46000",7`, "", "46000", "7"},
		{`+COPS: 0`, "", "", "-"},
		{`+COPS: 0,0,"IND airtel airtel",7`, "IND airtel airtel", "", "7"},
		{`+COPS: 0,2,"310260",13`, "", "310260", "13"},
		{`+COPS: 0,0,"00540065006C0065006B006F006D",7`, "Telekom", "", "7"},
		{`+COPS: 0,0,"4E2D56FD79FB52A8",7`, "中国移动", "", "7"},
		{`+COPS: 0,0,"CAFE",7`, "CAFE", "", "7"},
		{`+COPS: 0,0,"A,B",99`, "A,B", "", "-"},
		{"+COPS: 0,0,\"tele\xffring\",7", "tele?ring", "", "7"},
		{"+COPS: 0,0,\"tele\x01ring\",7", "", "", "-"},
		{`+COPS: 0,0"Orange",7`, "", "", "-"},
		{`+COPS: 00,"Orange",7`, "", "", "-"},
		{`+COPS: 0,0,"Orange"7`, "", "", "-"},
		{`+COPS: 0,0,"Orange,7`, "", "", "-"},
		{`+COPS: 0,2,"4600x",7`, "", "", "-"},
		{`+COPS: 2`, "", "", "-"},
	} {
		var r cellular.Reading
		r.TakeCOPS(test.line)
		if r.Operator.Name != test.name || r.Operator.Code != test.code || orDash("%d", r.Access) != test.access {
			t.Errorf("%q: got %+v %s", test.line, r.Operator, orDash("%d", r.Access))
		}
	}
}

func TestCFUN(t *testing.T) {
	for line, want := range map[string]string{
		"+CFUN: 1": "true", "+CFUN: 1,0": "true", "+CFUN: 0": "false", "+CFUN: 4": "false", "+CFUN: 19,0": "false", "+CFUN: 7": "-",
	} {
		var r cellular.Reading
		r.TakeCFUN(line)
		if got := orDash("%v", r.Radio); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestParseClock(t *testing.T) {
	for text, want := range map[string]string{
		`"14/08/05,04:00:21+40"`:   "2014-08-05T04:00:21+10:00",
		`"15/02/28,20:30:40-32"`:   "2015-02-28T20:30:40-08:00",
		"17/07/26,11:42:15+01":     "2017-07-26T11:42:15+00:15",
		`"26/07/13,10:00:00+00"`:   "2026-07-13T10:00:00Z",
		`"2026/07/13,10:00:00+08"`: "2026-07-13T10:00:00+02:00",
		`"14/08/05,04:00:21"`:      "2014-08-05T04:00:21Z unknown zone",
		`"XX/XX/XX,XX:XX:XX+XX"`:   "",
		`"80/01/06,00:00:00+00"`:   "",
		`"70/01/01,00:00:00+00"`:   "",
		`"26/13/01,00:00:00+00"`:   "",
		`"26/02/30,00:00:00+00"`:   "",
		`"26/07/13,24:00:00+00"`:   "",
		`"26/07/13,10:00:00+99"`:   "",
		`"26/07/13,10:00:00+0"`:    "",
		`"26/07/13,10:00:00+008"`:  "",
		`"26/07/13"`:               "",
		"":                         "",
	} {
		c, err := cellular.ParseClock(text)
		got := ""
		if err == nil {
			got = c.Time.Format(time.RFC3339)
			if c.Offset == nil {
				got += " unknown zone"
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestTemperature(t *testing.T) {
	for _, test := range []struct{ profile, lines, want, doubts string }{
		{"quectel", "+QTEMP: 31,31,30", "310", ""},
		{"quectel", "+QTEMP: 31,255,30", "310", ""},
		{"quectel", "+QTEMP: 255,255,255", "-", ""},
		{"quectel", "+QTEMP: \"qfe_wtr_pa0\",\"45\"\n+QTEMP: \"aoss0-usr\",\"47\"\n+QTEMP: \"mdm-q6-usr\",\"-273\"", "470", ""},
		{"quectel", "+QTEMP: \"aoss\",-5\n+QTEMP: \"mdmq6\",-2", "-20", ""},
		{"quectel", `+QTEMP: "modem",40,"ap",39,"pa",41`, "410", ""},
		{"quectel", `+QTEMP: "modem-tsens","-273"`, "-", ""},
		{"quectel", `+QTEMP: "soc-thermal","126"`, "-", "QTEMP temperature=126"},
		{"quectel", "+QTEMP: -7,-8,-9", "-70", ""},
		{"simcom", "+CPMUTEMP: 27", "270", ""},
		{"simcom", "+CPMUTEMP: hot", "-", ""},
	} {
		p, _ := cellular.ProfileNamed(test.profile)
		var r cellular.Reading
		p.Temperature.Take(&r, strings.Split(test.lines, "\n"))
		if got := orDash("%d", r.Temperature); got != test.want || doubts(&r) != test.doubts {
			t.Errorf("%s: got %s, doubts %q", test.lines, got, doubts(&r))
		}
	}
}

func FuzzParseICCID(f *testing.F) {
	f.Add(`"984402003576012594F9"`)
	f.Add("898604B2012290748345")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := cellular.ParseICCID(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(id, "89") || len(id) < 18 || len(id) > 20 || strings.Trim(id, "0123456789ABCDEF") != "" {
			t.Errorf("%q: got %q", text, id)
		}
	})
}

func FuzzParseClock(f *testing.F) {
	f.Add(`"14/08/05,04:00:21+40"`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := cellular.ParseClock(text)
		if err == nil && (c.Time.Year() < 2000 || c.Time.Year() >= 2070 || c.Offset != nil && c.Offset.Abs() > 14*time.Hour) {
			t.Errorf("%q: got %+v", text, c)
		}
	})
}

// FuzzTake feeds what takes whole answers: nothing that comes makes them fail, and what they keep is bounded.
func FuzzTake(f *testing.F) {
	f.Add("+COPS: 1,0,\"CHINA MOBILE\",7\n+CCLK: \"14/08/05,04:00:21+40\"\n+CFUN: 1\n+CPIN: READY\n+QTEMP: 31,31,30\n+CPMUTEMP: 27\n352099001761481")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		var r cellular.Reading
		queries := append(cellular.Identity(), cellular.State()...)
		queries = append(queries, cellular.SIMQuery())
		for _, d := range cellular.Domains() {
			queries = append(queries, cellular.RegistrationQuery(d))
		}
		for _, name := range []string{"quectel", "simcom", "ublox", "generic"} {
			p, _ := cellular.ProfileNamed(name)
			queries = append(append(queries, p.Signal...), p.ICCID...)
			if p.Temperature.Take != nil {
				queries = append(queries, p.Temperature)
			}
		}
		for _, q := range queries {
			q.Take(&r, lines)
		}
		if len(r.Operator.Name) > 256 || len(r.Maker) > 256 || len(r.Raw) > 24 || len(r.Doubts) > 16 {
			t.Errorf("%q: got %+v", text, r)
		}
		if r.IMEI != "" {
			if _, err := cellular.ParseIMEI(r.IMEI); err != nil {
				t.Errorf("%q: IMEI %q", text, r.IMEI)
			}
		}
		if r.Temperature != nil && (*r.Temperature < -400 || *r.Temperature > 1250) {
			t.Errorf("%q: %d tenths of a degree", text, *r.Temperature)
		}
	})
}
