package cellular_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stampd/stampd/hal/cellular"
)

// take takes in lines with whatever takes them.
func take(lines ...string) *cellular.Reading {
	r := new(cellular.Reading)
	for _, line := range lines {
		r.TakeCSQ(line)
		r.TakeCESQ(line)
		r.TakeQCSQ(line)
		r.TakeQENG(line)
		r.TakeCPSI(line)
	}
	return r
}

// levels returns what is known of a signal: "rssi -61.0 rsrp -87.0".
func levels(s cellular.Signal) string {
	var known []string
	for _, l := range []struct {
		name  string
		level cellular.Level
	}{
		{"rssi", s.RSSI},
		{"rscp", s.RSCP},
		{"ecio", s.EcIo},
		{"rsrp", s.RSRP},
		{"rsrq", s.RSRQ},
		{"sinr", s.SINR},
		{"nr_rsrp", s.NRRSRP},
		{"nr_rsrq", s.NRRSRQ},
		{"nr_sinr", s.NRSINR},
	} {
		if l.level.Tenths != nil {
			known = append(known, fmt.Sprintf("%s %.1f", l.name, float64(*l.level.Tenths)/10))
		}
	}
	return strings.Join(known, " ")
}

func doubts(r *cellular.Reading) string {
	var texts []string
	for _, d := range r.Doubts {
		texts = append(texts, d.String())
	}
	return strings.Join(texts, ", ")
}

