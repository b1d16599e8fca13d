package main

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink"
)

const goodConfig = "[terminal]\nid = \"t-1\"\nmerchant = \"m-1\"\n"

func TestConfigErrors(t *testing.T) {
	tests := map[string]struct {
		file string
		want string // error and hint of the first problem
	}{
		"empty":                    {"", "f.toml: terminal.id: must be set"},
		"not TOML":                 {"hello", "f.toml:1:5: expected '=' after key"},
		"unknown setting":          {goodConfig + "[queue]\nmax_sise = \"64MiB\"", "f.toml:5:1: queue.max_sise: no such setting | did you mean queue.max_size?"},
		"right name, wrong place":  {goodConfig + "backend = \"b:1\"", "f.toml:4:1: terminal.backend: no such setting | did you mean uplink.backend?"},
		"unknown section":          {goodConfig + "[uplnk]\nwindow = 8", "f.toml:4:2: uplnk: no such section | did you mean uplink?"},
		"nothing like it":          {goodConfig + "[uplink]\nzzzzzzzz = 8", "f.toml:5:1: uplink.zzzzzzzz: no such setting | 'stampd config show' prints every setting"},
		"text for a number":        {goodConfig + "[uplink]\nwindow = \"8\"", "f.toml:5:10: uplink.window: want a whole number, such as 8"},
		"number for text":          {goodConfig + "[uplink]\nbackend = 8", "f.toml:5:11: uplink.backend: want text in quotes, such as \"text\""},
		"number for a section":     {"uplink = 8\n" + goodConfig, "f.toml:1:10: uplink: want a section: [uplink]"},
		"number for a duration":    {goodConfig + "[queue]\nspill_after = 60", "f.toml:5:1: queue.spill_after: want a duration with its unit, such as \"500ms\", \"60s\", \"5m\" or \"1h\""},
		"duration without unit":    {goodConfig + "[queue]\nspill_after = \"60\"", "f.toml:5:15: queue.spill_after: want a duration with its unit, such as \"500ms\", \"60s\", \"5m\" or \"1h\""},
		"number for a size":        {goodConfig + "[queue]\nmax_size = 64", "f.toml:5:1: queue.max_size: want a size in B, KiB, MiB or GiB, such as \"512KiB\" or \"64MiB\""},
		"dotted key":               {"queue.max_size = 64\n" + goodConfig, "f.toml:1:1: queue.max_size: want a size in B, KiB, MiB or GiB, such as \"512KiB\" or \"64MiB\""},
		"size of thousands":        {goodConfig + "[queue]\nmax_size = \"64MB\"", "f.toml:5:12: queue.max_size: want a size in B, KiB, MiB or GiB, such as \"512KiB\" or \"64MiB\""},
		"list of text":             {goodConfig + "[local]\npos_uids = [\"app\"]", "f.toml:5:13: local.pos_uids: want a list of numbers, such as [1000, 1001]"},
		"negative user":            {goodConfig + "[local]\npos_uids = [-1]", "f.toml:5:13: local.pos_uids: want a list of numbers, such as [1000, 1001]"},
		"twice":                    {goodConfig + "id = \"t-2\"", "f.toml:4:1: terminal.id: is set twice, first in line 2"},
		"id in capitals":           {"[terminal]\nid = \"T1\"\nmerchant = \"m-1\"", "f.toml:2:1: terminal.id: want 1 to 64 of a-z, 0-9, dot and dash, starting with a letter or digit"},
		"no merchant":              {"[terminal]\nid = \"t1\"", "f.toml: terminal.merchant: must be set"},
		"relative path":            {goodConfig + "[local]\nsocket = \"s.sock\"", "f.toml:5:1: local.socket: want an absolute path, one that starts with /"},
		"long socket":              {goodConfig + "[local]\nsocket = \"/" + strings.Repeat("x", 100) + "\"", "f.toml:5:1: local.socket: want a path of up to 100 bytes: the kernel takes no longer one"},
		"size out of range":        {goodConfig + "[queue]\nmax_size = \"1MiB\"\nledger_reserve = \"700KiB\"", "f.toml:5:1: queue.max_size: is 1MiB, want 8MiB to 16GiB"},
		"reserve over three parts": {goodConfig + "[queue]\nledger_reserve = \"60MiB\"", "f.toml:5:1: queue.ledger_reserve: is 60MiB, want 1MiB to 48MiB"},
		"duration out of range":    {goodConfig + "[uplink]\nkeepalive = \"1s\"", "f.toml:5:1: uplink.keepalive: is 1s, want 10s to 1h"},
		"backoff upside down":      {goodConfig + "[uplink]\nbackoff_min = \"2m\"", "f.toml:5:1: uplink.backoff_min: is 2m, want 100ms to 1m"},
		"number out of range":      {goodConfig + "[uplink]\nwindow = 65", "f.toml:5:1: uplink.window: is 65, want 1 to 64"},
		"backend without port":     {goodConfig + "[uplink]\nbackend = \"gateway\"", "f.toml:5:1: uplink.backend: want host:port, such as \"gateway.example:8443\""},
		"EST over plain HTTP":      {goodConfig + "[uplink]\nest = \"http://est:80\"", "f.toml:5:1: uplink.est: want host:port or https://host:port, such as \"est.example:8444\""},
		"one file for a pair":      {goodConfig + "[uplink]\nest = \"est:1\"\ncert = \"/a/b.pem\"\nkey = \"/a/../a/b.pem\"", "f.toml:7:1: uplink.key: must be another file than uplink.cert, when uplink.est is set"},
		"backend without keys":     {goodConfig + "[uplink]\nbackend = \"gateway:1\"", "f.toml: uplink.cert: must be set"},
		"window without an end":    {goodConfig + "[uplink]\ntelemetry_window = \"02:00\"", "f.toml:5:20: uplink.telemetry_window: want two times of day, such as \"02:00-05:00\" or \"22:30-04:00\""},
		"window as a number":       {goodConfig + "[uplink]\ntelemetry_window = 2", "f.toml:5:1: uplink.telemetry_window: want two times of day, such as \"02:00-05:00\" or \"22:30-04:00\""},
		"too small a day":          {goodConfig + "[uplink]\ntelemetry_per_day = \"1KiB\"", "f.toml:5:1: uplink.telemetry_per_day: is 1KiB, want 64KiB to 1GiB"},
		"proxy of no kind":         {goodConfig + "[uplink]\nproxy = \"ftp://u:hunter2@h\"", "f.toml:5:9: uplink.proxy: " + uplink.ErrProxy.Error()},
		"app of no kind":           {goodConfig + "[telemetry]\napps = [\"name:pos\", \"pos\"]", "f.toml:5:1: telemetry.apps: \"pos\": " + hal.ErrApp.Error()},
		"app twice":                {goodConfig + "[telemetry]\napps = [\"name:pos\", \"unit:pos.service\"]", "f.toml:5:1: telemetry.apps: \"unit:pos.service\": another is called pos: put a name and = before it"},
		"app called as the agent":  {goodConfig + "[telemetry]\napps = [\"name:stampd\"]", "f.toml:5:1: telemetry.apps: \"name:stampd\": another is called stampd: put a name and = before it"},
		"too many apps":            {goodConfig + "[telemetry]\napps = [\"name:" + strings.Join(strings.Split("abcdefghijklmnopq", ""), "\", \"name:") + "\"]", "f.toml:5:1: telemetry.apps: has 17, want up to 16"},
		"numbers for apps":         {goodConfig + "[telemetry]\napps = [1]", "f.toml:5:9: telemetry.apps: want a list of text, such as [\"name:pos\"]"},
		"limit of no currency":     {goodConfig + "[payments]\nmax_amount = [\"250.00\"]", "f.toml:5:1: payments.max_amount: want amounts with their currencies, each currency once, such as [\"250.00 EUR\", \"250.00 USD\"]"},
		"limit of half a yen":      {goodConfig + "[payments]\nmax_total = [\"250.5 JPY\"]", "f.toml:5:1: payments.max_total: want amounts with their currencies, each currency once, such as [\"250.00 EUR\", \"250.00 USD\"]"},
		"currency twice":           {goodConfig + "[payments]\nmax_total = [\"1 EUR\", \"2 EUR\"]", "f.toml:5:1: payments.max_total: want amounts with their currencies, each currency once, such as [\"250.00 EUR\", \"250.00 USD\"]"},
		"limit of nothing":         {goodConfig + "[payments]\nmax_total = [\"0 EUR\"]", "f.toml:5:1: payments.max_total: want amounts with their currencies, each currency once, such as [\"250.00 EUR\", \"250.00 USD\"]"},
		"neither yes nor no":       {goodConfig + "[payments]\nkeep_bin6 = 1", "f.toml:5:13: payments.keep_bin6: want true or false"},
		"region in small letters":  {goodConfig + "[loyalty]\nregion = \"us\"", "f.toml:5:1: loyalty.region: want a region whose numbers are known, in capital letters, such as \"US\"; where it is not one, leave it empty"},
		"former key somewhere":     {goodConfig + "[loyalty]\nmember_key_previous = [\"old.key\"]", "f.toml:5:1: loyalty.member_key_previous: want an absolute path, one that starts with /"},
		"jitter":                   {goodConfig + "[telemetry]\njitter = 0.6", "f.toml:5:1: telemetry.jitter: want 0.0 to 0.5"},
		"jitter that is none":      {goodConfig + "[telemetry]\njitter = nan", "f.toml:5:1: telemetry.jitter: want 0.0 to 0.5"},
		"word that is none":        {goodConfig + "[log]\nlevel = \"loud\"", "f.toml:5:1: log.level: is \"loud\", want trace, debug, info, warn or error"},
		"too large":                {strings.Repeat("#", 2<<20), "f.toml: too large for a config file: 2097152 bytes, want at most 1048576"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg, err := parseConfig("f.toml", []byte(tt.file))
			if err == nil {
				err = cfg.check()
			}
			if joined, ok := err.(interface{ Unwrap() []error }); ok {
				err = joined.Unwrap()[0]
			}
			var got *settingError
			if !errors.As(err, &got) {
				t.Fatalf("error = %v, want %s", err, tt.want)
			}
			text := got.Error()
			if got.hint != "" {
				text += " | " + got.hint
			}
			if text != tt.want {
				t.Errorf("got  %s\nwant %s", text, tt.want)
			}
		})
	}
}

