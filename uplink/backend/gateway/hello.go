package gateway

import (
	"bytes"
	"fmt"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/wire"
)

// Limits of a Hello.
const (
	maxLanes   = 64
	maxVersion = 64
	idLength   = 16      // of an epoch and of a boot id
	maxBootMS  = 1 << 42 // more than a hundred years
)

// lanesOf returns the lanes that a Hello lists. The error says what is wrong with it, without any of its contents.
func lanesOf(h *wire.Hello) ([]eventlog.LaneKey, error) {
	if h.AgentVersion == "" || len(h.AgentVersion) > maxVersion || !printable(h.AgentVersion) {
		return nil, fmt.Errorf("agent_version is not 1 to %d printable ASCII characters", maxVersion)
	}
	if n := len(h.BootId); n != 0 && n != idLength {
		return nil, fmt.Errorf("boot_id has %d bytes, want %d", n, idLength)
	}
	if ms := h.GetClock().GetBootMs(); ms < 0 || ms > maxBootMS {
		return nil, fmt.Errorf("clock.boot_ms is not 0 to %d", int64(maxBootMS))
	}
	if n := len(h.Lanes); n == 0 || n > maxLanes {
		return nil, fmt.Errorf("%d lanes, want 1 to %d", n, maxLanes)
	}
	keys := make([]eventlog.LaneKey, len(h.Lanes))
	seen := make(map[eventlog.LaneKey]bool, len(h.Lanes))
	for i, l := range h.Lanes {
		if l.GetLane() != wire.Lane_LANE_LEDGER && l.GetLane() != wire.Lane_LANE_TELEMETRY {
			return nil, fmt.Errorf("lane %d of the list is neither ledger nor telemetry", i)
		}
		if n := len(l.Epoch); n != idLength {
			return nil, fmt.Errorf("epoch of lane %d of the list has %d bytes, want %d", i, n, idLength)
		}
		if l.Oldest == 0 || l.Next < l.Oldest {
			return nil, fmt.Errorf("oldest and next of lane %d of the list make no sense", i)
		}
		keys[i] = eventlog.LaneKey{Epoch: [idLength]byte(bytes.Clone(l.Epoch)), Lane: l.Lane}
		if seen[keys[i]] {
			return nil, fmt.Errorf("lane %d of the list is there twice", i)
		}
		seen[keys[i]] = true
	}
	return keys, nil
}

// printable reports whether s can stand in a log line as it is.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// short returns as much of a lane's chain as travels, nothing for a lane that has none.
func short(lane wire.Lane, chain [32]byte) []byte {
	if lane != wire.Lane_LANE_LEDGER {
		return nil
	}
	return bytes.Clone(chain[:8])
}