// The vectors are those of ModemManager's tests and of real captures (EP06-A, EC25, BG96, SIM7600, A7670, MikroTik).
func TestSignal(t *testing.T) {
	for _, test := range []struct{ name, lines, want, doubts string }{
		{"CSQ 0", "+CSQ: 0,0", "rssi -113.0", ""},
		{"CSQ 3", "+CSQ: 3,99", "rssi -107.0", ""},
		{"CSQ 11", "+CSQ: 11,99", "rssi -91.0", ""},
		{"CSQ 18", "+CSQ: 18,99", "rssi -77.0", ""},
		{"CSQ 21, no space", "+CSQ:21,99", "rssi -71.0", ""},
		{"CSQ 31", "+CSQ: 31,99", "rssi -51.0", ""},
		{"CSQ 99", "+CSQ: 99,99", "", ""},
		{"CSQ 32", "+CSQ: 32,99", "", "CSQ rssi=32"},
		{"CSQ below 0", "+CSQ: -1,99", "", "CSQ rssi=-1"},
		{"CSQ TD-SCDMA", "+CSQ: 146,99", "rscp -70.0", ""},
		{"CSQ TD-SCDMA unknown", "+CSQ: 199,99", "", ""},
		{"CSQ TD-SCDMA too much", "+CSQ: 192,99", "", "CSQ rscp=192"},
		{"CSQ words", "+CSQ: full,99", "", "CSQ rssi=full"},
		{"CSQ too large for a number", "+CSQ: 99999999999999,99", "", "CSQ rssi=99999999999999"},

		{"CESQ LTE", "+CESQ: 99,99,255,255,20,80", "rsrp -61.0 rsrq -10.0", ""},
		{"CESQ UMTS", "+CESQ: 99,99,95,40,255,255", "rscp -26.0 ecio -4.5", ""},
		{"CESQ GSM", "+CESQ: 10,6,255,255,255,255", "rssi -101.0", ""},
		{"CESQ no space", "+CESQ:10,6,255,255,255,255", "rssi -101.0", ""},
		{"CESQ nothing", "+CESQ: 99,99,255,255,255,255", "", ""},
		{"CESQ ends", "+CESQ: 63,0,96,49,34,97", "rssi -48.0 rscp -25.0 ecio 0.0 rsrp -44.0 rsrq -3.0", ""},
		{"CESQ starts", "+CESQ: 0,0,0,0,0,0", "rssi -111.0 rscp -121.0 ecio -24.5 rsrp -141.0 rsrq -20.0", ""},
		{
			"CESQ out of range", "+CESQ: 64,99,97,50,35,98", "",
			"CESQ rssi=64, CESQ rscp=97, CESQ ecio=50, CESQ rsrq=35, CESQ rsrp=98",
		},
		{"CESQ NR alone", "+CESQ: 99,99,255,255,255,255,65,70,71", "rsrp -87.0 rsrq -11.0 sinr 12.0", ""},
		{
			"CESQ NR beside LTE", "+CESQ: 99,99,255,255,20,80,65,70,71",
			"rsrp -61.0 rsrq -10.0 nr_rsrp -87.0 nr_rsrq -11.0 nr_sinr 12.0", "",
		},
		{"CESQ cut", "+CESQ: 99,99,255", "", "CESQ values=+CESQ: 99,99,255"},

		{"QCSQ eMTC", `+QCSQ: "eMTC",-62,-87,111,-12`, "rssi -62.0 rsrp -87.0 rsrq -12.0 sinr 2.2", ""},
		{"QCSQ without a sign", `+QCSQ: "LTE",85,-124,55,-18`, "rsrp -124.0 rsrq -18.0 sinr -9.0", "QCSQ rssi=85"},
		{"QCSQ no service", `+QCSQ: "NOSERVICE"`, "", ""},
		{"QCSQ SINR 0", `+QCSQ: "LTE",-60,-90,0,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0 sinr -20.0", ""},
		{"QCSQ SINR 48", `+QCSQ: "LTE",-60,-90,48,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0 sinr -10.4", ""},
		{"QCSQ SINR 100", `+QCSQ: "LTE",-60,-90,100,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0 sinr 0.0", ""},
		{"QCSQ SINR 150", `+QCSQ: "LTE",-60,-90,150,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0 sinr 10.0", ""},
		{"QCSQ SINR 250", `+QCSQ: "LTE",-60,-90,250,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0 sinr 30.0", ""},
		{"QCSQ SINR 251", `+QCSQ: "LTE",-60,-90,251,-10`, "rssi -60.0 rsrp -90.0 rsrq -10.0", "QCSQ sinr=251"},
		{"QCSQ GSM", `+QCSQ: "GSM",-71`, "rssi -71.0", ""},
		{"QCSQ WCDMA", `+QCSQ: "WCDMA",-71,-80,-6`, "rssi -71.0 rscp -80.0 ecio -6.0", ""},

		{
			"QENG EP06-A", `+QENG: "servingcell","NOCONN","LTE","FDD",310,260,1452808,315,5035,12,2,2,3AFD,-104,-11,-78,12,20`,
			"rssi -78.0 rsrp -104.0 rsrq -11.0 sinr 12.0", "",
		},
		{
			"QENG SINR below 0", `+QENG: "servingcell","NOCONN","LTE","FDD",302,220,188E598,428,66935,66,5,5,2CEE,-122,-19,-82,-9,5`,
			"rssi -82.0 rsrp -122.0 rsrq -19.0 sinr -9.0", "",
		},
		{
			"QENG strong", `+QENG: "servingcell","NOCONN","LTE","FDD",440,10,950FE00,43,6100,19,3,3,909A,-71,-5,-47,30,-`,
			"rssi -47.0 rsrp -71.0 rsrq -5.0 sinr 30.0", "",
		},
		{
			"QENG eMTC", `+QENG: "servingcell","NOCONN","eMTC","FDD",310,410,B0DD811,152,5110,12,3,3,5003,-88,-11,-62,11,41`,
			"rssi -62.0 rsrp -88.0 rsrq -11.0 sinr 11.0", "",
		},
		{
			"QENG RM500Q, 20 values", `+QENG: "servingcell","NOCONN","LTE","FDD",262,01,1A2D001,143,1300,3,5,5,5DF1,-95,-12,-64,9,7,-32768,-`,
			"rssi -64.0 rsrp -95.0 rsrq -12.0 sinr 9.0", "",
		},
		{
			"QENG EN-DC", "+QENG: \"servingcell\",\"NOCONN\"\n" +
				"+QENG: \"LTE\",\"FDD\",262,01,1A2D001,143,1300,3,5,5,5DF1,-95,-12,-64,9,7,230,-\n" +
				"+QENG: \"NR5G-NSA\",262,01,387,-101,14,-11,641280,78,12,1",
			"rssi -64.0 rsrp -95.0 rsrq -12.0 sinr 9.0 nr_rsrp -101.0 nr_rsrq -11.0 nr_sinr 14.0", "",
		},
		{
			"QENG 5G alone", `+QENG: "servingcell","CONNECT","NR5G-SA","TDD",262,01,1A2D00123,387,5DF1,641280,78,12,-88,-10,22,1,-`,
			"rsrp -88.0 rsrq -10.0 sinr 22.0", "",
		},
		{"QENG searching", `+QENG: "servingcell","SEARCH"`, "", ""},
		{
			"QENG nothing measured", `+QENG: "servingcell","LIMSRV","LTE","FDD",262,01,1A2D001,143,1300,3,5,5,5DF1,-,-,-32768,-,-`,
			"", "",
		},
		{
			"QENG cut", `+QENG: "servingcell","NOCONN","LTE","FDD",310,260,1452808,315,5035,12,2,2,3AFD,-10`, "",
			"QENG values=LTE,FDD,310,260,1452808,",
		},
		{
			"QENG WCDMA", `+QENG: "servingcell","NOCONN","WCDMA",262,01,5DF1,1A2D001,10663,279,0,-84,-7,-,-,-,-,-`,
			"rscp -84.0 ecio -7.0", "",
		},

		{
			"CPSI SIM7600", "+CPSI: LTE,Online,404-45,0x21F9,322642,453,EUTRAN-BAND40,39275,4,4,-168,-1126,-773,7",
			"rssi -77.3 rsrp -112.6 rsrq -16.8 sinr 7.0", "",
		},
		{
			"CPSI SIM7600, strong", "+CPSI: LTE,Online,505-01,0x5A1E,187214780,257,EUTRAN-BAND3,1850,5,5,-94,-850,-545,15",
			"rssi -54.5 rsrp -85.0 rsrq -9.4 sinr 15.0", "",
		},
		{
			"CPSI in dBm", "+CPSI: LTE CAT-M1,Online,505-01,0x5A1E,187214780,257,EUTRAN-BAND3,1850,5,5,-9,-85,-54,15",
			"rssi -54.0 rsrp -85.0 rsrq -9.0 sinr 15.0", "",
		},
		{
			"CPSI indexes", "+CPSI: LTE,Online,460-11,0x774B,126375687,303,EUTRAN-BAND1,100,5,0,12,36,42,5", "",
			"CPSI rsrq=12, CPSI rsrp=36, CPSI rssi=42, CPSI sinr=5",
		},
		{"CPSI short", "+CPSI: LTE,Online", "", ""},
		{"CPSI no service", "+CPSI: NO SERVICE,Online", "", ""},
		{"CPSI GSM", "+CPSI: GSM,Online,460-00,0x1816,63905,81 EGSM 900,-83,0,27-27", "rssi -83.0", ""},
		{
			"CPSI EN-DC", "+CPSI: LTE,Online,460-11,0x774B,126375687,303,EUTRAN-BAND1,100,5,5,-94,-850,-545,15\n" +
				"+CPSI: NR5G_NSA,644,NR5G_BAND78,627264,-960,-120,120",
			"rssi -54.5 rsrp -85.0 rsrq -9.4 sinr 15.0 nr_rsrp -96.0 nr_rsrq -12.0 nr_sinr 12.0", "",
		},

		{"the first that knows counts", "+CESQ: 99,99,255,255,20,80\n+CSQ: 18,99\n" + `+QCSQ: "LTE",-60,-90,150,-10`, "rssi -77.0 rsrp -61.0 rsrq -10.0 sinr 10.0", ""},
		{"quotes that don't close", `+QCSQ: "LTE,-60,-90,150,-10`, "", `QCSQ mode="LTE,-60,-90,150,-10`},
	} {
		r := take(strings.Split(test.lines, "\n")...)
		if got := levels(r.Signal); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
		if got := doubts(r); got != test.doubts {
			t.Errorf("%s: doubts %q, want %q", test.name, got, test.doubts)
		}
	}
}

// What the modem wrote stays beside what was made of it, and where the unit was found out, the source says so.
func TestSignalRaw(t *testing.T) {
	s := take("+CPSI: LTE,Online,404-45,0x21F9,322642,453,EUTRAN-BAND40,39275,4,4,-168,-1126,-773,7").Signal
	if s.RSRP.Raw != "-1126" || s.RSRP.Source != "CPSI/10" || s.SINR.Raw != "7" {
		t.Errorf("got %+v", s)
	}
	r := take(`+QCSQ: "LTE",85,-124,55,-18`)
	if s := r.Signal; s.RSSI.Raw != "85" || s.SINR.Raw != "55" || s.SINR.Source != "QCSQ" {
		t.Errorf("got %+v", s)
	}
	if len(r.Raw) != 1 || r.Raw[0] != `+QCSQ: "LTE",85,-124,55,-18` {
		t.Errorf("raw %q", r.Raw)
	}
}

func TestCell(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{
			"QENG", `+QENG: "servingcell","NOCONN","LTE","FDD",214,01,7676A09,188,6300,20,3,3,603,-104,-9,-78,11,23`,
			"21401 603 7676A09 188 6300 20",
		},
		{
			"QENG unknown", `+QENG: "servingcell","NOCONN","LTE","FDD",-,-,-,65535,-,-,3,3,FFFE,-104,-9,-78,11,23`,
			" - - - - -",
		},
		{
			"CPSI", "+CPSI: LTE,Online,404-45,0x21F9,322642,453,EUTRAN-BAND40,39275,4,4,-168,-1126,-773,7",
			"40445 21F9 4EC52 453 39275 40",
		},
	} {
		r := take(test.line)
		c := r.Cell
		got := fmt.Sprintf("%s %s %s %s %s %s", r.Operator.Code, orDash("%X", c.Area), orDash("%X", c.ID), orDash("%d", c.PhysicalID), orDash("%d", c.Channel), orDash("%d", c.Band))
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// Whatever a modem answers, no level is out of its range.
func FuzzSignal(f *testing.F) {
	f.Add("+CSQ: 18,99\n+CESQ: 99,99,255,255,20,80,65,70,71")
	f.Add("+QENG: \"servingcell\",\"NOCONN\"\n+QENG: \"LTE\",\"FDD\",262,01,1A2D001,143,1300,3,5,5,5DF1,-95,-12,-64,9,7,230,-\n+QENG: \"NR5G-NSA\",262,01,387,-101,14,-11,641280,78,12,1")
	f.Add("+CPSI: LTE,Online,404-45,0x21F9,322642,453,EUTRAN-BAND40,39275,4,4,-168,-1126,-773,7")
	f.Add(`+QCSQ: "eMTC",-62,-87,111,-12`)
	f.Add("+CPSI: NR5G_SA,Online,242-12,0x765D,4955280,0,NR5G_BAND78,640704,-770,-110,290\n+CPSI: NR5G,58,643296,-12,-86,8.5")
	f.Add("+CPSI: LTE,Online,404-45,0x21F9,322642,453,\xff\xffEUTRAN-BAND40,39275,4,4,-168,-1126,-773,7")
	f.Add(`+QENG: "servingcell","NOCONN","GSM",250,99,DC51,B919,26,50,-,-73,255,255,0,38,38,1,-,-,-,-,-,-,-,-,-,"-"`)
	f.Fuzz(func(t *testing.T, lines string) {
		r := take(strings.Split(lines, "\n")...)
		s := r.Signal
		for _, l := range []struct {
			level       cellular.Level
			least, most int32
		}{
			{s.RSSI, -1400, -200},
			{s.RSCP, -1400, -200},
			{s.EcIo, -320, 0},
			{s.RSRP, -1560, -310},
			{s.RSRQ, -430, 200},
			{s.SINR, -230, 400},
			{s.NRRSRP, -1560, -310},
			{s.NRRSRQ, -430, 200},
			{s.NRSINR, -230, 400},
		} {
			if l.level.Tenths != nil && (*l.level.Tenths < l.least || *l.level.Tenths > l.most || l.level.Raw == "") {
				t.Errorf("%q: %+v is %d", lines, l.level, *l.level.Tenths)
			}
		}
		if len(r.Doubts) > 16 || len(r.Raw) > 24 {
			t.Errorf("%d doubts and %d raw lines", len(r.Doubts), len(r.Raw))
		}
	})
}
