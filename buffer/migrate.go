package buffer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// errOldFormat says that a file has a format of an earlier version, which [migrate] makes into today's.
var errOldFormat = errors.New("queue file has an earlier format")

// migrate makes a file of an earlier format into one of today's: the same rows, under a format that earlier versions refuse.
// Those of format 1 would not look into the journal, and those of format 2 can't read the rows that the ledger writes now;
// rows that were written before, today's version reads. The new file takes the old one's place, in one step, after every row
// of both was compared: a power cut, or an error, leaves the old one.
func migrate(path string) error {
	from, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer from.Close()
	fresh := path + newSuffix
	err = copyDB(from, fresh, func(to *bolt.DB) error {
		if err := sameRows(from, to); err != nil {
			return err
		}
		return to.Update(func(tx *bolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(metaFormat, binary.BigEndian.AppendUint32(nil, formatVersion))
		})
	})
	if err != nil {
		return err
	}
	return rename(fresh, path)
}

// sameRows compares all buckets of two files.
func sameRows(a, b *bolt.DB) error {
	return a.View(func(ta *bolt.Tx) error {
		return b.View(func(tb *bolt.Tx) error {
			return ta.ForEach(func(name []byte, ba *bolt.Bucket) error {
				bb := tb.Bucket(name)
				if bb == nil {
					return fmt.Errorf("cannot migrate the queue: bucket %s is missing in the copy", name)
				}
				ca, cb := ba.Cursor(), bb.Cursor()
				ka, va := ca.First()
				kb, vb := cb.First()
				for ; ka != nil || kb != nil; ka, va = ca.Next() {
					if !bytes.Equal(ka, kb) || !bytes.Equal(va, vb) {
						return fmt.Errorf("cannot migrate the queue: bucket %s differs in the copy", name)
					}
					kb, vb = cb.Next()
				}
				return nil
			})
		})
	})
}
