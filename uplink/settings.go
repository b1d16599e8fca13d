package uplink

import (
	"context"

	"github.com/stampd/stampd/uplink/wire"
)

// Settings is where the terminal takes what the backend sends of its settings. The client calls it from one goroutine of
// each stream, one call at a time.
type Settings interface {
	// Have returns what the terminal has. It is called once for each stream, before Hello.
	Have() *wire.SettingsState
	// Take judges settings, which may be anything, and keeps what it takes on disk before it returns. It tells the backend
	// what became of them by audit events. An error ends the taking of settings on this stream, and nothing else: the
	// backend sends them again on the next one.
	Take(context.Context, *wire.Settings) error
}
