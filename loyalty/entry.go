package loyalty

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"strings"
)

// Ref names an account or a payment card without saying whose it is: an HMAC under the merchant's key. The zero Ref is
// none.
type Ref [32]byte

// String returns the ref in hexadecimal.
func (r Ref) String() string { return hex.EncodeToString(r[:]) }

// Compare orders refs by their bytes.
func (r Ref) Compare(o Ref) int { return bytes.Compare(r[:], o[:]) }

// EntryID names an entry for all time: the terminal that made it, and its number there. Terminal is empty for an entry
// that the backend made.
type EntryID struct {
	Terminal string
	Epoch    [16]byte
	Seq      uint64 // from 1
}

// Compare orders ids by terminal, then epoch, then seq.
func (id EntryID) Compare(o EntryID) int {
	return cmp.Or(strings.Compare(id.Terminal, o.Terminal), bytes.Compare(id.Epoch[:], o.Epoch[:]), cmp.Compare(id.Seq, o.Seq))
}

// Target names the entry that another is about: by its id, or by the key that its caller gave it on the terminal
// ID.Terminal, for who knows no more. The zero Target is none.
type Target struct {
	ID  EntryID
	Key string // when set, only ID.Terminal counts of ID
}

// IsZero reports whether no entry is named.
func (t Target) IsZero() bool { return t.Key == "" && t.ID.Seq == 0 }

// Entry is one immutable line of the ledger.
type Entry struct {
	ID        EntryID
	At        Moment // as the backend normalised it; on the terminal its wall clock where that is trusted, else unknown
	Uptime    Uptime // of the terminal that made it, for [Judge]
	Account   Ref    // whose entry it is
	Programme string // the programme that it counts for; what is about a member and no card counts for all
	Version   uint32 // the version of the programme that applied when it was made, and applies to it for ever
	Key       string // the caller's name for it; empty when there is none
	Body      Body   // what it does
}

// Body is what an entry does. The types of this package are all there are.
type Body interface {
	Kind() Kind
	problem() string // what is wrong with it, or ""
}

// Kind is a type of Body. The values reach the disk, and are those of StampKind in the schema.
type Kind uint8

// All kinds.
const (
	KindStamp         Kind = 1
	KindStampVoid     Kind = 2
	KindHold          Kind = 3
	KindRelease       Kind = 4
	KindRedeem        Kind = 5
	KindReverse       Kind = 6
	KindAdjust        Kind = 7
	KindExpire        Kind = 8
	KindEnrol         Kind = 9
	KindLink          Kind = 10
	KindUnlink        Kind = 11
	KindMerge         Kind = 12
	KindConsentGrant  Kind = 13
	KindConsentRevoke Kind = 14
	KindErase         Kind = 15
	KindRejected      Kind = 16
	KindLeaseReturn   Kind = 17
	KindLeaseTransfer Kind = 18
)

// Compare is the order by which contradictions are settled: time, the unknown last, then terminal, epoch and seq.
func (e *Entry) Compare(o *Entry) int {
	if c := e.At.Compare(o.At); c != 0 {
		return c
	}
	return e.ID.Compare(o.ID)
}

// Check returns what is wrong with the entry, or nil. An entry that has something wrong changes no card.
func (e *Entry) Check() error {
	if p := e.problem(); p != "" {
		return errors.New(p)
	}
	return nil
}

func (e *Entry) problem() string {
	switch {
	case e.ID.Seq == 0:
		return "entry has no seq"
	case e.Body == nil:
		return "entry does nothing"
	case e.Account == Ref{} && e.Body.Kind() != KindUnlink:
		return "entry names no account"
	}
	if m, ok := e.Body.(Merge); ok && m.Other == e.Account {
		return "an account can't be merged with itself"
	}
	return e.Body.problem()
}

// Rows returns the accounts, or the payment card, under which a terminal keeps the entry: see [Row].
func (e *Entry) Rows() []Ref {
	switch b := e.Body.(type) {
	case Link:
		return []Ref{b.Card}
	case Unlink:
		return []Ref{b.Card}
	case Merge:
		return []Ref{e.Account, b.Other}
	case Rejected, LeaseReturn, LeaseTransfer:
		return nil
	}
	return []Ref{e.Account}
}

// ofCard reports whether the kind counts for one programme's card, and not for the member.
func (k Kind) ofCard() bool { return k <= KindExpire }
