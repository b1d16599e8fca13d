package at

import (
	"strings"
)

// Dialogue sorts lines into those that answer a command and those that the modem sends by itself. The zero Dialogue has
// asked nothing. It is not safe for concurrent use.
type Dialogue struct {
	command Command
	asked   bool
	header  string // a prefix whose values come in a line of their own
	answer  Answer
	size    int  // bytes in answer
	flooded bool // the answer has more than it may
	torn    bool // a line of the answer came in pieces
	heard   bool // something came since the command was asked
}

// Ask begins a command. What an earlier one still lacks is forgotten.
func (d *Dialogue) Ask(c Command) { *d = Dialogue{command: c, asked: true} }

// Give ends a command that has not been answered.
func (d *Dialogue) Give() { *d = Dialogue{} }

// Line takes the next line. When the line ends an answer, done is true and the answer is whole. When the modem sent the
// line by itself, unsolicited is true: nothing is asked, or the line belongs to no answer to what is asked.
func (d *Dialogue) Line(line string) (answer Answer, done, unsolicited bool) {
	if !d.asked {
		return Answer{}, false, line != promptLine
	}
	d.heard = true
	if d.echo(line) {
		return Answer{}, false, false
	}
	if final, ok := ParseFinal(line); ok {
		answer = d.answer
		answer.Final = final
		if d.torn {
			answer.Lines = nil // what is left of them would be taken for something else
		}
		*d = Dialogue{}
		return answer, true, false
	}
	if d.header != "" && line[0] != '+' {
		line = d.header + " " + line
	}
	d.header = ""
	switch {
	case d.isHeader(line):
		d.header = line
		return Answer{}, false, false
	case d.mine(line):
		d.keep(line)
		return Answer{}, false, false
	case d.command.Prefix != "" && line[0] == '"':
		// The second line and those after it, as some write them: without the prefix.
		d.keep(d.command.Prefix + " " + line)
		return Answer{}, false, false
	}
	d.torn = d.torn || d.command.Prefix != "" && piece(line)
	return Answer{}, false, true
}

// piece reports whether a line is the end of another that was cut in two: values, and no name before them.
func piece(line string) bool {
	return !strings.ContainsRune(signs, rune(line[0])) &&
		(strings.ContainsAny(line, `,"`) || strings.Trim(line, "-.0123456789abcdefABCDEF") == "")
}

// signs are what the name of a command or of something unsolicited begins with.
const signs = "+^*#$%&"

// keep adds a line to the answer.
func (d *Dialogue) keep(line string) {
	d.size += len(line)
	if d.size > maxAnswer {
		d.flooded = true
		return
	}
	d.answer.Lines = append(d.answer.Lines, line)
}

// echo reports whether a line is what was sent, or what a UART left of it.
func (d *Dialogue) echo(line string) bool {
	line, sent := strings.ToUpper(line), strings.ToUpper(d.command.Text)
	return strings.HasSuffix(line, sent) || strings.HasPrefix(line, "AT+") ||
		len(line) >= 2 && strings.HasPrefix(sent, line) ||
		len(line) >= 4 && strings.HasSuffix(sent, line) ||
		len(sent) > 4 && strings.HasSuffix(line, sent[2:]) ||
		len(sent) > 4 && len(line) == len(sent) && differing(line, sent) <= 2
}

// differing returns at how many places two texts of the same length differ.
func differing(a, b string) int {
	n := 0
	for i := range len(a) {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// isHeader reports whether a line is the prefix of the answer and nothing else.
func (d *Dialogue) isHeader(line string) bool {
	return d.command.Prefix != "" && strings.EqualFold(line, d.command.Prefix)
}

// mine reports whether a line belongs to the answer.
func (d *Dialogue) mine(line string) bool {
	switch prefix := d.command.Prefix; {
	case prefix == "" && d.command.Mine == nil:
		return !d.foreign(line)
	case len(line) < len(prefix) || !strings.EqualFold(line[:len(prefix)], prefix):
		return false
	}
	return d.command.Mine == nil || d.command.Mine(line)
}

// foreign reports whether a line can't be part of an answer that has no prefix: one with the prefix of another command,
// one of the words that modems say when they start and stop, or no text.
func (d *Dialogue) foreign(line string) bool {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
		return true
	}
	switch line {
	case "RDY", "RING", "READY", "START", "SMS READY", "SMS Ready", "SMS DONE", "PB DONE", "Call Ready", "POWERED DOWN",
		"NORMAL POWER DOWN", "UNDER-VOLTAGE WARNNING", "OVER-VOLTAGE WARNNING":
		return true
	}
	if !strings.ContainsRune(signs, rune(line[0])) {
		return false
	}
	name, _, ok := strings.Cut(line, ":")
	return ok && !strings.EqualFold(name, strings.TrimRight(strings.TrimPrefix(strings.ToUpper(d.command.Text), "AT"), "?"))
}
