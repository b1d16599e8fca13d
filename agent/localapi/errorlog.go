package localapi

import (
	"strings"

	"github.com/rs/zerolog"
)

// errorLog takes what net/http has to say about connections. Its lines can quote what a caller sent, so only those that
// come from the listener are passed on; of the others it says that there was one.
type errorLog struct{ log zerolog.Logger }

func (e errorLog) Write(line []byte) (int, error) {
	switch text := string(line); {
	case strings.HasPrefix(text, "http: Accept error: "):
		e.log.Error().Msg(strings.TrimSpace(text))
	case strings.HasPrefix(text, "http: panic serving "):
		e.log.Error().Msg("a request to the local API panicked")
	default:
		e.log.Debug().Msg("a connection to the local API ended with a protocol error")
	}
	return len(line), nil
}
