package localapi

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"
)

// noLimit is how long a caller waits who does not say.
const noLimit = time.Duration(math.MaxInt64)

// timeLimitIn returns how long a caller says that it waits: Connect-Timeout-Ms (Connect protocol, "timeout-milliseconds")
// or grpc-timeout (gRPC over HTTP/2, "Timeout"). It returns false when that is malformed.
func timeLimitIn(h http.Header) (time.Duration, bool) {
	value, unit := h.Get("Connect-Timeout-Ms"), time.Millisecond
	if grpc := h.Get("Grpc-Timeout"); grpc != "" {
		value = grpc[:len(grpc)-1]
		switch grpc[len(grpc)-1] {
		case 'H':
			unit = time.Hour
		case 'M':
			unit = time.Minute
		case 'S':
			unit = time.Second
		case 'm':
			unit = time.Millisecond
		case 'u':
			unit = time.Microsecond
		case 'n':
			unit = time.Nanosecond
		default:
			return 0, false
		}
	} else if value == "" {
		return noLimit, true
	}
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || len(value) > 10 {
		return 0, false
	}
	if n > uint64(noLimit/unit) {
		return noLimit, true
	}
	return time.Duration(n) * unit, true
}

type timeLimitKey struct{}

// withTimeLimit notes how long a call may take. The limit is set by the handler: Connect would answer for one that is
// over before, and without a detail.
func withTimeLimit(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, timeLimitKey{}, limit)
}

// limited returns a context that ends when the call's time is over.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	limit, ok := ctx.Value(timeLimitKey{}).(time.Duration)
	if !ok {
		limit = callTimeout
	}
	return context.WithTimeout(ctx, limit)
}
