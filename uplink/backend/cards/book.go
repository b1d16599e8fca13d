package cards

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// grace is how long a right counts as outstanding after its lease is over: the terminal counts from when it came.
	grace = 2 * time.Minute
	// forgetAfter is how long a lease is kept after it is over, for entries that name it and come late.
	forgetAfter = 30 * 24 * time.Hour
	// sweep is how many leases that are over are removed with each that is granted.
	sweep = 8
)

// The file of leases has these buckets. It can't be made again: without it, rights that are outstanding are granted twice.
//
//	leases     id                           the lease, as JSON
//	accounts   merchant / ref id            nothing
//	terminals  merchant / terminal / number id
//	numbers    merchant / terminal /        the number of the last lease
//	ends       until id                     nothing
var (
	bucketLeases    = []byte("leases")
	bucketByAccount = []byte("accounts")
	bucketTerminals = []byte("terminals")
	bucketNumbers   = []byte("numbers")
	bucketEnds      = []byte("ends")
)

// book is the leases that were granted. Whoever grants holds Index.granting.
type book struct {
	db  *bolt.DB
	now func() time.Time
}

// grant is one lease, and what was used of it.
type grant struct {
	ID       loyalty.LeaseID
	Number   uint64
	Merchant string
	Terminal string
	Account  loyalty.Ref
	Program  string
	Reward   string
	Cost     int32 // stamps that a reward costs
	Rights   int32
	Until    int64 // milliseconds since 1970
	TTL      int64 // milliseconds
	Asked    int64 // when its terminal last asked for it to give the reward then, milliseconds since 1970; 0: never
	Uses     []use // by which rights were used, each once
}

// use is an entry that uses rights of a lease.
type use struct {
	Entry  loyalty.EntryID
	Rights int32
	To     string // the terminal that they were handed on to; empty: to none

	merchant string
	lease    loyalty.LeaseID
}

// usesOf returns the uses of leases among entries.
func usesOf(lines []line) (uses []use) {
	for i := range lines {
		l := &lines[i]
		u := use{Entry: l.entry.ID, merchant: l.merchant}
		switch b := l.entry.Body.(type) {
		case loyalty.Redeem:
			u.lease, u.Rights = b.Lease, 1
		case loyalty.LeaseReturn:
			u.lease, u.Rights = b.Lease, b.Rights
		case loyalty.LeaseTransfer:
			u.lease, u.Rights, u.To = b.Lease, b.Rights, b.To
		}
		if u.lease != (loyalty.LeaseID{}) {
			uses = append(uses, u)
		}
	}
	return uses
}

func openBook(path string, now func() time.Time) (*book, error) {
	db, err := openFile(path)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		var errs []error
		for _, name := range [][]byte{bucketLeases, bucketByAccount, bucketTerminals, bucketNumbers, bucketEnds} {
			_, err := tx.CreateBucketIfNotExists(name)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	if err != nil {
		_ = db.Close()
		return nil, err
	}
	return &book{db: db, now: now}, nil
}

func (b *book) close() error { return b.db.Close() }

func (g *grant) id() identity.ID { return identity.ID{Merchant: g.Merchant, Terminal: g.Terminal} }

// left returns how many rights the terminal may still use.
func (g *grant) left() int32 {
	n := g.Rights
	for _, u := range g.Uses {
		n -= min(u.Rights, n)
	}
	return n
}

func (g *grant) wire() *wire.Lease {
	return &wire.Lease{
		Id: slices.Clone(g.ID[:]), Number: g.Number, AccountRef: slices.Clone(g.Account[:]), ProgrammeId: g.Program, RewardId: g.Reward,
		Rights: g.Rights, UntilUnixMs: g.Until, TtlS: uint32(max(g.TTL/1000, 1)),
	}
}

func terminalKey(id identity.ID) []byte { return []byte(id.Merchant + "/" + id.Terminal + "/") }

func endKey(g *grant) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(g.Until)), g.ID[:]...)
}

func getGrant(tx *bolt.Tx, id []byte) (*grant, error) {
	v := tx.Bucket(bucketLeases).Get(id)
	if v == nil {
		return nil, nil
	}
	g := new(grant)
	if err := json.Unmarshal(v, g); err != nil {
		return nil, errors.New("a lease can't be read")
	}
	return g, nil
}

// put writes a lease. A new one gets its number.
func putGrant(tx *bolt.Tx, g *grant) error {
	terminal := terminalKey(g.id())
	if g.Number == 0 {
		if v := tx.Bucket(bucketNumbers).Get(terminal); len(v) == 8 {
			g.Number = binary.BigEndian.Uint64(v)
		}
		g.Number++
	}
	v, err := json.Marshal(g)
	if err != nil {
		return err
	}
	number := binary.BigEndian.AppendUint64(nil, g.Number)
	return errors.Join(
		tx.Bucket(bucketLeases).Put(g.ID[:], v),
		tx.Bucket(bucketByAccount).Put(append(accountKey(g.Merchant, g.Account), g.ID[:]...), nil),
		tx.Bucket(bucketTerminals).Put(append(bytes.Clone(terminal), number...), g.ID[:]),
		tx.Bucket(bucketEnds).Put(endKey(g), nil),
		raise(tx.Bucket(bucketNumbers), terminal, number),
	)
}

func raise(b *bolt.Bucket, key, number []byte) error {
	if bytes.Compare(b.Get(key), number) >= 0 {
		return nil
	}
	return b.Put(key, number)
}

// remove forgets a lease.
func removeGrant(tx *bolt.Tx, g *grant) error {
	number := binary.BigEndian.AppendUint64(nil, g.Number)
	return errors.Join(
		tx.Bucket(bucketLeases).Delete(g.ID[:]),
		tx.Bucket(bucketByAccount).Delete(append(accountKey(g.Merchant, g.Account), g.ID[:]...)),
		tx.Bucket(bucketTerminals).Delete(append(terminalKey(g.id()), number...)),
		tx.Bucket(bucketEnds).Delete(endKey(g)),
	)
}

// store writes a lease, and forgets some that were over long ago.
func (b *book) store(g *grant) error {
	err := b.db.Update(func(tx *bolt.Tx) error {
		end := uint64(b.now().Add(-forgetAfter).UnixMilli())
		c := tx.Bucket(bucketEnds).Cursor()
		var old [][]byte
		for k, _ := c.First(); len(k) == 24 && binary.BigEndian.Uint64(k) < end && len(old) < sweep; k, _ = c.Next() {
			old = append(old, bytes.Clone(k[8:]))
		}
		for _, id := range old {
			o, err := getGrant(tx, id)
			if err != nil {
				return err
			}
			if o != nil {
				if err := removeGrant(tx, o); err != nil {
					return err
				}
			}
		}
		return putGrant(tx, g)
	})
	if err != nil {
		return fmt.Errorf("cannot store lease: %w", err)
	}
	return nil
}
