package gateway

import "bytes"

// tellEvery is how many acks of a lane there are, at most, for one that has the chain (Ack.chain).
const tellEvery = 16

// told is what a terminal was told of one lane's chain.
type told struct {
	sparing bool // it knows that no word of the chain means that it agrees
	acks    int  // since the last that had it
}

// chain returns what an ack tells of the chain: nothing, when the terminal said the same and was told not long ago.
func (t *told) chain(terminals, own []byte) []byte {
	t.acks++
	if t.sparing && t.acks < tellEvery && bytes.Equal(terminals, own) {
		return nil
	}
	t.acks = 0
	return own
}
