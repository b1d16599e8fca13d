package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stampd/stampd/agent/settings"
	"github.com/stampd/stampd/uplink"
)

// fileOf returns a config file with a text.
func fileOf(t testing.TB, text string) *configFile {
	t.Helper()
	f, err := parseConfig("f.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.check(); err != nil {
		t.Fatal(err)
	}
	return f
}

// never are the settings that no backend changes, whatever is added to the others.
var never = []string{
	"terminal.id", "terminal.merchant",
	"local.socket", "local.pos_uids", "local.admin_uids",
	"queue.path", "queue.key_file",
	"uplink.backend", "uplink.server_name", "uplink.cert", "uplink.key", "uplink.ca", "uplink.est", "uplink.proxy", "uplink.proxy_ca",
	"hardware.board", "hardware.sys_root", "hardware.proc_root", "hardware.modem", "hardware.system_bus",
	"payments.keep_bin6",
	"loyalty.member_key_file", "loyalty.member_key_previous",
}

func TestNeverRemote(t *testing.T) {
	keys := remoteSettings()
	for _, key := range never {
		if may, there := keys[key]; may || !there {
			t.Errorf("%s: remote %v, exists %v; want a setting that is not", key, may, there)
		}
	}
	for key, may := range keys {
		if section, _, _ := strings.Cut(key, "."); may && slices.Contains([]string{"terminal", "local", "hardware"}, section) {
			t.Errorf("%s may be changed from afar", key)
		}
	}
}

// Every setting that may not be changed is refused with its name, though its value is a good one.
func TestForbiddenValues(t *testing.T) {
	f := fileOf(t, goodConfig)
	keys := remoteSettings()
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		section, name, _ := strings.Cut(key, ".")
		p, err := plain(valueOf(&f.Config, key))
		if err != nil {
			t.Fatal(err)
		}
		value := inTOML(p)
		set, faults := f.judge(fmt.Sprintf("[%s]\n%s = %s\n", section, name, value))
		switch {
		case keys[key] && (len(faults) > 0 || !slices.Equal(set, []string{key})):
			t.Errorf("%s = %s: keys %q, faults %v", key, value, set, faults)
		case !keys[key] && !slices.Equal(faults, []settings.Fault{{Key: key, Reason: settings.Forbidden}}):
			t.Errorf("%s = %s: faults %v, want forbidden", key, value, faults)
		}
	}
}

