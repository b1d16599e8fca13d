package main

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/backend"
	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// soak is how long the agent is watched while online.
var soak = flag.Duration("soak", 15*time.Second, "how long TestOnlineReadingsWriteNoFlash watches the agent")

// house is an agent process and a backend, with the backend's network to be cut by stopping it.
type house struct {
	dir, sys string
	agent    *exec.Cmd
	listen   string
}

// readings is a terminal that reads everything each second: an hour of readings by the default schedules in a minute.
const readings = `[terminal]
id = "t-1"
merchant = "m-1"
[local]
socket = "%[1]s/s"
[queue]
path = "%[1]s/queue/queue.db"
key_file = "%[1]s/queue/queue.key"
spill_after = "%[4]s"
[uplink]
backend = "%[2]s"
server_name = "localhost"
cert = "%[1]s/terminal.pem"
key = "%[1]s/terminal.key"
ca = "%[1]s/ca.pem"
backoff_min = "100ms"
backoff_max = "500ms"
first_contact_spread = "0s"
[hardware]
sys_root = "%[3]s"
[telemetry]
battery_every = "1s"
host_every = "1s"
app_every = "1s"
block_every = "1s"
block_every_offline = "1s"
[log]
level = "error"
`

func newHouse(t *testing.T) *house {
	t.Helper()
	dir, err := os.MkdirTemp("", "flash")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &house{dir: dir, sys: filepath.Join(dir, "sys"), listen: "127.0.0.1:0"}
	tree, err := haltest.ReadTree("../testdata/sys/two-batteries.txtar")
	if err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(dir, "ca")
	for _, err := range []error{
		tree.Write(h.sys), ca.Init(certs), ca.IssueServer(certs, []string{"localhost"}, certs),
		ca.IssueTerminal(certs, identity.ID{Merchant: "m-1", Terminal: "t-1"}, dir),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// serve starts the backend, the second time on the same address, and returns the function that stops it.
func (h *house) serve(t *testing.T) (stop func()) {
	t.Helper()
	certs := filepath.Join(h.dir, "ca")
	b, err := backend.Open(backend.Options{
		Listen: h.listen, Dir: filepath.Join(h.dir, "backend"), RollEvery: time.Second, Name: "g1",
		CertFile: filepath.Join(certs, ca.ServerCertFile), KeyFile: filepath.Join(certs, ca.ServerKeyFile), CAFile: filepath.Join(certs, ca.CertFile),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.listen = b.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// run starts the agent, and returns when it answers.
func (h *house) run(t *testing.T, spillAfter time.Duration) {
	t.Helper()
	h.start(t, fmt.Sprintf(readings, h.dir, h.listen, h.sys, spillAfter))
}

// start starts the agent with settings, and returns when it answers.
func (h *house) start(t *testing.T, settings string) {
	t.Helper()
	config := filepath.Join(h.dir, "stampd.toml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h.agent = &exec.Cmd{Path: program, Args: []string{"stampd", "run", "--config", config}} // TestMain makes it the agent
	h.agent.Stderr = os.Stderr
	if err := h.agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.agent.Process.Kill(); _ = h.agent.Wait() })
	h.until(t, "the agent answers", func(*wire.StatusResponse) bool { return true })
}

// until waits for the agent to be in a state.
func (h *house) until(t *testing.T, what string, so func(*wire.StatusResponse) bool) {
	t.Helper()
	socket := filepath.Join(h.dir, "s")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, socket, startPatience) }}
	defer transport.CloseIdleConnections()
	c := &client{http: &http.Client{Transport: transport}, socket: socket}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		s, err := ask(ctx, c, callStatus, &wire.StatusRequest{})
		if err == nil && so(s) {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("not in time: %s: %v, %v", what, s, err)
		}
	}
}

// blocks returns how many telemetry blocks were made, and how many of them are stored by the backend and in memory.
func blocks(s *wire.StatusResponse) (made, acked, inMemory uint64) {
	for _, l := range s.GetLanes() {
		if l.GetLane() == wire.Lane_LANE_TELEMETRY {
			made, acked, inMemory = made+l.GetNext()-1, acked+l.GetAcked(), inMemory+l.GetInMemory()
		}
	}
	return made, acked, inMemory
}

