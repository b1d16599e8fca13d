package loyalty

import (
	"crypto/sha256"
	"sort"
)

// Account is what the entries of one member come to: those of all accounts that were merged.
type Account struct {
	Ref      Ref    // the account that survives: the one that was enrolled first, of equals the smaller
	Members  []Ref  // the accounts that were merged into it, in order
	Enrolled bool   // whether there is an Enrol for any of them
	Since    Moment // when the first of them was enrolled

	Sums
	Held     int32 // rewards that are set aside now
	Pending  int32 // entries about another one that is not there
	Consents [purposes]ConsentState
	Erased   bool // the member is forgotten: everything else is zero
}

// Sums are what entries add up to.
type Sums struct {
	Stamps   int64 // given and adjusted, less voided and expired
	Spent    int64 // stamps that rewards cost which are redeemed or held
	Redeemed int32 // rewards that were given
	Reversed int32 // rewards that were given and taken back
}

// Consent returns what the member last said about a purpose.
func (a *Account) Consent(p Purpose) ConsentState {
	if p >= purposes {
		return ConsentUnknown
	}
	return a.Consents[p]
}

// plus adds up the sums of two sets of entries that don't name each other.
func (s Sums) plus(o Sums) Sums {
	return Sums{s.Stamps + o.Stamps, s.Spent + o.Spent, s.Redeemed + o.Redeemed, s.Reversed + o.Reversed}
}

// Tombstone tells whether an account was erased without telling which: SHA-256 of "stampd/tombstone/v1", 0 and the ref.
type Tombstone [sha256.Size]byte

// TombstoneOf returns the tombstone of an account.
func TombstoneOf(r Ref) Tombstone {
	return sha256.Sum256(append([]byte("stampd/tombstone/v1\x00"), r[:]...))
}

// State is what a set of entries comes to. No ref of an erased account is in it.
type State struct {
	Accounts   map[Ref]*Account       // by the account that survives
	Moved      map[Ref]Ref            // from an account to the one that it was merged into
	Cards      map[Ref]CardLink       // by payment card
	Erased     map[Tombstone]struct{} // whose entries are refused from now on
	Anonymous  Sums                   // of all erased accounts
	Rejected   int                    // stamps that were asked for and not given
	Flags      map[EntryID]Flags      // what is to be known of single entries
	Overdrafts []Overdraft            // redemptions and holds that stamps don't cover, by id
}

// Account returns the account that a ref stands for now, itself or the one that it was merged into, and false when no
// entry names it or it was erased.
func (s *State) Account(r Ref) (Account, bool) {
	if to, ok := s.Moved[r]; ok {
		r = to
	}
	a, ok := s.Accounts[r]
	if !ok {
		return Account{}, false
	}
	return *a, true
}

// Flags are what is to be known of an entry, as a set.
type Flags uint16

// All flags.
const (
	FlagInvalid       Flags = 1 << 0 // it makes no sense, and counts for nothing
	FlagPending       Flags = 1 << 1 // the entry that it names is not there: it waits
	FlagAlreadyVoided Flags = 1 << 2 // another void came first: it counts for nothing
	FlagAlreadyUndone Flags = 1 << 3 // another release, reversal or forgiveness came first: it counts for nothing
	FlagAlreadyUsed   Flags = 1 << 4 // the hold was redeemed by an earlier entry: it counts for nothing
	FlagTooLate       Flags = 1 << 5 // released after it was redeemed: it counts for nothing
	FlagOverdraft     Flags = 1 << 6 // stamps don't cover the reward now
	FlagErased        Flags = 1 << 7 // a merge with an account that was erased before: it counts for nothing
	FlagConflict      Flags = 1 << 8 // there is another entry with this id and other contents
	FlagLinkPending   Flags = 1 << 9 // the payment card was another account's: it waits to be confirmed
)

// Has reports whether all of the flags are set.
func (f Flags) Has(flags Flags) bool { return f&flags == flags }

// Overdraft is a reward that the account's stamps don't cover, since others were given first or stamps were taken back.
// The member keeps it. Where the merchant forgives redemptions, the backend makes an [Adjust] of that many stamps which
// names the entry.
type Overdraft struct {
	Entry   EntryID
	Account Ref
	Stamps  int64 // that are missing for it; >= 1
	// Forgiven says that an Adjust made up for it before. What is missing now was taken back since, and is repaid from
	// later stamps.
	Forgiven bool
}

// compareOverdrafts orders by entry.
func compareOverdrafts(a, b Overdraft) int { return a.Entry.Compare(b.Entry) }

// Fold returns what the entries of one programme come to, with those that are about members and count for all
// programmes. An empty programme stands for all: for entries that are known to be of one. Which order they come in, and
// how often each comes, makes no difference. It reads entries and keeps nothing of them.
//
// It does not fail: an entry that makes no sense is flagged. It takes time in proportion to the entries, and a sort of
// those that name others.
func Fold(programme string, entries []Entry) *State {
	f := newFold(programme, entries)
	f.run()
	s := f.state()
	sort.Slice(s.Overdrafts, func(i, j int) bool { return compareOverdrafts(s.Overdrafts[i], s.Overdrafts[j]) < 0 })
	return s
}