func TestConfigOverridesDefaults(t *testing.T) {
	cfg, err := parseConfig("f.toml", []byte(goodConfig+`
[queue]
spill_after = "90s"
max_size = "1GiB"
[local]
pos_uids = [1000, 1001]
[telemetry]
jitter = 0
[uplink]
telemetry_window = "22:30-04:00"
proxy = "socks5://gate"
`))
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Terminal = TerminalConfig{ID: "t-1", Merchant: "m-1"}
	want.Queue.SpillAfter.Duration = 90e9
	want.Queue.MaxSize = 1 << 30
	want.Local.POSUIDs = []uint32{1000, 1001}
	want.Telemetry.Jitter = 0
	want.Uplink.TelemetryWindow, _ = uplink.ParseWindow("22:30-04:00")
	want.Uplink.Proxy, _ = uplink.ParseProxy("socks5://gate:1080")
	if diff := cmp.Diff(want, cfg.Config, asWritten()); diff != "" {
		t.Error(diff)
	}
}

// asWritten compares settings that keep their parts to themselves by how they are written.
func asWritten() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b uplink.Window) bool { return a.String() == b.String() }),
		cmp.Comparer(func(a, b uplink.Proxy) bool { return a.String() == b.String() }),
	}
}

func TestProxyPasswordIsNotShown(t *testing.T) {
	cfg, err := parseConfig("f.toml", []byte(goodConfig+"[uplink]\nproxy = \"http://shop:hunter2@gate:3128\""))
	if err != nil {
		t.Fatal(err)
	}
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		if err := printConfig(&out, cfg.Config, nil, asJSON); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%v %+v %#v", cfg.Uplink, cfg.Uplink, cfg.Uplink.Proxy)
		if text := out.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "http://shop:xxxxx@gate:3128") {
			t.Errorf("it prints %s", text)
		}
	}
}

