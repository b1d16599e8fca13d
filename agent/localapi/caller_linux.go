package localapi

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// caller is the process at the other end of the socket, as the kernel knew it when it connected.
type caller struct {
	uid uint32
	pid int32
}

// readCaller asks the kernel who connected (unix(7), SO_PEERCRED).
func readCaller(c *net.UnixConn) (caller, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return caller{}, fmt.Errorf("cannot tell who is calling: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return caller{}, fmt.Errorf("cannot tell who is calling: %w", err)
	}
	if credErr != nil {
		return caller{}, fmt.Errorf("cannot tell who is calling: %w", credErr)
	}
	return caller{uid: cred.Uid, pid: cred.Pid}, nil
}

type callerKey struct{}

// withCaller puts the caller of a connection into the context of its requests.
func withCaller(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, callerKey{}, c.caller)
	}
	return ctx
}

// callerOf returns who makes a request; false means that nobody knows.
func callerOf(ctx context.Context) (caller, bool) {
	c, ok := ctx.Value(callerKey{}).(caller)
	return c, ok
}
