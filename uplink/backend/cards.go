package backend

import (
	"context"
	"path/filepath"

	"github.com/stampd/stampd/uplink/backend/cards"
	"github.com/stampd/stampd/uplink/backend/programme"
)

// ProgrammesDir returns the folder of the merchants' rules of a backend whose log is in dir.
func ProgrammesDir(dir string) string { return filepath.Join(dir, "programmes") }

// openCards opens the rules and the cards.
func (b *Backend) openCards(o Options) (err error) {
	if b.rules, err = programme.Open(ProgrammesDir(o.Dir)); err != nil {
		return folderProblem(err, o.Dir, "--dir")
	}
	b.cards, err = cards.Open(cards.Options{
		Log: b.log, Dir: filepath.Join(o.Dir, "cards"), Programmes: b.rules, LeaseTTL: o.LeaseTTL, LeasesOff: o.LeasesOff,
		Logger: o.Logger.With().Str("part", "cards").Logger(),
	})
	if err != nil {
		return folderProblem(err, o.Dir, "--dir")
	}
	return nil
}

// fold folds cards until ctx ends. The channel is closed then. When it can't go on, terminals are told no more of cards;
// what they send is stored all the same.
func (b *Backend) fold(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go b.rules.Watch(ctx)
	go func() {
		defer close(ended)
		if err := b.cards.Run(ctx); err != nil {
			b.logger.Error().Err(err).Msg("cards stand still")
		}
	}()
	return ended
}
