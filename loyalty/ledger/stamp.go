package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/uplink/wire"
)

// errCardRow says that a row of the cards bucket can't be read.
var errCardRow = errors.New("cannot read the member's card")

// AwardStamps gives stamps to a member's card. When it returns without error, the entry, the card and the key are on
// disk together. The same key with the same body gives the same answer again and stores nothing.
//
// Errors: *[Invalid], *[pci.Violation], [ErrKeyReused], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) AwardStamps(ctx context.Context, req *wire.AwardStampsRequest) (*wire.AwardStampsResponse, error) {
	if err := l.checkAward(req); err != nil {
		return nil, err
	}
	m, err := l.member(req.GetPhone())
	if err != nil {
		return nil, err
	}
	now := l.Clock.Now()
	entry := &wire.Stamp{
		IdempotencyKey:   req.GetIdempotencyKey(),
		Kind:             wire.StampKind_STAMP_KIND_STAMP,
		ProgrammeId:      l.Programme.ID,
		ProgrammeVersion: l.Programme.Version,
		AccountRef:       m.ref,
		AccountKeyId:     m.keyID,
		Stamps:           awarded(req),
		OrderRef:         req.GetOrderRef(),
		PaymentKey:       req.GetPaymentKey(),
	}
	record, err := l.Guard.Check(&wire.Event{Clock: now, Body: &wire.Event_Stamp{Stamp: entry}})
	if err != nil {
		return nil, err
	}
	// What the caller asked for, by the member's reference: a plain hash of a phone number could be searched for. The
	// programme is not of the caller's asking, and may change between a call and its repetition.
	asked := proto.CloneOf(entry)
	asked.ProgrammeId, asked.ProgrammeVersion = "", 0
	body, err := bodyHash(asked)
	if err != nil {
		return nil, err
	}

	answer := new(wire.AwardStampsResponse)
	err = l.Queue.Update(ctx, func(tx *buffer.Tx) error {
		known, err := recallAward(tx, asked, m, answer)
		if err != nil || known {
			answer.Duplicate = known
			return err
		}
		answer.Seq, answer.Epoch = tx.Append(record), tx.Epoch().String()
		stamps, err := l.add(tx, m.ref, answer.Seq, entry.GetStamps())
		if err != nil {
			return err
		}
		before, err := l.formerStamps(tx, m)
		if err != nil {
			return err
		}
		answer.Card = l.card(together(stamps, before), now)
		return remember(tx, opStamp, req.GetIdempotencyKey(), body, now.GetWallUnixMs(), answer)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// GetCard returns a member's card as this terminal knows it.
//
// Errors: *[Invalid], [ErrNoMemberKey], and the causes of package buffer.
func (l *Ledger) GetCard(_ context.Context, req *wire.GetCardRequest) (*wire.GetCardResponse, error) {
	m, err := l.member(req.GetPhone())
	if err != nil {
		return nil, err
	}
	var stamps int32
	err = l.Queue.View(func(tx *buffer.ReadTx) error {
		now, err := parseCardRow(tx.Get(buffer.Cards, l.cardKey(m.ref)))
		if err != nil {
			return err
		}
		before, err := l.formerStamps(tx, m)
		stamps = together(now, before)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &wire.GetCardResponse{Card: l.card(stamps, l.Clock.Now())}, nil
}

// add writes an entry and the card that it leads to, and returns the card's stamps.
func (l *Ledger) add(tx *buffer.Tx, account []byte, seq uint64, n int32) (int32, error) {
	key := l.cardKey(account)
	stamps, err := parseCardRow(tx.Get(buffer.Cards, key))
	if err != nil {
		return 0, err
	}
	if stamps > math.MaxInt32-n {
		return 0, &Invalid{Field: "stamps", Reason: ReasonRange, Hint: "the card can't hold more stamps"}
	}
	stamps += n
	epoch := tx.Epoch()
	entry := append(append([]byte(nil), key...), epoch[:]...)
	entry = binary.BigEndian.AppendUint64(entry, seq)
	tx.Keep(buffer.Entries, entry, binary.BigEndian.AppendUint32(nil, uint32(n)))
	tx.Put(buffer.Cards, key, binary.BigEndian.AppendUint32(nil, uint32(stamps)))
	return stamps, nil
}

// cardKey is programme ‖ 0 ‖ account.
func (l *Ledger) cardKey(account []byte) []byte {
	key := append([]byte(l.Programme.ID), 0)
	return append(key, account...)
}

// together adds two numbers of stamps, and stops at the largest and the smallest that there are.
func together(a, b int32) int32 {
	return int32(min(max(int64(a)+int64(b), math.MinInt32), math.MaxInt32))
}

func parseCardRow(row []byte) (int32, error) {
	switch len(row) {
	case 0:
		return 0, nil
	case 4:
		return int32(binary.BigEndian.Uint32(row)), nil
	}
	return 0, errCardRow
}

func (l *Ledger) card(stamps int32, now *wire.Clock) *wire.Card {
	c := loyalty.CardOf(l.Programme, stamps)
	return &wire.Card{
		ProgrammeId: l.Programme.ID,
		Progress:    c.Progress,
		Of:          l.Programme.StampsPerReward,
		Available:   c.Available,
		Earned:      c.Earned,
		Stamps:      c.Stamps,
		AsOfUnixMs:  now.GetWallUnixMs(),
		Offline:     !l.Online(),
	}
}

// awarded returns the stamps asked for; unset means one.
func awarded(req *wire.AwardStampsRequest) int32 {
	if req.Stamps == nil {
		return 1
	}
	return req.GetStamps()
}
