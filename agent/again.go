// The agent's starts within one process: it is built anew whenever its settings have changed, all of it, so that there is
// one way into force for every setting, the one that each start takes.

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/agent/settings"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

// settingsFile keeps what the backend says of the settings, beside the queue.
const settingsFile = "settings.json"

// settingsPath returns where the settings of the backend are.
func (c *Config) settingsPath() string {
	return filepath.Join(filepath.Dir(c.Queue.Path), settingsFile)
}

// runAgain runs the agent with the settings of the file and of the backend, and again when these change, until ctx ends or
// it can't run.
func runAgain(ctx context.Context, file *configFile, v Version) error {
	log, err := file.logger()
	if err != nil {
		return err
	}
	store := settings.Open(settings.Options{
		Path: file.settingsPath(), Judge: file.judge, Log: log.With().Str("part", "settings").Logger(),
	})
	defer store.Close()
	for {
		cfg, _, _ := file.over(store.Begin().TOML) // Begin has asked the judge
		log, err := cfg.logger()
		if err != nil {
			return err
		}
		err = run(ctx, cfg, store, log, v)
		switch {
		case ctx.Err() != nil:
			if errors.Is(err, errSettings) {
				return nil
			}
			return err
		case errors.Is(err, errSettings):
		case err != nil && store.Failed():
			log.Error().Err(err).Msg("stampd can't run with new settings")
		default:
			return err
		}
	}
}

// logger returns the log that the settings ask for.
func (c *Config) logger() (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(c.Log.Level)
	if err != nil {
		return zerolog.Nop(), fmt.Errorf("cannot use log.level: %w", err)
	}
	return cli.NewLogger(os.Stderr, c.Log.Format).Level(level), nil
}

// uplinkSettings returns where the uplink takes settings to, or nil.
func (a *agent) uplinkSettings() uplink.Settings {
	if a.settings == nil {
		return nil
	}
	return a.settings
}

// watchSettings tells what became of settings, and gives those up that do not work, until ctx ends.
func (a *agent) watchSettings(ctx context.Context) {
	if a.settings == nil {
		return
	}
	a.settings.Run(ctx, settings.Running{
		Online: a.uplink.Online,
		Spread: a.cfg.Uplink.FirstContactSpread.Duration,
		Record: func(ctx context.Context, event *wire.Audit) error {
			recording, cancel := context.WithTimeout(ctx, apiPatience)
			defer cancel()
			return a.ledger.Audit(recording, event)
		},
	})
}
