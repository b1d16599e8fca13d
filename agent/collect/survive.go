package collect

import "runtime/debug"

// survive runs a read of the hardware, and goes on when it panics: what answers strangely there must not end the agent that
// takes payments. The log gets where it was, and nothing of what was read.
func (c *Collector) survive(read func()) {
	defer func() {
		if recover() != nil {
			c.opts.Log.Error().Bytes("stack", debug.Stack()).Msg("a part can't be read, by a fault of the agent")
		}
	}()
	read()
}