// written is what a process has caused to be written so far (proc(5), io), and what the queue's folder holds.
type written struct {
	bytes  int64 // sent to the storage layer, and not taken back by truncation
	folder string
}

func (h *house) written(t *testing.T) written {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", h.agent.Process.Pid))
	if err != nil {
		t.Skipf("the kernel does not count what a process writes: %v", err)
	}
	count := map[string]int64{}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		count[name], _ = strconv.ParseInt(value, 10, 64)
	}
	w := written{bytes: count["write_bytes"] + count["cancelled_write_bytes"]}
	err = filepath.WalkDir(filepath.Join(h.dir, "queue"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		w.folder += fmt.Sprintf("%s %d %v %x\n", filepath.Base(path), info.Size(), info.ModTime(), sha256.Sum256(content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Online, readings come and go and nothing is written: not a byte, and no file of the queue changes. Offline, the same
// readings are written when they have waited for spill_after. At SIGTERM all that is in memory is written.
func TestOnlineReadingsWriteNoFlash(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 25 seconds")
	}
	t.Parallel()
	h := newHouse(t)
	stop := h.serve(t)
	h.run(t, 4*time.Second)
	h.until(t, "the first readings are stored", func(s *wire.StatusResponse) bool {
		made, acked, _ := blocks(s)
		return made > 2 && acked+1 >= made
	})

	before := h.written(t)
	var made, stored uint64
	for end := time.Now().Add(*soak); time.Now().Before(end); time.Sleep(time.Second) {
		if now := h.written(t); now != before {
			t.Fatalf("%d bytes were written while online; the folder was and is\n%s\n%s", now.bytes-before.bytes, before.folder, now.folder)
		}
	}
	h.until(t, "all readings are stored", func(s *wire.StatusResponse) bool {
		made, stored, _ = blocks(s)
		return stored+1 >= made
	})
	if least := uint64(soak.Seconds() / 2); made < least {
		t.Errorf("%d blocks were made, want %d or more", made, least)
	}
	t.Logf("%d blocks were stored by the backend in %v, and 0 bytes written", stored, *soak)

	stop()
	h.until(t, "readings are written while offline", func(s *wire.StatusResponse) bool {
		made, acked, inMemory := blocks(s)
		return made > acked+inMemory
	})
	spilled := h.written(t)
	if spilled.bytes <= before.bytes || spilled.folder == before.folder {
		t.Errorf("%d bytes were written while offline, and the queue's folder has changed: %v; does this test count at all?",
			spilled.bytes-before.bytes, spilled.folder != before.folder)
	}
	var inMemory uint64
	h.until(t, "there is something in memory", func(s *wire.StatusResponse) bool {
		made, stored, inMemory = blocks(s)
		return inMemory > 0
	})
	if err := h.agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := h.agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v", err)
	}
	if n := h.kept(t); n < made-stored {
		t.Errorf("%d blocks are in the queue's file after the stop, want at least %d", n, made-stored)
	}
}

// A terminal that is offline with a battery that runs down does not wait for spill_after.
func TestLowBatteryWritesReadings(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.listen = "127.0.0.1:1"
	h.run(t, time.Hour)
	enough := func(s *wire.StatusResponse) bool {
		_, _, inMemory := blocks(s)
		return inMemory > 2
	}
	h.until(t, "readings are in memory", enough)
	for file, content := range map[string]string{"status": "Discharging\n", "capacity": "9\n"} {
		if err := os.WriteFile(filepath.Join(h.sys, "class/power_supply/battery", file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.until(t, "readings are written", func(s *wire.StatusResponse) bool { return !enough(s) })
}

// kept reads back how many telemetry blocks the agent has left on the disk.
func (h *house) kept(t *testing.T) (n uint64) {
	t.Helper()
	key, err := pci.LoadKey(filepath.Join(h.dir, "queue", "queue.key"))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pci.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	q, err := buffer.Open(buffer.Options{
		Path: filepath.Join(h.dir, "queue", "queue.db"), Terminal: "t-1", Keys: keys,
		MaxSize: 64 << 20, LedgerReserve: 16 << 20, TelemetryMemory: 1 << 20, SpillAfter: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, l := range q.Lanes() {
		if l.Lane == buffer.Telemetry {
			n += l.Depth()
		}
	}
	return n
}
