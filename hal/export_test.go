package hal

// CRC8 is for tests that make answers of their own, and OpenLine for those of the kernel's lines.
var (
	CRC8     = crc8
	OpenLine = openLine
)
