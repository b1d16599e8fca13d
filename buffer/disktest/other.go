//go:build !linux || (!amd64 && !arm64)

package disktest

import (
	"errors"
	"os/exec"
)

// ErrUnsupported says that this machine does not let one process answer another's calls.
var ErrUnsupported = errors.New("seccomp user notification is not to be had here")

// Process is a running process whose files are on a [Disk].
type Process struct{}

// Start gives [ErrUnsupported].
func Start(*exec.Cmd) (*Process, error) { return nil, ErrUnsupported }

// Attach gives [ErrUnsupported].
func Attach() error { return ErrUnsupported }

// Use does nothing.
func (*Process) Use(*Disk) {}

// Ended returns a channel that is never closed.
func (*Process) Ended() <-chan struct{} { return nil }

// Err returns nil.
func (*Process) Err() error { return nil }
