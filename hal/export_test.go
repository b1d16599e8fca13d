package hal

import "time"

// CRC8 is for tests that make answers of their own, and OpenLine for those of the kernel's lines.
var (
	CRC8     = crc8
	OpenLine = openLine
)

// SetLimit sets how long a call may take, for tests that wait for it.
func (mm *ModemManager) SetLimit(limit time.Duration) { mm.limit = limit }
