// What the backend may say of the settings, and what the agent runs with when it has.

package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/stampd/stampd/agent/settings"
)

// remote is the tag of the settings that the backend may change.
const remote = "remote"

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
	r.base = f.clone
	r.decode(&cfg)
	for _, e := range r.found {
		faults = add(faults, faultOf(e.key))
	}
	if len(faults) == 0 && !f.sameBut(cfg, keys) {
		faults = append(faults, settings.Fault{Key: "toml", Reason: settings.Forbidden})
	}
	if len(faults) == 0 {
		ck := checker{}
		cfg.check(&ck)
		for _, zone := range []struct{ key, own, name string }{
			{"uplink.time_zone", f.Uplink.TimeZone, cfg.Uplink.TimeZone},
			{"loyalty.time_zone", f.Loyalty.TimeZone, cfg.Loyalty.TimeZone},
		} {
			_, err := time.LoadLocation(zone.name)
			ck.that(err == nil || zone.name == zone.own, zone.key, "no such zone on this machine")
		}
		for _, e := range ck.found {
			faults = add(faults, faultOf(e.key))
		}
	}
	if len(faults) > 0 {
		return f.Config, nil, faults
	}
	return cfg, keys, nil
}

// allowed returns the settings that entries set, or why some of them may not be there.
func allowed(entries []entry) (keys []string, faults []settings.Fault) {
	known := settingFields()
	all := sections(slices.Sorted(maps.Keys(known)))
	var seen []string
	for _, e := range entries {
		heading := e.kind == unstable.Invalid // its settings are judged one by one
		field, there := known[e.key]
		fault := settings.Fault{Key: e.key}
		switch {
		case heading && !slices.Contains(all, e.key), !heading && !there:
			fault = settings.Fault{Key: "other", Reason: settings.Unknown} // the name may be anything
		case !heading && field.Tag.Get(remote) == "":
			fault.Reason = settings.Forbidden
		case slices.Contains(seen, e.key):
			fault.Reason = settings.Malformed
		case heading:
			seen = append(seen, e.key)
			continue
		default:
			seen, keys = append(seen, e.key), append(keys, e.key)
			continue
		}
		faults = add(faults, fault)
	}
	return keys, faults
}

// add adds a fault that is not among others yet.
func add(faults []settings.Fault, fault settings.Fault) []settings.Fault {
	if slices.Contains(faults, fault) {
		return faults
	}
	return append(faults, fault)
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
	all := reflect.ValueOf(&c).Elem()
	for _, field := range settingFields() {
		if v := all.FieldByIndex(field.Index); v.Kind() == reflect.Slice {
			v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v))
		}
	}
	return c
}

// sameBut reports whether two settings differ in none but those of keys. It does not trust the reader that has named them.
func (c Config) sameBut(other Config, keys []string) bool {
	own, theirs := reflect.ValueOf(c), reflect.ValueOf(other)
	for key, field := range settingFields() {
		same := reflect.DeepEqual(own.FieldByIndex(field.Index).Interface(), theirs.FieldByIndex(field.Index).Interface())
		if !same && !slices.Contains(keys, key) {
			return false
		}
	}
	return true
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
