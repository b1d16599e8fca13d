package backend

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/stampd/stampd/uplink/backend/eventlog"
)

// Problem is an error that a person can do something about.
type Problem struct {
	Err    error
	Remedy string // what to do, in words
}

// Error returns what is wrong.
func (p *Problem) Error() string { return p.Err.Error() }

// Unwrap returns the cause.
func (p *Problem) Unwrap() error { return p.Err }

// Hint returns what to do about it.
func (p *Problem) Hint() string { return p.Remedy }

// certificateProblem adds a remedy to an error of reading the certificates.
func certificateProblem(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Problem{err, "make certificates with 'stampd-backend ca init' and 'stampd-backend ca issue', and name them with --cert, --key and --ca"}
	case errors.Is(err, fs.ErrPermission):
		return &Problem{err, "let the user that runs the backend read the certificates and the key"}
	}
	return &Problem{err, "check that --cert and --key belong together, and that all three files are PEM"}
}

// folderProblem adds a remedy to an error of opening what is kept in a folder that a flag names.
func folderProblem(err error, dir, flag string) error {
	switch {
	case errors.Is(err, eventlog.ErrLocked):
		return &Problem{err, "a backend already runs on " + dir + "; stop it, or choose another folder with " + flag}
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return &Problem{err, "let the user that runs the backend write to " + dir + ", or choose another folder with " + flag}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist), errors.Is(err, syscall.ENOTDIR):
		return &Problem{err, "no folder can be made there; choose another with " + flag}
	case errors.Is(err, syscall.ENOSPC):
		return &Problem{err, "free some disk space"}
	}
	return err
}

// denyProblem adds a remedy to an error of reading the deny list in a data folder.
func denyProblem(err error, dir string) error {
	if _, system := errors.AsType[*fs.PathError](err); system {
		return folderProblem(err, dir, "--dir")
	}
	return &Problem{err, "move the file that is no entry out of there; the list is edited with 'stampd-backend deny'"}
}

// listenProblem adds a remedy to an error of listening on the address that a flag names.
func listenProblem(err error, flag string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &Problem{err, "another program listens there; stop it, or choose another address with " + flag}
	}
	return &Problem{err, "choose another address with " + flag + ", for example 127.0.0.1:8443"}
}
