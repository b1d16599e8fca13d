package loyalty

import "cmp"

// Moment is a point of wall-clock time, as far as it is known. The zero Moment is unknown.
type Moment struct {
	UnixMs int64 // milliseconds since 1970-01-01T00:00:00Z
	Known  bool
}

// At returns the known moment that many milliseconds after 1970-01-01T00:00:00Z.
func At(unixMs int64) Moment { return Moment{UnixMs: unixMs, Known: true} }

// Compare orders moments. Unknown ones are equal, and after all that are known.
func (m Moment) Compare(o Moment) int {
	switch {
	case m.Known && o.Known:
		return cmp.Compare(m.UnixMs, o.UnixMs)
	case m.Known:
		return -1
	case o.Known:
		return 1
	}
	return 0
}

// Uptime is a reading of a terminal's monotonic clock. Two are comparable within one boot only. The zero Uptime is
// unknown.
type Uptime struct {
	Boot  BootID
	Ms    int64 // milliseconds since the boot, suspend included
	Known bool
}

// BootID is the first 8 bytes of a boot's random id. Boots of one terminal alone are compared by it.
type BootID [8]byte

// since returns the milliseconds from o to u, and false when they are not of one boot.
func (u Uptime) since(o Uptime) (int64, bool) {
	if !u.Known || !o.Known || u.Boot != o.Boot {
		return 0, false
	}
	return u.Ms - o.Ms, true
}
