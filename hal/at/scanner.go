package at

import (
	"bytes"
)

// promptLine is the line that a [Scanner] makes of a prompt for text.
const promptLine = ">"

// Scanner splits what comes from a modem into lines. CR and LF both end a line, whatever their number and order, since
// modems write CR LF, CR CR LF after an echo, and LF alone; empty lines are left out. The zero Scanner is at the start of
// a line. It is not safe for concurrent use.
type Scanner struct {
	line []byte
	skip bool // the line is too long, and left out
}

// Scan takes what came and calls line with each line that ends in it, without the white space around it. A prompt, which
// ends in no CR, is the line ">". How the bytes are cut into calls of Scan makes no difference.
func (s *Scanner) Scan(p []byte, line func(string)) {
	for _, b := range p {
		switch {
		case b == '\r' || b == '\n':
			s.end(line)
		case b == 0: // a UART that wakes up
		case len(s.line) >= maxLine:
			s.skip = true
		default:
			s.line = append(s.line, b)
			if b == ' ' && string(s.line) == promptLine+" " {
				s.end(line)
			}
		}
	}
}

// end ends the line.
func (s *Scanner) end(line func(string)) {
	text := bytes.TrimSpace(s.line)
	skip := s.skip
	s.line, s.skip = s.line[:0], false
	if len(text) > 0 && !skip {
		line(string(text))
	}
}
