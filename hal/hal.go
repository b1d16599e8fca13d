// Package hal reads the terminal it runs on: clocks, battery, host and the agent's own process.
//
// It is for whoever turns readings into events, checks or pages; it knows neither the queue nor the network. A reading
// is a message of uplink/wire, so that a value has its unit, its range and its "unset means unknown" in one place only.
//
// It reads and never writes: no gauge, no kernel file and no clock is changed by it. It never guesses: what could not
// be read, or is out of the range that the schema gives, stays unset. And it never fails as a whole: a part that is
// missing is told of in [Board.Found], and is looked for again at the next reading.
package hal
