package deny

import (
	"context"
	"time"

	"github.com/rs/zerolog"
)

// watchEvery is how often the list is read again. A thousand entries take a third of a millisecond.
const watchEvery = time.Second

// Watch reads the list every second until ctx ends. While it can't be read, what was read last holds.
func (l *List) Watch(ctx context.Context, logger zerolog.Logger) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var failed bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		before := l.Changed()
		err := l.Refresh()
		switch {
		case err != nil && !failed:
			logger.Error().Err(err).Msg("deny list can't be read; the last one holds")
		case err == nil && failed:
			logger.Info().Msg("deny list can be read again")
		}
		failed = err != nil
		select {
		case <-before:
			logger.Info().Int("entries", l.len()).Msg("deny list has changed")
		default:
		}
	}
}

func (l *List) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.denied)
}
