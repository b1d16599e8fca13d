package eventlog

import (
	"bytes"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/identity"
)

const (
	// maxBootMS is the longest time since boot that is believed: more than a hundred years.
	maxBootMS = 1 << 42
	// drift is how much faster or slower than it should a terminal's clock runs, at most: 100 parts in a million. Crystals
	// are sold as 20, and cold, heat and age come on top.
	drift = 10_000 // one part in
)

// start returns the moment of boot by the backend's clock, in milliseconds since 1970.
func (b *BootClock) start() int64 { return b.UnixMs - b.BootMs }

// at returns the moment of an event by the backend's clock.
func (b *BootClock) at(bootMS int64) Moment {
	m := Moment{UnixMS: b.start() + bootMS, Source: b.Source}
	if b.ErrorMs != nil {
		m.ErrorMS, m.Bounded = *b.ErrorMs+distance(bootMS, b.BootMs)/drift, true
	}
	return m
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// betterThan reports whether b, told by the terminal just now, is to take the place of what is known: it comes from a
// better source, or is at least as exact by now, or contradicts it, as when the backend's own clock was set.
func (b *BootClock) betterThan(known *BootClock) bool {
	if known == nil || b.Source != known.Source {
		return known == nil || b.Source > known.Source
	}
	if known.ErrorMs == nil || b.ErrorMs == nil {
		return b.ErrorMs != nil
	}
	if b.BootMs == known.BootMs { // the same Hello
		return *b.ErrorMs < *known.ErrorMs
	}
	aged := known.at(b.BootMs).ErrorMS
	return *b.ErrorMs <= aged || distance(b.start(), known.start()) > *b.ErrorMs+aged
}

// check returns an *InvalidError unless the clock makes sense.
func (b *BootClock) check() error {
	if b == nil {
		return nil
	}
	if len(b.BootId) != 16 || b.BootMs < 0 || b.BootMs > maxBootMS || b.GetErrorMs() < 0 || b.Source != TimeSource_TIME_SOURCE_BACKEND {
		return invalid("the boot's clock makes no sense")
	}
	return nil
}

// bootKey is merchant, '/', terminal, '/', boot id. A name has no slash, so no two boots share a key.
func bootKey(id identity.ID, bootID []byte) []byte {
	return append([]byte(id.Merchant+"/"+id.Terminal+"/"), bootID...)
}

// getBoot returns what is known of a boot's clock, nil when nothing is.
func getBoot(tx *bolt.Tx, id identity.ID, bootID []byte) (*BootClock, error) {
	v := tx.Bucket(bucketBoots).Get(bootKey(id, bootID))
	if v == nil {
		return nil, nil
	}
	b := new(BootClock)
	if err := proto.Unmarshal(v, b); err != nil {
		return nil, fmt.Errorf("a boot's clock is unreadable")
	}
	return b, nil
}

func putBoot(tx *bolt.Tx, id identity.ID, b *BootClock) error {
	v, err := proto.Marshal(b)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketBoots).Put(bootKey(id, b.BootId), v)
}

// keepBoot keeps what a terminal told of the boot it runs in, unless something better is known, and returns the better.
func keepBoot(tx *bolt.Tx, id identity.ID, told *BootClock) (*BootClock, error) {
	known, err := getBoot(tx, id, told.BootId)
	if err != nil {
		return nil, err
	}
	if !told.betterThan(known) {
		return known, nil
	}
	return told, putBoot(tx, id, told)
}

// bootClocks returns the clocks of the boots that the batch's records tell of, and keeps what is new of them.
func (c *checked) bootClocks(tx *bolt.Tx) ([]*BootClock, error) {
	received := c.Received.UnixMilli()
	var current *BootClock
	if c.Boot != nil {
		var err error
		if current, err = keepBoot(tx, c.ID, c.Boot); err != nil {
			return nil, err
		}
	}
	clocks := make([]*BootClock, 0, len(c.boots))
	for _, s := range c.boots {
		known, err := getBoot(tx, c.ID, s.id[:])
		if err != nil {
			return nil, err
		}
		if known.GetSource() != TimeSource_TIME_SOURCE_BACKEND {
			// An earlier boot ended before the one that sends its events began.
			before := received
			if current != nil && !bytes.Equal(current.BootId, s.id[:]) {
				before = min(before, current.start()+current.GetErrorMs())
			}
			if guess := s.estimate(known, before); guess != known {
				if err := putBoot(tx, c.ID, guess); err != nil {
					return nil, err
				}
				known = guess
			}
		}
		clocks = append(clocks, known)
	}
	return clocks, nil
}