func TestJudge(t *testing.T) {
	const file = goodConfig + "[uplink]\nbackoff_max = \"10s\"\n[payments]\nmax_amount = [\"10.00 EUR\", \"20.00 USD\"]\n"
	for _, tt := range []struct {
		name, text, want string // want is keys, or faults
	}{
		{"nothing", "", "[]"},
		{"comment", "# nothing", "[]"},
		{"good", "[telemetry]\nbattery_every = '5m'\n[log]\nlevel = 'warn'", "[telemetry.battery_every log.level]"},
		{"dotted", "telemetry.battery_every = '5m'", "[telemetry.battery_every]"},
		{"empty section that is not its own", "[terminal]", "[]"},
		{"backend", "[uplink]\nbackend = 'evil.example:1'", "[{uplink.backend forbidden}]"},
		{"backend, quoted", "\"uplink\".\"back\\u0065nd\" = 'evil.example:1'", "[{uplink.backend forbidden}]"},
		{"backend, inline", "uplink = {backend = 'evil.example:1'}", "[{other unknown}]"},
		{"backend, as a section", "[uplink.backend]\nx = 1", "[{other unknown}]"},
		{"backend, as a list", "[[uplink]]\nbackend = 'evil.example:1'", "[{uplink.backend forbidden}]"},
		{"list of sections", "[[telemetry]]\nbattery_every = '5m'", "[{toml malformed}]"},
		{"key", "[queue]\nkey_file = '/tmp/key'", "[{queue.key_file forbidden}]"},
		{"good and bad", "[telemetry]\nbattery_every = '5m'\njitter = 7.0\n[local]\nsocket = '/x'", "[{local.socket forbidden}]"},
		{"unknown", "[telemetry]\nsecret_4111111111111111 = 1\n[other]", "[{other unknown}]"},
		{"twice", "[log]\nlevel = 'info'\nlevel = 'warn'", "[{log.level malformed}]"},
		{"section twice", "[log]\nlevel = 'info'\n[log]", "[{log malformed}]"},
		{"out of range", "[telemetry]\njitter = 0.7\nbattery_every = '1ms'", "[{telemetry.battery_every invalid} {telemetry.jitter invalid}]"},
		{"wrong type", "[uplink]\nwindow = 'eight'", "[{uplink.window invalid}]"},
		{"number for a span", "[telemetry]\nbattery_every = 5", "[{telemetry.battery_every invalid}]"},
		{"does not go with the file", "[uplink]\nbackoff_min = '11s'", "[{uplink.backoff_min invalid}]"},
		{"no such zone", "[uplink]\ntime_zone = 'Mars/Olympus'", "[{uplink.time_zone invalid}]"},
		{"lists", "[payments]\nmax_amount = ['1.00 EUR']", "[payments.max_amount]"},
		{"not TOML", "[telemetry\nbattery_every", "[{toml malformed}]"},
		{"good, then not TOML", "[log]\nlevel = 'warn'\n]]]", "[{toml malformed}]"},
		{"bytes", "\x00\xff\xfe", "[{toml malformed}]"},
		{"not UTF-8", "[telemetry]\napps = ['name:\xff']", "[{toml malformed}]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fileOf(t, file)
			before := f.clone()
			cfg, keys, faults := f.over(tt.text)
			got := fmt.Sprint(keys)
			if len(faults) > 0 {
				got = fmt.Sprint(faults)
				if diff := cmp.Diff(before, cfg, asWritten()); diff != "" {
					t.Errorf("refused, and changed:\n%s", diff)
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if diff := cmp.Diff(before, f.Config, asWritten()); diff != "" {
				t.Errorf("the file's settings have changed:\n%s", diff)
			}
		})
	}
}

func TestOverIsInForce(t *testing.T) {
	f := fileOf(t, goodConfig+"[telemetry]\nhost_every = '9m'\n")
	cfg, _, faults := f.over("[telemetry]\nbattery_every = '7m'\napps = ['name:pos']\n")
	want := f.clone()
	want.Telemetry.BatteryEvery.Duration = 7 * 60e9
	want.Telemetry.Apps = []string{"name:pos"}
	if diff := cmp.Diff(want, cfg, asWritten()); diff != "" || len(faults) > 0 {
		t.Errorf("%v\n%s", faults, diff)
	}
}

// A clone shares no memory with its original.
func TestClone(t *testing.T) {
	cfg := defaultConfig()
	copied := cfg.clone()
	for key := range settingFields() {
		if v := valueOf(&copied, key); v.Kind() == reflect.Slice && v.Len() > 0 {
			v.Index(0).SetZero()
			if valueOf(&cfg, key).Index(0).IsZero() {
				t.Errorf("%s is shared", key)
			}
		}
	}
}

// valueOf returns the value of a setting, to be read and set.
func valueOf(cfg *Config, key string) reflect.Value {
	return reflect.ValueOf(cfg).Elem().FieldByIndex(settingFields()[key].Index)
}

// remoteSettings returns, for every setting, whether the backend may change it.
func remoteSettings() map[string]bool {
	all := map[string]bool{}
	for key, field := range settingFields() {
		all[key] = field.Tag.Get(remote) != ""
	}
	return all
}

// sameBut is the second lock: it finds every change that was not asked for.
func TestSameBut(t *testing.T) {
	cfg := fileOf(t, goodConfig).Config
	for key := range settingTypes() {
		other := cfg.clone()
		makeOther(t, valueOf(&other, key))
		if cfg.sameBut(other, nil) || !cfg.sameBut(other, []string{key}) {
			t.Errorf("%s: a change is not seen, or not allowed", key)
		}
	}
}

// makeOther gives a setting a value that it does not have.
func makeOther(t *testing.T, v reflect.Value) {
	t.Helper()
	before := v.Interface()
	var err error
	switch p := v.Addr().Interface().(type) {
	case *uplink.Window:
		err = p.UnmarshalText([]byte("03:03-04:04"))
	case *uplink.Proxy:
		err = p.UnmarshalText([]byte("http://other.example:1"))
	default:
		switch v.Kind() {
		case reflect.String:
			v.SetString(v.String() + "x")
		case reflect.Bool:
			v.SetBool(!v.Bool())
		case reflect.Slice:
			v.Set(reflect.Append(v, reflect.New(v.Type().Elem()).Elem()))
		default:
			spoil(v)
		}
	}
	if err != nil || reflect.DeepEqual(before, v.Interface()) {
		t.Fatalf("cannot make %v differ from %v: %v", v.Type(), before, err)
	}
}

// FuzzJudge holds whatever a backend sends to what it may change: all else is as the file has it, and what comes out can be
// run with.
func FuzzJudge(f *testing.F) {
	f.Add("[telemetry]\nbattery_every = '5m'\n[log]\nlevel = 'warn'")
	f.Add("[uplink]\nbackend = 'evil.example:1'\nwindow = 8")
	f.Add("\"uplink\".\"back\\u0065nd\" = 'x'\n[[queue]]\n[a.b]\nc = {d = [1, {e = 2}]}")
	f.Add("[payments]\nmax_amount = ['1.00 EUR', \"2.00 USD\"]\nmax_age = '1h'")
	file := fileOf(f, goodConfig)
	may := remoteSettings()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > settings.MaxText {
			return
		}
		cfg, keys, faults := file.over(text)
		if len(faults) > 0 {
			for _, fault := range faults {
				if _, setting := may[fault.Key]; !setting && !slices.Contains([]string{"toml", "other"}, fault.Key) && !strings.Contains(" terminal local queue uplink hardware telemetry payments loyalty log ", " "+fault.Key+" ") {
					t.Errorf("a fault has a name of the text's own: %v", fault)
				}
			}
			return
		}
		for _, key := range keys {
			if !may[key] {
				t.Errorf("%s is taken", key)
			}
		}
		if !file.sameBut(cfg, keys) {
			t.Error("something else has changed")
		}
		ck := checker{}
		if cfg.check(&ck); len(ck.found) > 0 {
			t.Errorf("it can't be run with: %v", ck.found[0])
		}
	})
}
