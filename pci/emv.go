package pci

import "errors"

// ErrEMV says that bytes are no EMV data objects: not BER-TLV (EMV Book 3, annex B), or nested too deeply.
var ErrEMV = errors.New("cannot read EMV data: not BER-TLV")

// KeepEMV returns what may be kept of a chip's data objects: those on a list of allowed tags whose value has the tag's
// length, each once, in their order and without the templates around them. Dropped counts the others. What is kept is kept
// whole when it is given to KeepEMV again.
//
// It fails with [ErrEMV], and with a *[Violation] without a field when there is an object that holds a card's number, a
// track, a code or a PIN by its tag, or one of another tag that holds a card's number by its value.
func KeepEMV(objects []byte) (kept []byte, dropped int, err error) {
	k := emvKeeper{}
	if err := k.read(objects, 0); err != nil {
		return nil, 0, err
	}
	return k.kept, k.dropped, nil
}

// emvField is the field whose value is EMV data objects. Each of them is looked at by itself: their tags and lengths are
// digits, and some of their values are random.
const emvField = "stampd.v1.Payment.emv"

// judgeEMV returns what is wrong with the value of emvField. It may hold what is not kept, but nothing that is forbidden.
func judgeEMV(objects []byte) *Violation {
	_, _, err := KeepEMV(objects)
	if v, ok := errors.AsType[*Violation](err); ok {
		return v
	}
	if err == nil {
		return nil
	}
	if kind := scanBytes(objects).kind(); kind != "" {
		return &Violation{Kind: kind}
	}
	return &Violation{Kind: KindUncheckable}
}

// emvKeeper collects what may be kept.
type emvKeeper struct {
	kept    []byte
	seen    uint32 // bit i: emvTags[i] is in kept
	dropped int
}

// mostTemplates is how many templates may be nested in one another. Cards answer with two.
const mostTemplates = 4

// read goes through data objects, and through those in templates.
func (k *emvKeeper) read(b []byte, depth int) error {
	for len(b) > 0 {
		if b[0] == 0 { // between objects, zeros mean nothing
			b = b[1:]
			continue
		}
		o, rest, ok := nextEMV(b)
		if !ok {
			return ErrEMV
		}
		b = rest
		switch {
		case o.template && depth == mostTemplates:
			return ErrEMV
		case o.template:
			if err := k.read(o.value, depth+1); err != nil {
				return err
			}
		default:
			if err := k.judge(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge keeps an object, drops it, or refuses all of them.
func (k *emvKeeper) judge(o emvObject) error {
	if kind := emvForbidden(o.tag); kind != "" && len(o.value) > 0 {
		return &Violation{Kind: kind}
	}
	i, allowed := emvAllowed(o.tag)
	found := scanEMVValue(o.value)
	switch {
	case found >= pan && (!allowed || !emvTags[i].random):
		return &Violation{Kind: found.kind()}
	case found < pan && allowed && k.seen&(1<<i) == 0 && emvTags[i].fits(o.value):
		k.seen |= 1 << i
		k.kept = append(k.kept, o.raw...)
	default:
		k.dropped++
	}
	return nil
}

// scanEMVValue looks whether all of a value is a card number or a track, as text, as packed digits, or with a digit in each
// byte. A part of a binary value never counts, unless it is a data object: most of them are random.
func scanEMVValue(v []byte) finding {
	text, packed, filled := true, true, false
	for _, b := range v {
		text = text && b >= ' ' && b <= '~'
		for _, nibble := range [2]byte{b >> 4, b & 0x0F} {
			filled = filled || nibble == 0x0F
			packed = packed && (nibble == 0x0F || !filled && (nibble <= 9 || nibble == 0x0D))
		}
	}
	found := max(scanTLV(v), scanUnpacked(v))
	if text {
		found = max(found, scanText(v))
	}
	if packed {
		var c chain
		feedNibbles(&c, v)
		found = max(found, c.end())
	}
	return found
}

// emvObject is one data object.
type emvObject struct {
	tag      uint32 // as it is written, in up to three bytes
	template bool   // its value is data objects
	value    []byte
	raw      []byte // tag, length and value
}

// nextEMV reads the object that b begins with.
func nextEMV(b []byte) (o emvObject, rest []byte, ok bool) {
	const longestTag = 3
	at := 1
	o.tag, o.template = uint32(b[0]), b[0]&0x20 != 0
	if b[0]&0x1F == 0x1F {
		for more := true; more; at++ {
			if at == len(b) || at == longestTag {
				return o, nil, false
			}
			o.tag, more = o.tag<<8|uint32(b[at]), b[at]&0x80 != 0
		}
	}
	if at == len(b) {
		return o, nil, false
	}
	size := int(b[at])
	at++
	if size >= 0x80 { // in the long form, the length has bytes of its own: one or two, since a request is no longer
		bytes := size & 0x7F
		if bytes < 1 || bytes > 2 || at+bytes > len(b) {
			return o, nil, false
		}
		size = 0
		for range bytes {
			size = size<<8 | int(b[at])
			at++
		}
	}
	if size > len(b)-at {
		return o, nil, false
	}
	o.value, o.raw = b[at:at+size], b[:at+size]
	return o, b[at+size:], true
}
