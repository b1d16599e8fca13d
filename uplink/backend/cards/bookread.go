package cards

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// use notes entries that use rights. One that was noted before changes nothing. Rights that were handed on become a lease
// of the terminal that has them now. Whoever calls holds Index.granting.
func (b *book) use(uses []use) error {
	err := b.db.Update(func(tx *bolt.Tx) error {
		for _, u := range uses {
			g, err := getGrant(tx, u.lease[:])
			if err != nil {
				return err
			}
			again := g != nil && slices.ContainsFunc(g.Uses, func(o use) bool { return o.Entry == u.Entry })
			if g == nil || again || g.Merchant != u.merchant || g.Terminal != u.Entry.Terminal || u.Rights < 1 {
				continue
			}
			rights := min(u.Rights, g.left())
			g.Uses = append(g.Uses, u)
			if err := putGrant(tx, g); err != nil {
				return err
			}
			to := identity.ID{Merchant: g.Merchant, Terminal: u.To}
			if rights < 1 || to.Validate() != nil {
				continue
			}
			next := &grant{
				Merchant: g.Merchant, Terminal: u.To, Account: g.Account, Program: g.Program, Reward: g.Reward, Cost: g.Cost,
				Rights: rights, Until: g.Until, TTL: max(g.Until-b.now().UnixMilli(), 1000),
			}
			rand.Read(next.ID[:])
			if err := putGrant(tx, next); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot store use of leases: %w", err)
	}
	return nil
}

// outstanding returns the leases for some accounts of a merchant and a programme that are not over and have rights left.
func (b *book) outstanding(merchant, programme string, refs []loyalty.Ref) (list []*grant, err error) {
	now := b.now().UnixMilli()
	err = b.db.View(func(tx *bolt.Tx) error {
		for _, ref := range refs {
			prefix := accountKey(merchant, ref)
			c := tx.Bucket(bucketByAccount).Cursor()
			for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
				g, err := getGrant(tx, k[len(prefix):])
				if err != nil {
					return err
				}
				if g != nil && g.Program == programme && g.Until+grace.Milliseconds() > now && g.left() > 0 {
					list = append(list, g)
				}
			}
		}
		return nil
	})
	return list, err
}

// after returns a terminal's leases with numbers from `from` to `to`, both included, that are not over and have rights left,
// by number, and the number of its last one.
func (b *book) after(id identity.ID, from, to uint64) (leases []*wire.Lease, last uint64, err error) {
	now := b.now().UnixMilli()
	err = b.db.View(func(tx *bolt.Tx) error {
		prefix := terminalKey(id)
		if v := tx.Bucket(bucketNumbers).Get(prefix); len(v) == 8 {
			last = binary.BigEndian.Uint64(v)
		}
		if last < from {
			return nil
		}
		c := tx.Bucket(bucketTerminals).Cursor()
		for k, v := c.Seek(binary.BigEndian.AppendUint64(bytes.Clone(prefix), from)); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			if binary.BigEndian.Uint64(k[len(prefix):]) > to {
				break
			}
			g, err := getGrant(tx, v)
			if err != nil {
				return err
			}
			if g != nil && g.Until > now && g.left() > 0 {
				g.TTL = g.Until - now
				leases = append(leases, g.wire())
			}
		}
		return nil
	})
	return leases, last, err
}
