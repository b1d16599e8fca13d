package hal

import "time"

// A wall clock outside these times was never set, or has lost its battery, or has wrapped: it starts at the epoch of a
// board or of its firmware; 32 bits without a sign end in 2106, and on a 32-bit machine what was before 1970 ends up there.
// The range does not end where 32 bits with a sign do, in 2038: the terminal may still be in use.
const (
	oldestWall = 1_704_067_200_000 // 2024-01-01T00:00:00Z, before anybody wrote this software
	newestWall = 2_650_838_400_000 // 2054-01-01T00:00:00Z, too late
)

// plausible tells whether it can be t now.
func plausible(t time.Time) bool {
	ms := t.UnixMilli()
	return ms >= oldestWall && ms < newestWall
}
