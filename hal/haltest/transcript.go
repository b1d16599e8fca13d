package haltest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

// Transcript is what a modem answers. It is written as it was seen on the line:
//
//	> AT+CSQ
//	< +CSQ: 18,99
//	< OK
//
// with the final line last. Empty lines, and those that begin with #, say nothing.
type Transcript struct {
	// Reading is what is to be read of the modem, as text of a stampd.v1.Modem. Empty when the file does not tell.
	Reading string

	answers map[string][]string
}

// ReadTranscript returns the transcript in a txtar archive: its file "modem" holds the lines, "reading" what is to be
// read of it, and the text before them where it comes from.
func ReadTranscript(archive string) (*Transcript, error) {
	content, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	var lines, reading string
	for _, f := range txtar.Parse(content).Files {
		switch f.Name {
		case "modem":
			lines = string(f.Data)
		case "reading":
			reading = string(f.Data)
		}
	}
	t, err := ParseTranscript(lines)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", archive, err)
	}
	t.Reading = reading
	return t, nil
}

// ParseTranscript returns the transcript in a text.
func ParseTranscript(text string) (*Transcript, error) {
	t := &Transcript{answers: make(map[string][]string)}
	command := ""
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '>':
			command = strings.ToUpper(strings.TrimSpace(line[1:]))
			if _, twice := t.answers[command]; twice || command == "" {
				return nil, fmt.Errorf("line %d: no command, or one that was answered already", i+1)
			}
			t.answers[command] = nil
		case line[0] == '<' && command != "":
			t.answers[command] = append(t.answers[command], strings.TrimSpace(line[1:]))
		default:
			return nil, fmt.Errorf("line %d is neither asked nor answered", i+1)
		}
	}
	if len(t.answers) == 0 {
		return nil, errors.New("nothing is asked")
	}
	return t, nil
}

// Commands returns how many commands are answered.
func (t *Transcript) Commands() int { return len(t.answers) }

// Answer returns the lines that answer a command, the final one last, and nothing when the transcript has none.
func (t *Transcript) Answer(command string) []string {
	return slices.Clone(t.answers[strings.ToUpper(command)])
}
