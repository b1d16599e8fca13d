package hal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// systemBus is where the system bus is unless the environment says otherwise (D-Bus specification, "System message bus").
	systemBus = "unix:path=/var/run/dbus/system_bus_socket"
	// busLimit is how long joining the bus and each call may take.
	busLimit = 3 * time.Second
)

// errNoBus means that there is no message bus on this machine.
var errNoBus = errors.New("there is no message bus")

// joinBus returns a connection of its own to the bus at an address of the D-Bus specification, and what the bus sends
// that was asked for. The channel is closed when the connection ends. An error is errNoBus when nobody listens there.
func joinBus(ctx context.Context, address string) (*dbus.Conn, <-chan *dbus.Signal, error) {
	path, err := busPath(address)
	if err != nil {
		return nil, nil, err
	}
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		return nil, nil, errNoBus
	}
	// Package dbus joins without a limit of its own.
	if err := socket.SetDeadline(time.Now().Add(busLimit)); err != nil {
		return nil, nil, errors.Join(err, socket.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = socket.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var joined atomic.Bool
	conn, err := dbus.NewConn(busSocket{socket, &joined})
	if err != nil {
		return nil, nil, errors.Join(err, socket.Close())
	}
	signals := make(chan *dbus.Signal, 16)
	conn.Signal(signals)
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Geteuid()))})
	if err == nil {
		err = conn.Hello()
	}
	if err == nil && stop() {
		joined.Store(true)
		err = socket.SetDeadline(time.Time{})
	}
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("cannot join the message bus: %w", err), conn.Close())
	}
	return conn, signals, nil
}

// busSocket is a socket on which a write has a limit, from when the bus has been joined.
type busSocket struct {
	net.Conn
	joined *atomic.Bool
}

// Write writes within a second: a bus reads what it is sent.
func (s busSocket) Write(p []byte) (int, error) {
	if s.joined.Load() {
		if err := s.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
			return 0, err
		}
	}
	return s.Conn.Write(p)
}

// busPath returns the path of the socket in an address: the first of "unix:path=" or "unix:abstract=" in it.
func busPath(address string) (string, error) {
	for one := range strings.SplitSeq(address, ";") {
		keys, ok := strings.CutPrefix(one, "unix:")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(keys, ",") {
			switch key, value, _ := strings.Cut(pair, "="); key {
			case "path":
				return value, nil
			case "abstract":
				return "@" + value, nil
			}
		}
	}
	return "", errNoBus
}
