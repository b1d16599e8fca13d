package hal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lineEvents is how many events of a line the kernel keeps: drivers/gpio/gpiolib-cdev.c, 16 for each line.
const lineEvents = 16

// polledEvery is how often a line is looked at whose chip can't tell of changes.
const polledEvery = 2 * time.Second

// kernelLine is a line of a chip in /dev, by the second version of the kernel's interface
// (Documentation/userspace-api/gpio/chardev.rst).
//
// It is not periph's gpioioctl, whose lines are wrong for a switch that must be watched for years (v3.8.5): chips are found
// once in the life of a process, a level that can't be read is low, a failed wait looks like a timeout, waiting for ever
// returns at once, reading can turn a line into an input with a pull-up, and closing a chip closes descriptor 0.
type kernelLine struct {
	file *os.File
	last bool // for a line without edges: whether it was active at the last look
	edge bool // whether the chip tells of edges
}

// openLine finds the line of a pin among the chips in a directory of devices, and takes it as an input.
func openLine(devRoot string, pin Pin) (Line, error) {
	paths, _ := filepath.Glob(filepath.Join(devRoot, "gpiochip*"))
	slices.Sort(paths)
	cause := ErrGone
	for _, path := range paths {
		line, err := openOn(path, pin)
		if err == nil {
			return line, nil
		}
		if !errors.Is(err, ErrGone) {
			cause = err
		}
	}
	return nil, fmt.Errorf("cannot open line %s: %w", pin.Line, cause)
}

// openOn takes a line of one chip. The error wraps ErrGone when it is not the chip, or has no such line.
func openOn(path string, pin Pin) (*kernelLine, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, lineError(err)
	}
	defer func() { _ = unix.Close(fd) }() // the line stays open without it
	var chip gpioChip
	if err := ioctlAt(fd, gpioGetChip, unsafe.Pointer(&chip)); err != nil {
		return nil, lineError(err)
	}
	if !slices.Contains([]string{"", path, cText(chip.name[:]), cText(chip.label[:])}, pin.Chip) {
		return nil, ErrGone
	}
	offset, found := offsetOn(fd, chip.lines, pin)
	if !found {
		return nil, ErrGone
	}
	line, err := request(fd, offset, pin, lineEdges)
	if err != nil && !errors.Is(err, ErrTaken) { // the chip has no interrupts: it is looked at instead
		line, err = request(fd, offset, pin, 0)
	}
	return line, err
}

// offsetOn returns the number of a pin's line on a chip.
func offsetOn(chip int, lines uint32, pin Pin) (offset uint32, found bool) {
	if n, isNumber := lineNumber(pin.Line); isNumber {
		return n, n < lines && pin.Chip != ""
	}
	for offset := range lines {
		info := gpioLine{offset: offset}
		if ioctlAt(chip, gpioGetLine, unsafe.Pointer(&info)) == nil && cText(info.name[:]) == pin.Line {
			return offset, true
		}
	}
	return 0, false
}

// request takes a line as an input.
func request(chip int, offset uint32, pin Pin, edges uint64) (*kernelLine, error) {
	r := gpioRequest{numLines: 1, eventBufferSize: lineEvents}
	r.offsets[0] = offset
	copy(r.consumer[:], "stampd")
	r.config.flags = lineInput | edges | pullFlags[pin.Pull]
	if pin.ActiveLow {
		r.config.flags |= lineActiveLow
	}
	if err := ioctlAt(chip, gpioRequestLine, unsafe.Pointer(&r)); err != nil {
		return nil, lineError(err)
	}
	fd := int(r.fd)
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil { // the runtime then waits for it without a thread
		_ = unix.Close(fd)
		return nil, lineError(err)
	}
	l := &kernelLine{file: os.NewFile(uintptr(fd), "gpio line"), edge: edges != 0}
	if l.edge {
		return l, nil
	}
	active, err := l.Read()
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.last = active
	return l, nil
}

// Read asks the kernel for the level.
func (l *kernelLine) Read() (bool, error) {
	values := gpioValues{mask: 1}
	err := l.control(func(fd int) error { return ioctlAt(fd, gpioGetValues, unsafe.Pointer(&values)) })
	return values.bits&1 == 1, err
}

// Wait reads the events that the kernel kept. Which edge each was is not asked: the level tells.
func (l *kernelLine) Wait(ctx context.Context, timeout time.Duration) (bool, error) {
	if !l.edge {
		return l.poll(ctx, timeout)
	}
	if timeout <= 0 {
		return l.drain()
	}
	if err := l.file.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return false, lineError(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var events [lineEvents * gpioEventSize]byte
	_, err := l.file.Read(events[:])
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return false, nil
	}
	return false, lineError(err)
}

// drain reads the events that are there.
func (l *kernelLine) drain() (bool, error) {
	waiting := true
	err := l.control(func(fd int) error {
		var events [lineEvents * gpioEventSize]byte
		_, err := retry(func() (int, error) { return unix.Read(fd, events[:]) })
		if errors.Is(err, unix.EAGAIN) {
			waiting, err = false, nil
		}
		return err
	})
	return waiting && err == nil, err
}

// control calls ask with the line's descriptor, and returns one of the sentinels for its error. The line is gone when it was
// closed.
func (l *kernelLine) control(ask func(fd int) error) error {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return ErrGone
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = ask(int(fd)) }); err != nil {
		return ErrGone // Control fails for no other reason than that the file was closed
	}
	if failed != nil {
		return lineError(failed)
	}
	return nil
}

// poll looks at the line from time to time.
func (l *kernelLine) poll(ctx context.Context, timeout time.Duration) (bool, error) {
	for until := time.Now().Add(timeout); ; {
		active, err := l.Read()
		if err != nil {
			return false, err
		}
		if active != l.last {
			l.last = active
			return true, nil
		}
		pause := min(polledEvery, time.Until(until))
		if pause <= 0 || !rest(ctx, pause) {
			return false, nil
		}
	}
}

// Close closes the line.
func (l *kernelLine) Close() error { return l.file.Close() }

// lineError returns one of the sentinels for what the kernel returned.
func lineError(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrTaken
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return ErrDenied
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO), errors.Is(err, os.ErrClosed):
		return ErrGone
	}
	return errors.Join(ErrUnusable, err)
}

// cText returns the text before the first NUL.
func cText(name []byte) string {
	before, _, _ := strings.Cut(string(name), "\x00")
	return before
}
