package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// rollEvery is how long a row waits to be landed.
const rollEvery = time.Second

// settings is the agent's configuration: everything as in production, only quicker.
const settings = `[terminal]
id = "demo-1"
merchant = "corner-cafe"

[local]
socket = "%[1]s/agent/stampd.sock"

[queue]
path = "%[1]s/agent/queue.db"
key_file = "%[1]s/agent/queue.key"

[uplink]
backend = "%[2]s"
server_name = "localhost"
cert = "%[1]s/agent/terminal.pem"
key = "%[1]s/agent/terminal.key"
ca = "%[1]s/agent/ca.pem"
backoff_min = "200ms"
backoff_max = "2s"
first_contact_spread = "0s"

[telemetry]
battery_every = "1s"
host_every = "1s"
app_every = "2s"
block_every = "2s"

[loyalty]
programme_id = "coffee"
min_gap = "0s"
max_per_day = 0
max_stamps_per_purchase = 3
member_key_file = "%[1]s/agent/member.key"

[log]
format = "json"
`

// setUp makes certificates and configuration, and starts backend and agent with a link between them that counts bytes
// and can be cut.
func (d *demo) setUp(ctx context.Context) error {
	var err error
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	if d.bin, err = filepath.Abs(d.bin); err != nil {
		return err
	}
	if err := clearDir(d.dir); err != nil {
		return err
	}
	ca, agentDir, backendDir := filepath.Join(d.dir, "ca"), filepath.Join(d.dir, "agent"), filepath.Join(d.dir, "backend")
	tool := filepath.Join(d.bin, "stampd-backend")
	for _, args := range [][]string{
		{"ca", "init", ca},
		{"ca", "issue", ca, "--server", "localhost,127.0.0.1", "--out", backendDir},
		{"ca", "issue", ca, "--terminal", "demo-1", "--merchant", "corner-cafe", "--out", agentDir},
	} {
		if out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("cannot run stampd-backend %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	if d.link, err = newLink(address); err != nil {
		return err
	}
	config := filepath.Join(agentDir, "stampd.toml")
	if err := d.configure(d.link.address()); err != nil {
		return err
	}

	d.backend = newProcess(d.dir, "backend", tool, "serve", "--listen", address, "--dir", backendDir,
		"--cert", filepath.Join(backendDir, "server.pem"), "--key", filepath.Join(backendDir, "server.key"),
		"--ca", filepath.Join(backendDir, "ca.pem"), "--land-dir", d.parquet(), "--roll-every", rollEvery.String(), "--log-format", "json")
	d.agent = newProcess(d.dir, "agent", filepath.Join(d.bin, "stampd"), "run", "--config", config)
	d.terminal = newTerminal(filepath.Join(agentDir, "stampd.sock"))
	if err := d.backend.start(); err != nil {
		return err
	}
	if err := d.agent.start(); err != nil {
		d.backend.kill()
		return err
	}
	if err := d.terminal.ready(ctx); err != nil {
		d.tearDown()
		return fmt.Errorf("the agent does not answer: %w", err)
	}
	return nil
}

// configure writes the agent's configuration, for a backend at that address.
func (d *demo) configure(backend string) error {
	return os.WriteFile(filepath.Join(d.dir, "agent", "stampd.toml"), fmt.Appendf(nil, settings, d.dir, backend), 0o600)
}

// settle lets agent and backend live on without the demo: they talk directly, and no longer over its link.
func (d *demo) settle(ctx context.Context) error {
	if err := d.configure(d.link.target); err != nil {
		return err
	}
	d.agent.stop(5 * time.Second)
	d.link.close()
	if err := d.agent.start(); err != nil {
		return err
	}
	return d.terminal.ready(ctx)
}

// tearDown stops both.
func (d *demo) tearDown() {
	d.agent.stop(5 * time.Second)
	d.backend.stop(5 * time.Second)
	d.link.close()
}

// clearDir makes dir an empty directory. It removes only a directory that a run has made.
func clearDir(dir string) error {
	marker := filepath.Join(dir, ".stampd-demo")
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(marker); err != nil {
			return fmt.Errorf("%s is not empty, and no earlier run made it: give another with -dir", dir)
		}
	}
	if conn, err := net.Dial("unix", filepath.Join(dir, "agent", "stampd.sock")); err == nil {
		_ = conn.Close()
		return fmt.Errorf("an agent of an earlier run is still at work in %s: stop it first", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, sub := range []string{"agent", "backend"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(marker, nil, 0o600)
}

// freeAddress returns an address on loopback that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
