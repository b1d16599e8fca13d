// Reading a config file: where each setting stands, and everything in it that can't be read.

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/uplink/cli"
)

// defaultConfigPath is the file that is read when none is named.
const defaultConfigPath = "/etc/stampd/stampd.toml"

// maxConfigSize is how large a config file may be, in bytes. More is another file, named by mistake.
const maxConfigSize = 1 << 20

// configFile is what a config file says, over the defaults.
type configFile struct {
	Config
	path   string           // empty when there is no file
	places map[string]place // where each setting stands in it
}

// loadConfig reads the file. With an empty path it reads [defaultConfigPath], and returns the defaults alone when that
// does not exist. It fails when the file can't be read, is not TOML, or has a setting that does not exist or is of the
// wrong type, and then also says which values are wrong; else values are judged by [configFile.check] alone.
func loadConfig(path string) (*configFile, error) {
	if path == "" {
		if _, err := os.Stat(defaultConfigPath); errors.Is(err, os.ErrNotExist) {
			return &configFile{Config: defaultConfig()}, nil
		}
		path = defaultConfigPath
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("cannot read config file: %w", err), unreadableHint(err, path))
	}
	return parseConfig(path, data)
}

// unreadableHint says what to do about a config file that can't be read.
func unreadableHint(err error, path string) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run as root, or as a user that may read " + path
	case errors.Is(err, fs.ErrNotExist):
		return "name another file; 'stampd config show' prints one to begin with"
	}
	return "name a file that can be read"
}

// parseConfig reads data as the contents of the file at path. Its error joins every problem, a *settingError each.
func parseConfig(path string, data []byte) (*configFile, error) {
	if len(data) > maxConfigSize {
		return nil, &settingError{file: path, problem: fmt.Sprintf("too large for a config file: %d bytes, want at most %d", len(data), maxConfigSize)}
	}
	r := reader{file: path, data: data, entries: findEntries(data, maxConfigSize), types: settingTypes(), base: defaultConfig}
	cfg := &configFile{path: path, places: places(r.entries)}
	r.refuseNumbers()
	whole := r.decode(&cfg.Config)
	if len(r.found) == 0 {
		return cfg, nil
	}
	if whole {
		r.found = append(r.found, cfg.problems(r.found)...)
	}
	return nil, joinSettings(r.found)
}

// joinSettings returns one error for all.
func joinSettings(found []*settingError) error {
	var all []error
	for _, e := range found {
		all = append(all, e)
	}
	return errors.Join(all...)
}

// problems returns what is wrong with the values of those settings that are not among known.
func (f *configFile) problems(known []*settingError) []*settingError {
	ck := checker{file: f.path, places: f.places}
	f.Config.check(&ck)
	return slices.DeleteFunc(ck.found, func(e *settingError) bool {
		return slices.ContainsFunc(known, func(k *settingError) bool { return k.key == e.key })
	})
}

// check returns everything that is wrong with the values, joined: a *settingError each. It returns nil when the agent
// can run with them.
func (f *configFile) check() error { return joinSettings(f.problems(nil)) }

// missing returns a *settingError for each file, and for the board and the time zone, that the settings name and that does not
// exist or can't be used.
// The agent starts all the same, and goes without what needs it.
func (f *configFile) missing() []*settingError {
	ck := checker{file: f.path, places: f.places}
	for _, named := range []struct{ key, path string }{
		{"uplink.cert", f.Uplink.Cert},
		{"uplink.key", f.Uplink.Key},
		{"uplink.ca", f.Uplink.CA},
		{"uplink.proxy_ca", f.Uplink.ProxyCA},
		{"loyalty.member_key_file", f.Loyalty.MemberKeyFile},
	} {
		if named.path != "" {
			_, err := os.Stat(named.path)
			ck.that(!errors.Is(err, fs.ErrNotExist), named.key, named.path+" does not exist")
		}
	}
	_, err := f.boardStore().Load(f.Hardware.Board)
	if wrong, ok := errors.AsType[*hal.ProfileError](err); ok {
		ck.that(false, "hardware.board", wrong.Error())
		ck.found[len(ck.found)-1].hint = wrong.Hint()
	}
	_, err = time.LoadLocation(f.Uplink.TimeZone)
	ck.that(err == nil, "uplink.time_zone", "no such zone on this machine; the system's is used")
	return ck.found
}
