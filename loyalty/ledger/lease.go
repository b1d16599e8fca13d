package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/entry"
	"github.com/stampd/stampd/uplink/wire"
)

// opLeases is the rows of the leases of an account. The value reaches the disk.
const opLeases operation = 'L'

// mostLeases is how many leases of one account are kept, the latest.
const mostLeases = 16

// lease is one of the terminal's leases, with what it is for.
type lease struct {
	loyalty.Lease
	programme, reward string
}

// errLeaseRow says that a row of leases can't be read.
var errLeaseRow = errors.New("cannot read the leases of an account")

func leasesKey(ref loyalty.Ref) []byte { return append([]byte{byte(opLeases)}, ref[:]...) }

// leaseSize is id(16) ‖ rights(4) ‖ used(4) ‖ until in ms(8) ‖ came in a known boot(1) ‖ boot(8) ‖ came at ms since it(8) ‖ lasts
// ms(8), before programme and reward with their lengths(1) in front.
const leaseSize = 16 + 4 + 4 + 8 + 1 + 8 + 8 + 8

func appendLease(row []byte, s lease) []byte {
	row = append(row, s.ID[:]...)
	row = binary.BigEndian.AppendUint32(row, uint32(s.Rights))
	row = binary.BigEndian.AppendUint32(row, uint32(s.Used))
	row = binary.BigEndian.AppendUint64(row, uint64(s.Until.UnixMs))
	known := byte(0)
	if s.Granted.Known {
		known = 1
	}
	row = append(append(row, known), s.Granted.Boot[:]...)
	row = binary.BigEndian.AppendUint64(row, uint64(s.Granted.Ms))
	row = binary.BigEndian.AppendUint64(row, uint64(s.TTLMs))
	row = append(append(row, byte(len(s.programme))), s.programme...)
	return append(append(row, byte(len(s.reward))), s.reward...)
}

func parseLeases(row []byte, ref loyalty.Ref, terminal string) (list []lease, err error) {
	for len(row) > 0 {
		if len(row) < leaseSize+1 {
			return nil, errLeaseRow
		}
		s := lease{Lease: loyalty.Lease{
			ID: loyalty.LeaseID(row[:16]), Account: ref, Terminal: terminal,
			Rights: int32(binary.BigEndian.Uint32(row[16:])), Used: int32(binary.BigEndian.Uint32(row[20:])),
			Until: loyalty.At(int64(binary.BigEndian.Uint64(row[24:]))), TTLMs: int64(binary.BigEndian.Uint64(row[49:])),
		}}
		if row[32] == 1 {
			s.Granted = loyalty.Uptime{Boot: loyalty.BootID(row[33:41]), Ms: int64(binary.BigEndian.Uint64(row[41:])), Known: true}
		}
		row = row[leaseSize:]
		for _, text := range []*string{&s.programme, &s.reward} {
			if len(row) == 0 || len(row) < 1+int(row[0]) {
				return nil, errLeaseRow
			}
			*text, row = string(row[1:1+row[0]]), row[1+row[0]:]
		}
		list = append(list, s)
	}
	return list, nil
}

// leases returns the terminal's leases for an account.
func (b *book) leases(ref loyalty.Ref) ([]lease, error) {
	return parseLeases(b.rows.Get(buffer.Keys, leasesKey(ref)), ref, b.l.Terminal)
}

// saveLeases stores them.
func (b *book) saveLeases(ref loyalty.Ref, list []lease) {
	if len(list) == 0 {
		b.tx.Delete(buffer.Keys, leasesKey(ref))
		return
	}
	var row []byte
	for _, s := range list {
		row = appendLease(row, s)
	}
	b.tx.Put(buffer.Keys, leasesKey(ref), row)
}

// spend uses up one right of a lease, in the transaction of the entry that it is for.
func (b *book) spend(s lease) error {
	list, err := b.leases(s.Account)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].ID == s.ID {
			if list[i].Lease, err = list[i].Use(1); err != nil {
				return err
			}
			b.saveLeases(s.Account, list)
			return nil
		}
	}
	return loyalty.ErrLeaseSpent
}

// leasesOf returns the terminal's leases for a reward: those for an account and all that it was merged with.
func (b *book) leasesOf(a loyalty.Account, reward loyalty.Reward) ([]lease, error) {
	var fit []lease
	for _, ref := range append([]loyalty.Ref{a.Ref}, a.Members...) {
		list, err := b.leases(ref)
		if err != nil {
			return nil, err
		}
		for _, s := range list {
			if of, ok := b.Reward(s.reward); ok && s.programme == b.ID && of.Stamps >= reward.Stamps {
				fit = append(fit, s)
			}
		}
	}
	return fit, nil
}

// TakeLease stores a lease that the backend granted, and its number. One that is there already stays as it is, with what was
// used of it.
//
// Errors: the causes of package buffer.
func (l *Ledger) TakeLease(ctx context.Context, m *wire.Lease) error {
	if len(m.GetId()) != len(loyalty.LeaseID{}) || len(m.GetAccountRef()) != accountSize || m.GetRights() < 1 {
		return l.refuseDownlink(ctx, "lease", errors.New("cannot take a lease that makes no sense"))
	}
	now := l.Clock.Now()
	return l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		s := readPlace(tx)
		s.lease = max(s.lease, m.GetNumber())
		tx.Put(buffer.Keys, placeKey(), s.row())
		b := l.open(tx, tx, rules{Programme: l.Programme}, now)
		ref := loyalty.Ref(m.GetAccountRef())
		if b.erased(ref) {
			return nil
		}
		list, err := b.leases(ref)
		if err != nil {
			list = nil // a row that can't be read is worth no redemption
		}
		for _, have := range list {
			if have.ID == loyalty.LeaseID(m.GetId()) {
				return nil
			}
		}
		list = append(list, lease{loyalty.Lease{
			ID: loyalty.LeaseID(m.GetId()), Account: ref, Rights: m.GetRights(), Until: loyalty.At(m.GetUntilUnixMs()),
			Granted: entry.Uptime(now), TTLMs: int64(m.GetTtlS()) * 1000, Terminal: l.Terminal,
		}, m.GetProgrammeId(), m.GetRewardId()})
		b.saveLeases(ref, current(list, nowOf(now, nil)))
		return nil
	})
}

// current returns the leases without those that are known to be over, and no more than there is room for: those that are spent
// go first, then the oldest. One that is spent is kept as long as it may come again.
func current(list []lease, now loyalty.Now) []lease {
	list = slices.DeleteFunc(list, func(s lease) bool { return now.Wall.Known && now.Wall.UnixMs >= s.Until.UnixMs })
	for len(list) > mostLeases {
		i := max(slices.IndexFunc(list, func(s lease) bool { return s.Left() == 0 }), 0)
		list = slices.Delete(list, i, i+1)
	}
	return list
}
