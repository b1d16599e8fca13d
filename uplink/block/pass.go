package block

import "sync"

// pass is one way through a block, to write it or to read it. Both ways are the same code, so that a reader makes of each
// decision what the writer meant.
type pass struct {
	*coder
	knowledge

	fields  []*field // by id
	strings [][]byte // what the numbers in columns of strings stand for
	set     int      // which set of fields the event at hand has: its place in the root's dictionary

	memory  int // bytes that reading this takes, at most
	allowed limits
	err     error
}

// knowledge is what is known of a block from what was coded so far.
type knowledge struct {
	numbers  numbers
	choices  choices
	literals literals
	outline  outline
}

// outline is what was seen of how fields and columns are described.
type outline struct {
	usual   [2]odds // whether a usual field is there: those that mostly are, those that mostly are not
	extra   odds    // whether there is a field that is not usual
	kind    [8]odds
	varied  odds       // whether the messages of a field differ in the fields that they have
	style   [4][4]odds // of numbers, by the usual style
	several odds       // whether a column of strings has several

	asBase [2]odds // whether the base is the usual one, and so on: of what is usual, of what is not
	asGain [2]odds
	asStep [2]odds
	base   [4]odds
	gain   [8]odds
	step   [8]odds
	rest   odds // whether a number is no multiple of the step away from the usual one
}

// beginning returns what is known before anything is coded. It must not be changed.
var beginning = sync.OnceValue(func() *knowledge {
	return &knowledge{
		numbers:  newNumbers(),
		choices:  newChoices(),
		literals: newLiterals(),
		outline: outline{
			usual:   [2]odds{likely(950, 4), likely(50, 4)},
			extra:   likely(40, 4),
			varied:  likely(100, 4),
			several: likely(100, 4),
			asStep:  [2]odds{likely(900, 4), likely(800, 4)},
			rest:    likely(100, 2),
		},
	}
})

func newPass(c *coder) *pass {
	return &pass{coder: c, knowledge: *beginning(), allowed: limits{maxMemory, maxWork}}
}

// fail ends the pass. The first error is kept.
func (p *pass) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}
