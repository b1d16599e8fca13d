package land_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/rs/zerolog"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land"
)

// crashDirEnv tells the test binary to be the process that is killed.
const crashDirEnv = "STAMPD_TEST_LAND_CRASH_DIR"

// landUntilKilled appends to a log and lands it in small ranges.
func landUntilKilled(dir string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	log, err := eventlog.Open(filepath.Join(dir, "log"))
	if err != nil {
		fail(err)
	}
	r, err := land.New(land.Options{Log: log, Dir: filepath.Join(dir, "parquet"), RollRows: 40, RollEvery: 5 * time.Millisecond, Logger: zerolog.Nop()})
	if err != nil {
		fail(err)
	}
	go func() {
		if err := r.Run(context.Background()); err != nil {
			fail(err)
		}
	}()
	next := lastSeq(log) + 1
	for {
		n := 1 + rand.IntN(10)
		if _, err := log.Append(context.Background(), batch(next, n, time.Now())); err != nil {
			fail(err)
		}
		next += uint64(n)
		// One write a line: what the parent reads is in the log.
		fmt.Fprintf(os.Stdout, "%d\n", next-1)
	}
}

// lastSeq returns the seq of the last record in the log.
func lastSeq(log *eventlog.Log) uint64 {
	last := uint64(0)
	if head := log.Head(); head > 0 {
		err := log.Read(context.Background(), head, head, func(_ uint64, e *eventlog.Entry) error {
			last = e.FirstSeq + uint64(len(e.Records)) - 1
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	return last
}

func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	parquet := filepath.Join(dir, "parquet")
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	acknowledged, open := 0, 0
	for range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		life := time.Duration(rand.Int64N(int64(300 * time.Millisecond)))
		started := false
		var end *time.Timer
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, err := fmt.Sscan(lines.Text(), &acknowledged); err != nil {
				t.Fatal(err)
			}
			if !started {
				started = true
				end = time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
			}
		}
		_ = cmd.Wait()
		if !started || stderr.Len() > 0 {
			t.Fatalf("the process ended by itself: %s", &stderr)
		}
		end.Stop()
		if left, _ := filepath.Glob(filepath.Join(parquet, "*", "*", "_*")); len(left) > 0 {
			open++
		}
		if _, err := count(parquet); err != nil {
			t.Fatalf("after a kill: %v", err)
		}
	}

	log := openLog(t, filepath.Join(dir, "log"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newRunner(t, land.Options{Log: log, Dir: parquet}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	last := int(lastSeq(log))
	if last < acknowledged {
		t.Fatalf("the log ends at %d, and %d was acknowledged", last, acknowledged)
	}
	checkOnce(t, parquet, last)
	if left, _ := filepath.Glob(filepath.Join(parquet, "*", "*", "_*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	t.Logf("%d rounds, %d of them killed with temporary files on disk, %d rows", rounds, open, 2*last)
}

// Whoever reads while rows land finds only whole files.
func TestFilesAreAlwaysReadable(t *testing.T) {
	log, dir := openLog(t, filepath.Join(t.TempDir(), "log")), t.TempDir()
	r := newRunner(t, land.Options{Log: log, Dir: dir, RollRows: 30, RollEvery: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	appended := make(chan struct{})
	go func() {
		defer close(appended)
		for i := range 40 {
			_, _ = log.Append(context.Background(), batch(uint64(1+10*i), 10, noon))
		}
	}()
	reads := 0
	for growing := true; growing || reads == 0; {
		select {
		case <-appended:
			growing = false
		default:
		}
		err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil && !os.IsNotExist(err) || e == nil || !strings.HasSuffix(path, ".parquet") {
				return err
			}
			reads++
			_, err = pq.ReadFile[where](path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	checkOnce(t, dir, 400)
}
