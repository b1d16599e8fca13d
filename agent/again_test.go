package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/stampd/stampd/agent/settings"
	"github.com/stampd/stampd/uplink/wire"
)

// However often the agent starts again in its process, nothing of the starts before is left; and with settings that it
// can't start with, those before them are back.
func TestStartsAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := defaultConfig()
	cfg.Terminal = TerminalConfig{ID: "t-1", Merchant: "m-1"}
	cfg.Local.Socket = filepath.Join(dir, "stampd.sock")
	cfg.Queue.Path, cfg.Queue.KeyFile = filepath.Join(dir, "queue.db"), filepath.Join(dir, "queue.key")
	file := &configFile{Config: cfg}
	store := settings.Open(settings.Options{Path: file.settingsPath(), Judge: file.judge, Log: zerolog.Nop()})
	defer store.Close()
	before := goleak.IgnoreCurrent()
	for i := range uint32(4) {
		cfg, _, _ := file.over(store.Begin().TOML)
		time.AfterFunc(50*time.Millisecond, func() {
			if err := store.Take(t.Context(), &wire.Settings{Version: i + 1, Toml: "[log]\nlevel = '" + []string{"warn", "error"}[i%2] + "'\n"}); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		if err := run(t.Context(), cfg, store, zerolog.Nop(), Version{Version: "test"}); !errors.Is(err, errSettings) {
			t.Fatalf("start %d: %v", i, err)
		}
		t.Logf("start %d took %v in all", i, time.Since(start)-50*time.Millisecond)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}

	last := store.Begin()
	if last.Number != 4 || !store.Failed() {
		t.Fatalf("version %d can't be given up", last.Number)
	}
	if v := store.Begin(); v.Number != 0 {
		t.Errorf("version %d is back, want none: nothing was kept", v.Number)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := run(ctx, cfg, store, zerolog.Nop(), Version{Version: "test"}); err != nil {
		t.Error(err)
	}
}
