package backend

import (
	"bufio"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// optionsVar holds the options of a backend that the test binary is to be, as JSON.
const optionsVar = "STAMPD_TEST_BACKEND"

func TestMain(m *testing.M) {
	if text := os.Getenv(optionsVar); text != "" {
		os.Exit(serve(text))
	}
	goleak.VerifyTestMain(m)
}

// serve is the process that the test kills.
func serve(text string) int {
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	o.Logger = zerolog.New(os.Stdout)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	b, err := Open(o)
	if err == nil {
		err = b.Run(ctx)
	}
	if err != nil {
		o.Logger.Error().Err(err).Msg("failed")
		return 1
	}
	return 0
}

// child is a backend process.
type child struct {
	cmd  *exec.Cmd
	addr string
}

// spawn starts a backend process, and waits until it is ready. It returns nil when the process ended before.
func spawn(t *testing.T, o Options) *child {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), optionsVar+"="+string(text))
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var line struct{ Message, Address, Level, Error string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("log line %q: %v", lines.Text(), err)
		}
		if line.Level == "error" {
			t.Fatalf("backend: %s: %s", line.Message, line.Error)
		}
		if line.Message == "ready" {
			c.addr = line.Address
			go func() {
				for lines.Scan() {
				}
			}()
			return c
		}
	}
	t.Fatalf("the backend ended before it was ready: %v", c.cmd.Wait())
	return nil
}

// The backend process is killed with SIGKILL again and again, at random times, while terminals send and the lander
// lands; every event that was acknowledged is in the files once.
func TestKill(t *testing.T) {
	const kills, terminals = 12, 4
	o := newOptions(t)
	o.RollRows, o.RollEvery = 300, 3*time.Millisecond // so that most kills hit the lander at work
	first := spawn(t, o)
	o.Listen = first.addr // the terminals' address stays

	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	var all []*terminal
	var wg sync.WaitGroup
	for _, name := range []string{"t1", "t2", "t3", "t4"}[:terminals] {
		m := newTerminal(t, o, name, 1500)
		all = append(all, m)
		wg.Go(func() {
			// Each sends all it has, part by part, so that there is traffic at every kill.
			for part := 1; part <= kills; part++ {
				some := *m
				some.ledger, some.blocks = m.ledger[:len(m.ledger)*part/kills], m.blocks[:len(m.blocks)*part/kills]
				if err := some.run(ctx, first.addr); err != nil {
					t.Errorf("%s: %v", m.name, err)
					return
				}
			}
		})
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	c := first
	for range kills {
		time.Sleep(time.Duration(10+rng.IntN(150)) * time.Millisecond)
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.cmd.Wait()
		c = spawn(t, o)
	}
	wg.Wait()
	begin := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM the backend ended with %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("stopping took %v, want less than 5 s", took)
	}
	landRest(t, o)
	exactlyOnce(t, filepath.Join(o.Dir, "parquet"), all...)
}
