package ledger

import (
	"bytes"
	"context"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/payment"
	"github.com/stampd/stampd/uplink/wire"
)

// maxTold is the largest amount that an event tells, and stands for more: no card number fits under it.
const maxTold = 10_000_000_000_000 - 1

// StoredPayments returns what is stored on the terminal at the merchant's risk, and how far the limits are reached.
//
// Errors: the causes of package buffer.
func (l *Ledger) StoredPayments() (stored payment.Stored, levels payment.Levels, err error) {
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		s := readStore(tx)
		s.age(tx, l.Clock.Now())
		stored, levels = s.Stored, s.levels
		return nil
	})
	return stored, levels, err
}

// WatchLimits records each limit that stored payments have come to, or have left, since it was looked at last: their age grows
// without a call. Once a minute is often enough.
//
// Errors: the causes of package buffer.
func (l *Ledger) WatchLimits(ctx context.Context) error {
	stored, levels, err := l.StoredPayments()
	if err != nil {
		return err
	}
	if _, crossed := payment.Watch(l.Limits, stored, levels); len(crossed) == 0 {
		return nil
	}
	now := l.Clock.Now()
	return l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		s := readStore(tx)
		return l.tellLimits(tx, l.watch(tx, &s, now), now)
	})
}

// store takes a payment among those that are stored.
func (l *Ledger) store(tx *buffer.Tx, first string, p *wire.Payment, now *wire.Clock) ([]payment.Crossing, *wire.PaymentRisk) {
	s, key := readStore(tx), keyRow(opStored, first)
	if tx.Get(buffer.Keys, key) == nil {
		tx.Put(buffer.Keys, key, storedRow(s.next, p.GetAmountMinor(), p.GetCurrency()))
		tx.Put(buffer.Keys, timeKey(s.next), timeRow(now))
		s.next++
		s.Count++
		s.Totals[p.GetCurrency()] += p.GetAmountMinor()
	}
	crossed := l.watch(tx, &s, now)
	return crossed, l.risk(tx, s, p)
}

// settle takes a payment from those that are stored, if it is one.
func (l *Ledger) settle(tx *buffer.Tx, first string, now *wire.Clock) []payment.Crossing {
	key := keyRow(opStored, first)
	number, minor, currency, ok := parseStored(tx.Get(buffer.Keys, key))
	if !ok {
		return nil
	}
	tx.Delete(buffer.Keys, key)
	tx.Delete(buffer.Keys, timeKey(number))
	s := readStore(tx)
	s.Count = max(s.Count-1, 0)
	s.Totals[currency] = max(s.Totals[currency]-minor, 0)
	return l.watch(tx, &s, now)
}

// moveStored lets what is stored under a step that was thought to be a first one follow it to the real one.
func moveStored(tx *buffer.Tx, step, first string) {
	from, to := keyRow(opStored, step), keyRow(opStored, first)
	if row := tx.Get(buffer.Keys, from); row != nil && tx.Get(buffer.Keys, to) == nil {
		tx.Put(buffer.Keys, to, bytes.Clone(row))
		tx.Delete(buffer.Keys, from)
	}
}

// watch looks how far the limits are reached, and writes what is stored.
func (l *Ledger) watch(tx *buffer.Tx, s *store, now *wire.Clock) []payment.Crossing {
	s.age(tx, now)
	var crossed []payment.Crossing
	s.levels, crossed = payment.Watch(l.Limits, s.Stored, s.levels)
	tx.Put(buffer.Keys, storeKey(), s.row())
	return crossed
}

// age finds the oldest payment that is stored.
func (s *store) age(r rows, now *wire.Clock) {
	for ; s.oldest < s.next; s.oldest++ {
		if then, ok := parseTime(r.Get(buffer.Keys, timeKey(s.oldest))); ok {
			s.Oldest = payment.AgeOf(then, momentOf(now))
			return
		}
	}
	s.Oldest = 0
}

// risk returns what an event says of what is stored, p included.
func (l *Ledger) risk(r rows, s store, p *wire.Payment) *wire.PaymentRisk {
	risk := &wire.PaymentRisk{
		StoredCount:      uint32(min(s.Count, 1<<32-1)),
		StoredTotalMinor: min(s.Totals[p.GetCurrency()], maxTold),
	}
	if then, ok := parseTime(r.Get(buffer.Keys, timeKey(s.oldest))); ok && then.WallMs >= 0 && then.WallMs <= maxTold {
		risk.OfflineSinceUnixMs = &then.WallMs
	}
	reached := func(kind payment.LimitKind, percent uint32) {
		if percent > 0 {
			risk.Limits = append(risk.Limits, &wire.PaymentLimitLevel{Kind: wire.PaymentLimitKind(kind), Percent: percent})
		}
	}
	reached(payment.Amount, l.Limits.OfAmount(p.GetAmountMinor(), p.GetCurrency()))
	reached(payment.Count, s.levels[payment.Limit{Kind: payment.Count}])
	reached(payment.Total, s.levels[payment.Limit{Kind: payment.Total, Currency: p.GetCurrency()}])
	reached(payment.Age, s.levels[payment.Limit{Kind: payment.Age}])
	return risk
}

// tellLimits appends an event for each crossing.
func (l *Ledger) tellLimits(tx *buffer.Tx, crossed []payment.Crossing, now *wire.Clock) error {
	for _, c := range crossed {
		record, err := l.Guard.Check(&wire.Event{Clock: now, Body: &wire.Event_PaymentLimit{PaymentLimit: &wire.PaymentLimit{
			Kind:     wire.PaymentLimitKind(c.Kind),
			Currency: c.Currency,
			Percent:  c.Percent,
			Used:     min(c.Used, maxTold),
			Allowed:  c.Allowed,
		}}})
		if err != nil {
			return err
		}
		tx.Append(record)
	}
	return nil
}
