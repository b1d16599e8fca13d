package at

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.bug.st/serial"
)

// OpenSerial opens a tty and makes it raw, with 8 data bits, no parity, one stop bit and no flow control, for this
// program alone. The rate is in baud; a port over USB takes any.
//
// go.bug.st/serial sets up the tty and keeps it from others. What goes over it goes past that package, through Go's
// poller: there a read that times out is (0, nil), descriptors from 1024 on do not fit into select(2), a write has no
// limit, and closing while another goroutine reads may read from whatever gets the number next.
func OpenSerial(path string, baud int) (Stream, error) {
	// First, because from then on nobody but root can open it.
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(path, err)
	}
	settings, err := serial.Open(path, &serial.Mode{BaudRate: baud, DataBits: 8})
	if err != nil {
		_ = file.Close()
		return nil, openError(path, err)
	}
	port := &serialPort{File: file, settings: settings}
	if err := port.SetReadDeadline(time.Time{}); err != nil { // no poller: a read could hang for ever
		_ = port.Close()
		return nil, fmt.Errorf("cannot open %s: %w: %w", path, ErrBusy, err)
	}
	return port, nil
}

// openError returns the error of an attempt to open a tty. Of package serial comes a *serial.PortError or a bare errno.
func openError(path string, err error) error {
	kind := ErrGone
	var failed *serial.PortError
	switch {
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM),
		errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		kind = ErrBusy
	case errors.As(err, &failed) && failed.Code() != serial.PortNotFound:
		kind = ErrBusy
	}
	return fmt.Errorf("cannot open %s: %w: %w", path, kind, err)
}

// serialPort is a tty, opened twice: to be set up, and to be read and written.
type serialPort struct {
	*os.File
	settings serial.Port
}

// Close throws away what was not sent yet, since the kernel would wait for it up to 30 seconds, and closes the tty.
func (p *serialPort) Close() error {
	_ = p.settings.ResetOutputBuffer() // fails when the device is gone, and then there is nothing to wait for
	return errors.Join(p.File.Close(), p.settings.Close())
}
