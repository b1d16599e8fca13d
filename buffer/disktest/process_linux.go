//go:build amd64 || arm64

package disktest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnsupported says that this kernel, or what the process runs in, does not let one process answer another's calls.
var ErrUnsupported = errors.New("seccomp user notification is not to be had here")

// attachTimeout bounds the wait for the process to call Attach.
const attachTimeout = 30 * time.Second

// Process is a running process whose files are on a [Disk].
type Process struct {
	pid      int
	pidfd    int
	listener int
	ended    chan struct{} // closed when no call will come any more

	mu   sync.Mutex // guards disk and err
	disk *Disk
	err  error
}

// Start starts cmd, which must call [Attach] before it does anything that matters, and answers its calls until it ends.
// cmd's first extra file must be free. The caller waits for cmd itself. Start gives [ErrUnsupported] where the kernel
// refuses.
func Start(cmd *exec.Cmd) (*Process, error) {
	if len(cmd.ExtraFiles) > 0 {
		return nil, errors.New("cannot start process: its first extra file is taken")
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot start process: %w", err)
	}
	ours, theirs := ends[0], os.NewFile(uintptr(ends[1]), "attach")
	defer func() { _ = unix.Close(ours) }()
	defer theirs.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_ = theirs.Close()
	p := &Process{pid: cmd.Process.Pid, ended: make(chan struct{})}
	if err := p.adopt(ours); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	go p.serve()
	return p, nil
}

// adopt takes the listener that the process sends.
func (p *Process) adopt(socket int) error {
	timeout := unix.NsecToTimeval(int64(attachTimeout))
	if err := unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return fmt.Errorf("cannot wait for the process: %w", err)
	}
	said, rights := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
	n, r, _, _, err := unix.Recvmsg(socket, said, rights, unix.MSG_CMSG_CLOEXEC)
	for errors.Is(err, unix.EINTR) {
		n, r, _, _, err = unix.Recvmsg(socket, said, rights, unix.MSG_CMSG_CLOEXEC)
	}
	if err != nil {
		return fmt.Errorf("process does not attach: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:r])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%w: %s", ErrUnsupported, said[:n])
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return fmt.Errorf("process sends no listener: %w", err)
	}
	p.listener = fds[0]
	// Both sides take turns: on one processor a call costs half as much. Older kernels don't know it.
	_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(p.listener), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
	if p.pidfd, err = unix.PidfdOpen(p.pid, 0); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return nil
}

// Use puts the process on another disk. No call on a file of the one before may be under way.
func (p *Process) Use(d *Disk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disk = d
}

// Ended returns a channel that is closed when the process has ended and its last call was answered.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Err returns the first error that made the disk unfit for what it is for: a call that it could not make.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// serve answers calls until the process has ended.
func (p *Process) serve() {
	defer close(p.ended)
	defer func() { _, _ = unix.Close(p.listener), unix.Close(p.pidfd) }()
	for {
		ready := []unix.PollFd{{Fd: int32(p.listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			p.fail(err)
			return
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			return
		}
		n, err := receive(p.listener)
		switch {
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINTR):
			continue // the caller was killed meanwhile
		case err != nil:
			p.fail(err)
			return
		}
		if err := p.answer(n); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
			p.fail(err)
		}
	}
}

func (p *Process) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = fmt.Errorf("cannot answer a call: %w", err)
	}
}
