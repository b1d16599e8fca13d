// Package cellular knows what cellular modems answer to AT commands: which commands to ask a modem of which maker, and
// what its answers mean, in units and within ranges.
//
// It is for package hal. It asks nothing itself, keeps nothing, and never guesses: what is not said, or is out of range,
// is nil, and [Reading].Doubts says what was not believed. What the modem wrote stays beside what was made of it.
//
// Sources: 3GPP TS 27.007 for the commands that begin with +C, the makers' manuals for the others, and captures of real
// modems where those differ.
package cellular