// TestEveryProblemAtOnce reads a file with a mistake of each kind.
func TestEveryProblemAtOnce(t *testing.T) {
	const file = `log = 8
[terminal]
id = "T-1"
id = "t-1"
[local]
pos_uids = [
  "app",
]
[queue]
max_size = 64
spill_after = 60
max_sise = 1
[uplnk]
[uplink]
window = "8"
batch_size = "4MB"
keepalive = "2h"`
	want := []string{
		`f.toml:1:7: log: want a section: [log]`,
		`f.toml:4:1: terminal.id: is set twice, first in line 3`,
		`f.toml:7:3: local.pos_uids: want a list of numbers, such as [1000, 1001]`,
		`f.toml:10:1: queue.max_size: want a size in B, KiB, MiB or GiB, such as "512KiB" or "64MiB"`,
		`f.toml:11:1: queue.spill_after: want a duration with its unit, such as "500ms", "60s", "5m" or "1h"`,
		`f.toml:12:1: queue.max_sise: no such setting`,
		`f.toml:13:2: uplnk: no such section`,
		`f.toml:15:10: uplink.window: want a whole number, such as 8`,
		`f.toml:16:14: uplink.batch_size: want a size in B, KiB, MiB or GiB, such as "512KiB" or "64MiB"`,
		`f.toml: terminal.merchant: must be set`,
		`f.toml:17:1: uplink.keepalive: is 2h, want 10s to 1h`,
	}
	_, err := parseConfig("f.toml", []byte(file))
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// TestShownConfigIsOne reads back what is printed.
func TestShownConfigIsOne(t *testing.T) {
	var out bytes.Buffer
	if err := printConfig(&out, defaultConfig(), nil, false); err != nil {
		t.Fatal(err)
	}
	cfg, err := parseConfig("", out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(defaultConfig(), cfg.Config, asWritten()); diff != "" {
		t.Error(diff)
	}
}

// TestEverySettingIsExplained holds every setting to a comment that ends as a sentence does, and to a check: an empty
// or largest value of its type must be refused, unless it is among those that may be anything.
func TestEverySettingIsExplained(t *testing.T) {
	free := map[string]string{
		"local.pos_uids":          "any number is a user id",
		"local.admin_uids":        "any number is a user id",
		"uplink.backend":          "may be empty",
		"uplink.server_name":      "may be empty",
		"uplink.cert":             "may be empty without a backend",
		"uplink.key":              "may be empty without a backend",
		"uplink.ca":               "may be empty without a backend",
		"uplink.est":              "may be empty",
		"uplink.telemetry_window": "a window can only be read",
		"uplink.time_zone":        "may be empty, and is only a warning when it does not exist",
		"uplink.proxy":            "a proxy can only be read",
		"uplink.proxy_ca":         "may be empty",
		"hardware.modem_profile":  "may be empty",
		"hardware.system_bus":     "may be empty",
		"payments.keep_bin6":      "may be either",
		"loyalty.member_key_file": "may be empty",
		"loyalty.region":          "may be empty",
		"loyalty.time_zone":       "may be empty",
	}
	for section := range reflect.TypeFor[Config]().Fields() {
		if section.Tag.Get("comment") == "" {
			t.Errorf("[%s] has no comment", section.Tag.Get("toml"))
		}
		for setting := range section.Type.Fields() {
			key := section.Tag.Get("toml") + "." + setting.Tag.Get("toml")
			if c := setting.Tag.Get("comment"); !strings.HasSuffix(c, ".") {
				t.Errorf("%s: comment %q is no sentence", key, c)
			}
			if free[key] != "" {
				continue
			}
			cfg := configFile{Config: defaultConfig()}
			cfg.Terminal = TerminalConfig{ID: "t", Merchant: "m"}
			if err := cfg.check(); err != nil {
				t.Fatalf("defaults: %v", err)
			}
			v := reflect.ValueOf(&cfg.Config).Elem().FieldByIndex(section.Index).FieldByIndex(setting.Index)
			spoil(v)
			if err := cfg.check(); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v is not refused by name: %v", key, v, err)
			}
		}
	}
}

// spoil sets v to what no setting may be.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("")
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1<<31 - 1)
		if v.Type() == reflect.TypeFor[ByteSize]() {
			v.SetInt(1 << 62)
		}
	case reflect.Uint32:
		if v.Uint() == 1 { // versions begin there
			v.SetUint(0)
		} else {
			v.SetUint(1<<32 - 1)
		}
	case reflect.Float64:
		v.SetFloat(-1)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{""}))
	case reflect.Struct:
		v.Set(reflect.ValueOf(Duration{1 << 62}))
	}
}

