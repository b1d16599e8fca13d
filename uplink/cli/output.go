package cli

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// output is a program's standard output. It remembers the first error, which commands that print line by line don't look
// at. It is safe for concurrent use if what it writes to is.
type output struct {
	to io.Writer

	mu  sync.Mutex // guards err
	err error
}

// Write writes b and remembers why that failed.
func (o *output) Write(b []byte) (int, error) {
	n, err := o.to.Write(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// judge returns the error of a command whose answer went here: err, or that the answer could not be written, which is no
// success and which some commands notice and others don't.
func (o *output) judge(err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil || err != nil && !errors.Is(err, o.err) {
		return err
	}
	return fmt.Errorf("cannot write the answer: %w", o.err)
}
