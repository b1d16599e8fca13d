// Package pci keeps cardholder data out of the terminal's records and makes what is kept unreadable at rest.
//
// A [Guard] stands at every inlet: it walks a message field by field, refuses card numbers and tracks, and hands out
// [Clean] bytes, the only bytes that the queue takes. A [Sealer] encrypts records, and a [RefKey] turns a member's phone
// number into a reference that can't be turned back.
//
// Every package above may use it; it knows none of them. It never repairs or masks what it refuses, never puts a value
// it has seen into an error, and never decides that a field is harmless by default: exemptions are one table.
package pci

// Clean is an encoded message that a [Guard] has checked. The zero Clean holds nothing and is refused by [Guard.Pack];
// only a Guard makes another one.
type Clean struct {
	bytes   []byte
	checked bool
}

// Bytes returns the encoded message. It must not be modified. It is nil for the zero Clean only.
func (c Clean) Bytes() []byte { return c.bytes }
