package haltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Slot is a place where a modem can be plugged in: a path that leads to a real tty, a pseudoterminal, while there is a
// modem. It is safe for concurrent use.
type Slot struct {
	path string

	mu     sync.Mutex // guards all below
	master *os.File
	tty    int // open as long as the modem is there, so that what it says waits for who opens it
	served sync.WaitGroup
	cancel context.CancelFunc
}

// NewSlot returns an empty slot whose modems can be reached at the path.
func NewSlot(path string) *Slot { return &Slot{path: path} }

// Path returns where a modem in the slot can be reached.
func (s *Slot) Path() string { return s.path }

// Plug puts a modem into the slot, in place of the one that is there.
func (s *Slot) Plug(m *Modem) error {
	s.Unplug()
	s.mu.Lock()
	defer s.mu.Unlock()
	master, tty, name, err := openPTY()
	if err != nil {
		return fmt.Errorf("cannot plug in a modem: %w", err)
	}
	link := s.path + ".new"
	if err := errors.Join(os.Symlink(name, link), os.Rename(link, s.path)); err != nil {
		return errors.Join(err, master.Close(), unix.Close(tty))
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.master, s.tty, s.cancel = master, tty, cancel
	s.served.Go(func() { m.Serve(ctx, master) })
	return nil
}

// Unplug takes the modem out, if there is one. Who has the tty open finds it hung up.
func (s *Slot) Unplug() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master == nil {
		return
	}
	s.cancel()
	_ = os.Remove(s.path)
	_ = s.master.Close()
	_ = unix.Close(s.tty)
	s.served.Wait()
	s.master = nil
}

// openPTY returns both ends of a new pseudoterminal, raw, and the path of the second (pty(7)).
func openPTY() (master *os.File, tty int, name string, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, "", err
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	name = filepath.Join("/dev/pts", strconv.Itoa(number))
	if err == nil {
		tty, err = unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, 0, "", err
	}
	if settings, err := unix.IoctlGetTermios(tty, unix.TCGETS); err == nil {
		settings.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
		settings.Iflag &^= unix.ICRNL
		settings.Oflag &^= unix.OPOST
		_ = unix.IoctlSetTermios(tty, unix.TCSETS, settings)
	}
	return os.NewFile(uintptr(fd), "ptmx"), tty, name, nil
}
