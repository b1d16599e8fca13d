package ledger

import (
	"errors"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/phone"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// member is who a phone number belongs to.
type member struct {
	account
	former []account // the same member under the keys that the merchant had before, the newest first
}

// account is a member's reference under one key.
type account struct{ ref, keyID []byte }

// member returns who has the phone number that somebody typed.
func (l *Ledger) member(typed string) (m member, err error) {
	if typed == "" {
		return m, &Invalid{Field: "phone", Reason: ReasonMissing, Hint: "send the member's phone number, such as +14155551234"}
	}
	if l.Refs == nil {
		return m, ErrNoMemberKey
	}
	number, err := phone.Normalise(typed, l.Region)
	if refused, ok := errors.AsType[phone.Refusal](err); ok {
		return m, &Invalid{Field: "phone", Reason: strings.ToUpper(string(refused)), Hint: refused.Error() + "; such as +14155551234"}
	}
	if m.account, err = accountUnder(l.Refs, number); err != nil {
		return m, err
	}
	for _, k := range l.FormerRefs {
		a, err := accountUnder(k, number)
		if err != nil {
			return m, err
		}
		m.former = append(m.former, a)
	}
	return m, nil
}

func accountUnder(k *pci.RefKey, number string) (account, error) {
	ref, err := k.Account(number)
	return account{ref, k.KeyID()}, err
}

// formerStamps adds up what the member's cards under former keys hold.
func (l *Ledger) formerStamps(r rows, m member) (int32, error) {
	var sum int64
	for _, a := range m.former {
		stamps, err := parseCardRow(r.Get(buffer.Cards, l.cardKey(a.ref)))
		if err != nil {
			return 0, err
		}
		sum += int64(stamps)
	}
	return int32(min(max(sum, math.MinInt32), math.MaxInt32)), nil
}

// recallAward looks for the answer to the same award, given to the member under this key or a former one: a call may be
// repeated after the merchant's key was changed.
func recallAward(tx *buffer.Tx, asked *wire.Stamp, m member, answer *wire.AwardStampsResponse) (bool, error) {
	asked = proto.CloneOf(asked)
	known, err := false, error(nil)
	for _, a := range append([]account{m.account}, m.former...) {
		asked.AccountRef, asked.AccountKeyId = a.ref, a.keyID
		body, bodyErr := bodyHash(asked)
		if bodyErr != nil {
			return false, bodyErr
		}
		known, err = recall(tx, opStamp, asked.GetIdempotencyKey(), body, answer)
		if !errors.Is(err, ErrKeyReused) {
			break
		}
	}
	return known, err
}
