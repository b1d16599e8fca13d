package cli

import (
	"io"
	"os"

	"github.com/rs/zerolog"
)

// HasColours reports whether w is a terminal, and neither NO_COLOR (no-color.org) nor TERM=dumb asks for no colours.
func HasColours(w io.Writer) bool {
	return IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// NewLogger returns a logger to w: of JSON, or of lines for people when format is "console", or "auto" and w is a
// terminal.
func NewLogger(w io.Writer, format string) zerolog.Logger {
	if format == "console" || format == "auto" && IsTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, NoColor: !HasColours(w), TimeFormat: "15:04:05"}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}
