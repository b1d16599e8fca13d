package main

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/settings"
)

// putSettings puts settings of a terminal, or of all of a merchant, on the backend that enrol-server started:
// put-settings MERCHANT TERMINAL FILE.
func putSettings(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: put-settings MERCHANT TERMINAL FILE")
	}
	// A store of its own, as the command line's is.
	store, err := settings.Open(backend.SettingsDir(ts.MkAbs("backend/data")))
	ts.Check(err)
	_, err = store.Put(args[0], settings.Version{Terminal: args[1], TOML: ts.ReadFile(args[2])})
	ts.Check(err)
}

// awaitConfig waits until 'config show' has a line that ends with a text: await-config FILE TEXT.
func awaitConfig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await-config FILE TEXT")
	}
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		if ts.Exec("stampd", "config", "show", "--config", args[0]) == nil && strings.Contains(ts.ReadFile("stdout"), args[1]+"\n") {
			return
		}
	}
	ts.Fatalf("the settings never have %q", args[1])
}

// landedAudit is the columns of audit events that the scripts look at.
type landedAudit struct {
	Kind    string `parquet:"audit_kind"`
	Subject string `parquet:"subject"`
	Found   string `parquet:"found"`
	Version int32  `parquet:"settings_version"`
}

// awaitLanded waits until one audit event has landed, and fails when there are several:
// await-landed KIND VERSION SUBJECT [FOUND].
func awaitLanded(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: await-landed KIND VERSION SUBJECT [FOUND]")
	}
	version, err := strconv.Atoi(args[1])
	ts.Check(err)
	want := landedAudit{Kind: args[0], Version: int32(version), Subject: args[2]}
	if len(args) == 4 {
		want.Found = args[3]
	}
	var all []landedAudit
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(ts.MkAbs("backend/data/parquet/kind=audit/*/*.parquet"))
		ts.Check(err)
		all = nil
		n := 0
		for _, file := range files {
			rows, err := parquet.ReadFile[landedAudit](file)
			ts.Check(err)
			for _, r := range rows {
				all = append(all, r)
				if r == want {
					n++
				}
			}
		}
		switch {
		case n == 1:
			return
		case n > 1:
			ts.Fatalf("%+v has landed %d times", want, n)
		}
	}
	ts.Fatalf("%+v never lands; these have: %+v", want, all)
}
