package parquet_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampd/stampd/uplink/backend/land/parquet"
)

// write writes a file of the lander's folder, and makes the folders above.
func write(t *testing.T, dir, name, contents string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(contents), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestResume(t *testing.T) {
	const part = "part-00000000000000000001-00000000000000000003.parquet"
	tests := []struct {
		name   string
		intent string // "" means none
		files  []string
		rows   int
	}{
		{"nothing open", "", nil, 0},
		{"intent only", `{"from":1,"to":3}`, nil, 7},
		{"temporary files", `{"from":1,"to":3}`, []string{"kind=host/date=2026-05-01/_" + part + ".tmp", "_state/_offset.json.tmp", "_state/_intent.json.tmp"}, 7},
		{"some have their names", `{"from":1,"to":3}`, []string{"kind=host/date=2026-05-01/" + part}, 7},
		// Another program took the rows for another kind.
		{"files of another program", `{"from":1,"to":3}`, []string{"kind=unknown/date=2026-05-01/" + part, "kind=payment/date=1999-01-01/" + part}, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, dir := mixed(t), t.TempDir()
			if _, err := parquet.Open(parquet.Options{Log: log, Dir: dir}); err != nil {
				t.Fatal(err)
			}
			if tt.intent != "" {
				write(t, dir, "_state/intent.json", tt.intent)
			}
			for _, name := range tt.files {
				write(t, dir, name, "half a file")
			}
			l, err := parquet.Open(parquet.Options{Log: log, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if tt.intent != "" {
				if _, err := l.Land(t.Context(), 4); err == nil {
					t.Error("Land went past an open intent")
				}
			}
			if rows, err := l.Resume(t.Context()); err != nil || rows != tt.rows {
				t.Fatalf("Resume = %d, %v; want %d", rows, err, tt.rows)
			}
			if rows, err := l.Resume(t.Context()); err != nil || rows != 0 {
				t.Fatalf("second Resume = %d, %v", rows, err)
			}
			if _, err := l.Land(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			if rows, err := l.Land(t.Context(), 4); err != nil || rows != 0 {
				t.Fatalf("Land of what has landed = %d, %v", rows, err)
			}
			disk, err := parquet.OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			checkMixed(t, disk)
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	log := mixed(t)
	offset := func(log, offset string) string {
		return `{"format":"stampd-parquet/1","log":"` + log + `","offset":` + offset + `}`
	}
	tests := []struct {
		name, offset, intent, part string
		want                       string
	}{
		{"another log", offset("ffff", "3"), "", "", "log ffff"},
		{"a log that is shorter", offset(log.ID(), "5"), "", "", "the log ends at 4"},
		{"an intent past the log", offset(log.ID(), "3"), `{"from":4,"to":5}`, "", "the log ends at 4"},
		{"an intent that leaves a gap", offset(log.ID(), "1"), `{"from":3,"to":4}`, "", "begins at offset 3"},
		{"an intent of what has landed", offset(log.ID(), "2"), `{"from":2,"to":4}`, "", "begins at offset 2"},
		{"rows without a state", "", "", "kind=host/date=2026-05-01/part-1.parquet", "offset.json"},
		{"a newer format", strings.Replace(offset(log.ID(), "3"), "/1", "/2", 1), "", "", "stampd-parquet/2"},
		{"a field that it does not know", `{"format":"stampd-parquet/1","log":"x","offset":3,"more":1}`, "", "", "more"},
		{"no state at all", "\n", "", "", "offset.json"},
		{"half an intent", offset(log.ID(), "3"), `{"from":4`, "", "intent.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, contents := range map[string]string{"_state/offset.json": tt.offset, "_state/intent.json": tt.intent} {
				if contents != "" {
					write(t, dir, name, contents)
				}
			}
			if tt.part != "" {
				write(t, dir, tt.part, "x")
			}
			if _, err := parquet.Open(parquet.Options{Log: log, Dir: dir}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %v, want %q in it", err, tt.want)
			}
		})
	}
	if _, err := parquet.Open(parquet.Options{Log: log, Dir: filepath.Join(t.TempDir(), "no", "parent")}); err == nil {
		t.Error("a folder without a parent was made")
	}
}

// The same range gives the same bytes, so that it does not matter who lands it again.
func TestFilesAreDeterministic(t *testing.T) {
	log, first := mixed(t), map[string][]byte{}
	for round := range 3 {
		dir := t.TempDir()
		l, err := parquet.Open(parquet.Options{Log: log, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Land(t.Context(), log.Head()); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
		for _, name := range files {
			contents, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			name, _ = filepath.Rel(dir, name)
			if round == 0 {
				first[name] = contents
			} else if !bytes.Equal(contents, first[name]) {
				t.Errorf("%s differs", name)
			}
		}
		if len(files) != len(first) || len(files) == 0 {
			t.Errorf("%d files, then %d", len(first), len(files))
		}
	}
}

func TestLandFailsWithoutEntries(t *testing.T) {
	log := mixed(t)
	l, err := parquet.Open(parquet.Options{Log: log, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Land(t.Context(), 5); err == nil || l.Offset() != 0 {
		t.Errorf("landed an entry that isn't there: %v, offset %d", err, l.Offset())
	}
	if _, err := l.Land(t.Context(), 4); err != nil {
		t.Errorf("and then nothing any more: %v", err)
	}
}

func TestLandCancelled(t *testing.T) {
	log, dir := mixed(t), t.TempDir()
	l, err := parquet.Open(parquet.Options{Log: log, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Land(ctx, 4); err == nil {
		t.Fatal("Land went on")
	}
	if err := landAll(t, parquet.Options{Log: log, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	disk, err := parquet.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkMixed(t, disk)
}
