package buffer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"
)

// Causes by which a caller decides. An error of [Queue] wraps one of them.
var (
	// ErrClosed: the queue was closed.
	ErrClosed = errors.New("queue is closed")
	// ErrFull: the disk is full, or the queue has reached its size limit. Nothing was stored.
	ErrFull = errors.New("no room left for the queue")
	// ErrReadOnly: the queue's file system is mounted read-only. Nothing was stored.
	ErrReadOnly = errors.New("queue is on a read-only file system")
	// ErrPermission: the queue's files or their directory are not the agent's to use (EACCES, EPERM). Nothing was stored.
	ErrPermission = errors.New("the agent may not use the queue's files")
	// ErrIO: the disk failed. Whether the record was stored is not known; the same key gives the answer later.
	ErrIO = errors.New("queue's disk failed")
	// ErrLocked: another process holds the queue file.
	ErrLocked = errors.New("queue is held by another process")
	// ErrForeign: the file is another terminal's, or of a format that this version does not know.
	ErrForeign = errors.New("queue file is not this agent's")
	// ErrOtherKey: the files hold records, and none of them was sealed with the key at hand. Nothing was changed.
	ErrOtherKey = errors.New("none of its records was sealed with the key at hand")
	// ErrFalseAck: the backend acknowledged records that were never handed out. Nothing was removed.
	ErrFalseAck = errors.New("backend acknowledged records that do not exist")
)

// classified is an error of the queue: what could not be done, and one of the causes above.
type classified struct {
	op    string
	cause error
	err   error // the disk's own words; nil when the cause says it all
}

func (c *classified) Error() string {
	if c.err == nil {
		return fmt.Sprintf("cannot %s: %v", c.op, c.cause)
	}
	return fmt.Sprintf("cannot %s: %v: %v", c.op, c.cause, c.err)
}

func (c *classified) Unwrap() []error { return []error{c.cause, c.err} }

// classify says what could not be done, and which of the causes it comes from.
func classify(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*classified](err); done || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, known := range []error{ErrClosed, ErrFull, ErrReadOnly, ErrPermission, ErrIO, ErrLocked, ErrForeign, ErrOtherKey, ErrFalseAck} {
		if errors.Is(err, known) {
			return &classified{op: op, cause: err}
		}
	}
	cause := ErrIO
	switch {
	case is(err, syscall.ENOSPC), is(err, syscall.EDQUOT), is(err, syscall.EFBIG):
		cause = ErrFull
	case is(err, syscall.EROFS):
		cause = ErrReadOnly
	case errors.Is(err, fs.ErrPermission), is(err, syscall.EACCES), is(err, syscall.EPERM):
		cause = ErrPermission
	case errors.Is(err, bolterrors.ErrTimeout):
		cause = ErrLocked
	}
	return &classified{op: op, cause: cause, err: err}
}

// unknownOutcome is an error after which a commit may be on disk all the same, whatever the disk said.
func unknownOutcome(err error) error {
	return &classified{op: "store in the queue", cause: ErrIO, err: err}
}

// is reports whether err comes from an error number. bbolt keeps some of them in the text only.
func is(err error, number syscall.Errno) bool {
	return errors.Is(err, number) || strings.HasSuffix(err.Error(), number.Error())
}

// isDamaged reports whether err, from opening the file, says that its contents can't be used, rather than that it
// can't be reached.
func isDamaged(err error) bool {
	if err == nil {
		return false
	}
	if errors.Is(err, errDamaged) {
		return true
	}
	return errors.Is(err, bolterrors.ErrInvalid) || errors.Is(err, bolterrors.ErrChecksum) ||
		errors.Is(err, bolterrors.ErrVersionMismatch)
}

// errDamaged marks a file whose pages or buckets make no sense.
var errDamaged = errors.New("queue file is damaged")

// errPanicked marks a file that bbolt has met with a panic.
var errPanicked = fmt.Errorf("%w", errDamaged)

// guarded calls fn and turns a panic of bbolt, which is how it meets damaged pages, into errPanicked.
func guarded(fn func() error) (err error) {
	// A page that is no longer there, since the file was cut short, is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanicked, r)
		}
	}()
	return fn()
}
