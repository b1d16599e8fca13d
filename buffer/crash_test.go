package buffer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/wire"
)

// crashDirEnv tells the test binary to be the process that is killed.
const crashDirEnv = "STAMPD_TEST_CRASH_DIR"

// appendUntilKilled appends from 16 goroutines and says so, a line each, after the queue said yes.
func appendUntilKilled(dir string) {
	keys, err := pci.NewSealer([32]byte{1})
	if err != nil {
		panic(err)
	}
	q, err := buffer.Open(buffer.Options{
		Path: dir + "/queue.db", Terminal: "t-1", Keys: keys, MaxSize: 64 << 20, LedgerReserve: 16 << 20,
		TelemetryMemory: 1 << 20, SpillAfter: time.Hour, Log: zerolog.Nop(),
	})
	if err != nil {
		panic(err)
	}
	guard := pci.NewGuard(nil)
	for i := range 16 {
		go func() {
			for j := 0; ; j++ {
				name := fmt.Sprintf("%d.%d.%d", os.Getpid(), i, j)
				c, err := guard.Check(&wire.Lifecycle{Detail: name})
				if err != nil {
					panic(err)
				}
				var seq uint64
				err = q.Update(context.Background(), func(tx *buffer.Tx) error {
					seq = tx.Append(c)
					tx.Put(buffer.Keys, []byte(name), []byte{1})
					return nil
				})
				if err != nil {
					panic(err)
				}
				// One write a line: what the parent reads was acknowledged.
				fmt.Fprintf(os.Stdout, "%d %s\n", seq, name)
			}
		}()
	}
	select {}
}

func TestKill9LosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes")
	}
	opts := options(t, t.TempDir())
	var acked []string
	for round := range 5 {
		seen := map[uint64]bool{}
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), crashDirEnv+"="+filepath.Dir(opts.Path))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); errors.Is(err, syscall.ENOEXEC) {
			t.Skip("the kernel can't start this program: it runs under an emulator")
		} else if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(200*time.Millisecond + rand.N(200*time.Millisecond))
			_ = cmd.Process.Kill()
		}()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var seq uint64
			var name string
			if n, _ := fmt.Sscan(lines.Text(), &seq, &name); n == 2 {
				if seen[seq] {
					t.Fatalf("round %d: seq %d was given twice", round, seq)
				}
				seen[seq] = true
				acked = append(acked, name)
			}
		}
		_ = cmd.Wait()
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged: the test tests nothing")
	}

	q := open(t, opts)
	if aside := q.SetAside(); len(aside) > 0 {
		t.Fatalf("kill -9 damaged the file: %v", aside)
	}
	found := map[string]int{}
	for _, l := range q.Lanes() {
		if l.Lane != buffer.Ledger {
			continue
		}
		for i, r := range readAll(t, q, l.LaneID) {
			if r.Seq != uint64(i+1) {
				t.Fatalf("gap before seq %d", r.Seq)
			}
			found[string(r.Payload)]++
		}
	}
	for _, name := range acked {
		if n := found[string(clean(t, name).Bytes())]; n != 1 {
			t.Fatalf("%s was acknowledged and is there %d times", name, n)
		}
		err := q.View(func(tx *buffer.ReadTx) error {
			if tx.Get(buffer.Keys, []byte(name)) == nil {
				t.Errorf("%s is there and its key is not", name)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged over 5 kills, %d stored", len(acked), len(found))
}
