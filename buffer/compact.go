package buffer

import (
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"
)

const (
	// compactFrom is the file size below which nothing is worth compacting, in bytes.
	compactFrom = 4 << 20
	// compactTx is how much one transaction of a copy writes, in bytes.
	compactTx = 1 << 20
)

// worthCompacting reports whether more than half of the file is free, and the file is large.
func worthCompacting(db *bolt.DB) bool {
	size := int64(0)
	if err := db.View(func(tx *bolt.Tx) error { size = tx.Size(); return nil }); err != nil || size < compactFrom {
		return false
	}
	stats := db.Stats()
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(db.Info().PageSize)
	return free > size/2
}

// toWriteAnew reports whether the file holds pages of what was deleted and must not be found any more.
func toWriteAnew(db *bolt.DB) (asked bool) {
	_ = db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(Keys.name()); b != nil {
			asked = b.Get(writeAnewKey()) != nil
		}
		return nil
	})
	return asked
}

// compact writes what is in the file into a new one at the path fresh.
func compact(db *bolt.DB, fresh, terminal string) error {
	return copyDB(db, fresh, func(to *bolt.DB) error {
		if err := to.Update(func(tx *bolt.Tx) error { return tx.Bucket(Keys.name()).Delete(writeAnewKey()) }); err != nil {
			return err
		}
		return to.View(func(tx *bolt.Tx) error { return known(tx.Bucket(bucketMeta), terminal) })
	})
}

// copyDB writes what is in a file into a new one at the path fresh, and closes that when finish has made it ready. When it
// fails, there is no new file.
func copyDB(from *bolt.DB, fresh string, finish func(to *bolt.DB) error) error {
	if err := removeStale(fresh); err != nil {
		return err
	}
	to, err := bolt.Open(fresh, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	to.AllocSize = growStep
	if err = bolt.Compact(to, from, compactTx); err == nil {
		err = finish(to)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		_ = os.Remove(fresh)
	}
	return err
}
