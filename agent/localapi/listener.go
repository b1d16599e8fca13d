package localapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// ErrRunning says that another agent answers on the socket.
var ErrRunning = errors.New("another stampd is running")

// probeTimeout is how long a socket that is there already has to accept.
const probeTimeout = time.Second

// listener accepts connections on a unix socket, each with its caller, and a bounded number of each user's.
type listener struct {
	*net.UnixListener
	path   string
	file   fs.FileInfo // the socket that is this listener's
	access access

	mu   sync.Mutex         // guards open
	open map[uint32][]*conn // of each user, the oldest first
}

// listen takes the socket at path. What a dead agent left there is replaced; a socket at which somebody answers, or
// anything that is not a socket, is left alone. The socket has its permissions before it has its name.
func listen(path string, a access) (*listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the socket's directory: %w", err)
	}
	if err := checkStale(path); err != nil {
		return nil, err
	}
	unnamed := path + ".new"
	if err := os.Remove(unnamed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: unnamed, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	u.SetUnlinkOnClose(false)
	l := &listener{UnixListener: u, path: path, access: a, open: map[uint32][]*conn{}}
	if err := l.name(unnamed); err != nil {
		_ = os.Remove(unnamed)
		return nil, errors.Join(fmt.Errorf("cannot listen on %s: %w", path, err), u.Close())
	}
	return l, nil
}

func (l *listener) name(unnamed string) (err error) {
	if err := os.Chmod(unnamed, 0o660); err != nil {
		return err
	}
	if l.file, err = os.Lstat(unnamed); err != nil {
		return err
	}
	return os.Rename(unnamed, l.path)
}

// checkStale returns nil when path is free, or a socket at which nobody answers.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at %s: %w", path, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("cannot listen on %s: it exists and is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, probeTimeout)
	switch {
	case err == nil:
		return errors.Join(fmt.Errorf("cannot listen on %s: %w", path, ErrRunning), c.Close())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("cannot tell whether another stampd uses %s: %w", path, err)
}

// Accept returns the next connection. When its user has too many, the oldest of them that waits for a request makes
// room; when none does, the new one is closed at once.
func (l *listener) Accept() (net.Conn, error) {
	for {
		u, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		who, err := readCaller(u)
		if err != nil {
			_ = u.Close()
			continue
		}
		c := &conn{UnixConn: u, caller: who, listener: l}
		idle, ok := l.take(c)
		if idle != nil {
			_ = idle.Close()
		}
		if ok {
			return c, nil
		}
		_ = u.Close()
	}
}

// Close stops accepting, and removes the socket unless another agent has put its own in its place.
func (l *listener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
		_ = os.Remove(l.path)
	}
	return l.UnixListener.Close()
}

// take counts a new connection. It returns one that has to be closed for it, if any, and whether it may stay.
func (l *listener) take(c *conn) (idle *conn, ok bool) {
	most := maxConnections
	if l.access.of(c.caller.uid) == roleNone {
		most = maxOfStrangers
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.open[c.caller.uid]
	if len(mine) >= most {
		i := slices.IndexFunc(mine, func(c *conn) bool { return !c.busy })
		if i < 0 {
			return nil, false
		}
		idle = mine[i]
		mine = slices.Delete(mine, i, i+1)
	}
	l.open[c.caller.uid] = append(mine, c)
	return idle, true
}

// give forgets a connection that was closed.
func (l *listener) give(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := l.open[c.caller.uid]
	if i := slices.Index(mine, c); i >= 0 {
		mine = slices.Delete(mine, i, i+1)
		l.open[c.caller.uid] = mine
	}
	if len(mine) == 0 {
		delete(l.open, c.caller.uid)
	}
}

// note learns from the HTTP server whether a connection is in the middle of a request.
func (l *listener) note(nc net.Conn, state http.ConnState) {
	if c, ok := nc.(*conn); ok {
		l.mu.Lock()
		defer l.mu.Unlock()
		c.busy = state == http.StateActive
	}
}

// conn is a connection whose caller is known.
type conn struct {
	*net.UnixConn
	caller   caller
	listener *listener
	busy     bool // in the middle of a request; guarded by listener.mu
}

// Close closes the connection and makes room for another of the same user.
func (c *conn) Close() error {
	c.listener.give(c)
	return c.UnixConn.Close()
}
