// Package loyalty is the rules of stamp cards: "buy nine, get one free". It is shared by the terminal and the backend,
// so that both come to the same card from the same entries. It does no I/O, reads no clock and knows no storage.
//
// A card is a pure function of the set of its entries: their order and how often each is seen make no difference.
// [Fold] computes it for any number of accounts at once. A terminal keeps a [Row] for each account instead: what the
// backend has closed as sums, and the entries that are still open; [Gather] comes to the same [Account] from rows.
// CARD.md says why no entry is lost between the two, and none is counted twice.
//
// Where two entries contradict each other, the one that is later by [Entry.Compare] gives way. The order is in the
// entries: time as the backend normalised it, then terminal, epoch and seq. A [Programme] says how an account is read
// as a [Card]; what was given and taken is in the entries alone, so a new version of the programme rewrites nothing.
package loyalty
