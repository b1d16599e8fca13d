// What the backend may say of the settings, and what the agent runs with when it has.

package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/stampd/stampd/agent/settings"
)

// remoteSettings returns whether the backend may change it, for every "section.key" of [Config], and every section.
func remoteSettings() (keys, sections map[string]bool) {
	keys, sections = map[string]bool{}, map[string]bool{}
	for section := range reflect.TypeFor[Config]().Fields() {
		name := section.Tag.Get("toml")
		for setting := range section.Type.Fields() {
			keys[name+"."+setting.Tag.Get("toml")] = setting.Tag.Get("remote") == "yes"
		}
		sections[name] = true
	}
	return keys, sections
}

// judge says which settings a text of the backend sets, and everything that is wrong with it: it is held to what a config
// file is held to, on top of this one, and may change nothing but what the backend may change.
func (f *configFile) judge(text string) (keys []string, faults []settings.Fault) {
	_, keys, faults = f.over(text)
	return keys, faults
}

// over returns the settings with those of the backend over them, and which these are. It must have passed [configFile.check].
func (f *configFile) over(text string) (cfg Config, keys []string, faults []settings.Fault) {
	types := settingTypes()
	most := 2 * len(types) // what has more says something twice, and could keep a terminal busy
	r := reader{data: []byte(text), entries: findEntries([]byte(text), most), types: types}
	if keys, faults = allowed(r.entries); len(faults) > 0 {
		return f.Config, nil, faults
	}
	r.refuseNumbers()
	r.base = f.Config.clone
	r.decode(&cfg)
	for _, e := range r.found {
		faults = append(faults, faultOf(e.key))
	}
	if len(faults) == 0 && !f.Config.sameBut(cfg, keys) {
		faults = append(faults, settings.Fault{Key: "toml", Reason: settings.Forbidden})
	}
	if len(faults) == 0 {
		ck := checker{}
		cfg.check(&ck)
		_, err := time.LoadLocation(cfg.Uplink.TimeZone)
		ck.that(err == nil || cfg.Uplink.TimeZone == f.Uplink.TimeZone, "uplink.time_zone", "no such zone on this machine")
		_, err = time.LoadLocation(cfg.Loyalty.TimeZone)
		ck.that(err == nil || cfg.Loyalty.TimeZone == f.Loyalty.TimeZone, "loyalty.time_zone", "no such zone on this machine")
		for _, e := range ck.found {
			faults = append(faults, faultOf(e.key))
		}
	}
	if len(faults) > 0 {
		return f.Config, nil, slices.Compact(faults)
	}
	return cfg, keys, nil
}

// allowed returns the settings that entries set, or why some of them may not be there.
func allowed(entries []entry) (keys []string, faults []settings.Fault) {
	known, sections := remoteSettings()
	seen := map[string]bool{}
	for _, e := range entries {
		may, there := known[e.key]
		if e.kind == unstable.Invalid {
			may, there = true, sections[e.key] // its settings are judged one by one
		}
		fault := settings.Fault{Key: e.key}
		switch {
		case !there:
			fault = settings.Fault{Key: "other", Reason: settings.Unknown} // the name may be anything
		case !may:
			fault.Reason = settings.Forbidden
		case seen[e.key]:
			fault.Reason = settings.Malformed
		default:
			if e.kind != unstable.Invalid {
				keys = append(keys, e.key)
			}
			seen[e.key] = true
			continue
		}
		if !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	return keys, faults
}

// faultOf returns what is wrong with the value of a setting, or with the text when it is about none.
func faultOf(key string) settings.Fault {
	if _, there := settingTypes()[key]; there {
		return settings.Fault{Key: key, Reason: settings.Invalid}
	}
	return settings.Fault{Key: "toml", Reason: settings.Malformed}
}

// clone returns a copy of the settings that shares no list with them.
func (c Config) clone() Config {
	for _, section := range reflect.ValueOf(&c).Elem().Fields() {
		for _, v := range section.Fields() {
			if v.Kind() == reflect.Slice {
				v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
			}
		}
	}
	return c
}

// sameBut reports whether two settings differ in none but those of keys. It does not trust the reader that has named them.
func (c Config) sameBut(other Config, keys []string) bool {
	others := reflect.ValueOf(other)
	for section, values := range reflect.ValueOf(c).Fields() {
		for setting, v := range values.Fields() {
			key := section.Tag.Get("toml") + "." + setting.Tag.Get("toml")
			theirs := others.FieldByIndex(section.Index).FieldByIndex(setting.Index)
			if !slices.Contains(keys, key) && !reflect.DeepEqual(v.Interface(), theirs.Interface()) {
				return false
			}
		}
	}
	return true
}

// remoteList returns the settings that the backend may change, a line for each section.
func remoteList() string {
	var lines []string
	for section := range reflect.TypeFor[Config]().Fields() {
		var names []string
		for setting := range section.Type.Fields() {
			if setting.Tag.Get("remote") == "yes" {
				names = append(names, setting.Tag.Get("toml"))
			}
		}
		if len(names) > 0 {
			lines = append(lines, "  ["+section.Tag.Get("toml")+"] "+strings.Join(names, " "))
		}
	}
	return strings.Join(lines, "\n")
}

// effective returns the settings with those of the backend over them, and where each has its value from. When those of the
// backend can't be read, it returns the others and the reason.
func (f *configFile) effective() (Config, map[string]string, error) {
	sources := map[string]string{}
	for key := range settingTypes() {
		sources[key] = "default"
		if _, set := f.places[key]; set {
			sources[key] = "file"
		}
	}
	v, onTrial, err := settings.Look(f.settingsPath(), f.judge)
	if err != nil {
		return f.Config, sources, err
	}
	cfg, keys, _ := f.over(v.TOML) // Look has asked the judge
	for _, key := range keys {
		sources[key] = fmt.Sprintf("backend, version %d", v.Number)
		if onTrial {
			sources[key] += ", on trial"
		}
	}
	return cfg, sources, nil
}
