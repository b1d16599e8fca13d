// How a command asks the agent, and what it says when it can't.

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
)

// answerTimeout is how long a command waits for the agent. A payment takes two disk flushes, of which the worst flash
// cards have been seen to take seconds.
const answerTimeout = 10 * time.Second

// startPatience is how long a command waits for an agent that was just started to listen.
const startPatience = 2 * time.Second

// addClientFlags adds the flags of a command that asks the agent.
func addClientFlags(cmd *cobra.Command) {
	cmd.Flags().String("socket", "", "the agent's socket (default: the config's local.socket)")
	cmd.Flags().Bool("json", false, "print the answer as JSON")
}

// newClient returns a client of the agent that cmd's flags name, and a context with its time limit; 0 is none.
func newClient(cmd *cobra.Command, timeout time.Duration) (context.Context, context.CancelFunc, *client, error) {
	socket, err := socketOf(cmd)
	if err != nil {
		return nil, nil, nil, err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, socket, startPatience)
		},
		DisableCompression: true,
	}
	var ctx context.Context
	var cancel context.CancelFunc
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(cmd.Context(), timeout)
	} else {
		ctx, cancel = context.WithCancel(cmd.Context())
	}
	c := &client{http: &http.Client{Transport: transport}, socket: socket}
	return ctx, func() { cancel(); transport.CloseIdleConnections() }, c, nil
}

// dial connects to the agent's socket. While nobody listens there it tries again, for as long as patience says, and then
// returns the last error.
func dial(ctx context.Context, socket string, patience time.Duration) (net.Conn, error) {
	var dialer net.Dialer
	over := time.NewTimer(patience)
	defer over.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := dialer.DialContext(ctx, "unix", socket)
		if err == nil || !nobodyListens(err) {
			return conn, err
		}
		select {
		case <-again.C:
		case <-over.C:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// nobodyListens reports whether an error of connecting means that the agent does not run, or not yet (unix(7)).
func nobodyListens(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED)
}

// socketOf returns the path of the agent's socket. A config file that this user may not read matters only when it was
// named.
func socketOf(cmd *cobra.Command) (string, error) {
	if socket, _ := cmd.Flags().GetString("socket"); socket != "" {
		return socket, nil
	}
	path, _ := cmd.Flags().GetString("config")
	cfg, err := loadConfig(path)
	switch {
	case err == nil:
		return cfg.Local.Socket, nil
	case path == "" && errors.Is(err, fs.ErrPermission):
		return defaultConfig().Local.Socket, nil
	}
	return "", err
}

// unreachableError says that the agent can't be asked.
type unreachableError struct {
	problem string
	hint    string
}

func (e *unreachableError) Error() string { return e.problem }
func (e *unreachableError) Hint() string  { return e.hint }

// errNoAnswer says that the connection broke before the answer came.
var errNoAnswer = errors.New("the agent went away before it answered")

// reach turns a failure to connect into an *unreachableError, and one of the connection into [errNoAnswer]. What the agent
// answered is returned as it is.
func (c *client) reach(err error) error {
	if connect.IsWireError(err) || connect.CodeOf(err) == connect.CodeDeadlineExceeded {
		return err
	}
	var dial *net.OpError
	if !errors.As(err, &dial) || dial.Op != "dial" {
		return errNoAnswer
	}
	e := &unreachableError{problem: fmt.Sprintf("cannot reach the agent at %s", c.socket)}
	switch {
	case nobodyListens(err):
		e.problem += ": it does not run"
		e.hint = "start it with 'stampd run' or 'systemctl start stampd'; --socket or --config names another socket"
	case errors.Is(err, fs.ErrPermission):
		e.problem += ": no permission"
		e.hint = "run as root, or as a user of the socket's group that is listed in local.pos_uids"
	default:
		e.problem += ": " + dial.Err.Error()
	}
	return e
}