// FuzzConfig holds every file that is read to one that is written and read back the same.
func FuzzConfig(f *testing.F) {
	var all bytes.Buffer
	if err := printConfig(&all, defaultConfig(), nil, false); err != nil {
		f.Fatal(err)
	}
	f.Add(all.Bytes())
	f.Add([]byte(goodConfig))
	f.Add([]byte(goodConfig + "[uplink]\nproxy = \"http://u:p@[::1]\"\ntelemetry_window = \"22:00-04:00\""))
	f.Add([]byte(goodConfig + "[queue]\npath = \"/it's \\\"\\\\ \\u0001\\u007f\\t\"\n[loyalty]\nmember_key_previous = [\"/it's\", '/\\']\n[telemetry]\njitter = 0.0"))
	f.Add([]byte("queue = {max_size = 64, spill_after = 60}"))
	f.Add([]byte("[[queue]]\n[queue.x]\n'' = 1\n\"a.b\".c = 2"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := parseConfig("f.toml", data)
		if err != nil {
			if e := new(settingError); !errors.As(err, &e) {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		if cfg.check() != nil {
			return
		}
		var out bytes.Buffer
		if err := printConfig(&out, cfg.Config, nil, false); err != nil {
			t.Fatal(err)
		}
		again, err := parseConfig("f.toml", out.Bytes())
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, out.Bytes())
		}
		if diff := cmp.Diff(cfg.Config, again.Config, asWritten()); diff != "" {
			t.Error(diff)
		}
	})
}
