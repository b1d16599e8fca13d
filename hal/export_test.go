package hal

// CRC8 is for tests that make answers of their own.
var CRC8 = crc8
