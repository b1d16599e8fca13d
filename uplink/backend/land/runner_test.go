package land_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/eventlog"
	"github.com/stampd/stampd/uplink/backend/land"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		landUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// batch returns n telemetry records numbered from first on, each a block of a battery's and the host's reading.
func batch(first uint64, n int, received time.Time) eventlog.Batch {
	b := eventlog.Batch{
		ID: identity.ID{Merchant: "m1", Terminal: "t1"}, Epoch: [16]byte{1}, Lane: wire.Lane_LANE_TELEMETRY,
		FirstSeq: first, Received: received, Gateway: "g1", AgentVersion: "1.0",
	}
	for i := range n {
		var block wire.TelemetryBlock
		for _, e := range []*wire.Event{
			{Body: &wire.Event_Battery{Battery: &wire.Battery{Name: "BAT0"}}},
			{Body: &wire.Event_Host{Host: &wire.Host{UptimeSeconds: proto.Uint64(first + uint64(i))}}},
		} {
			record, err := proto.Marshal(e)
			if err != nil {
				panic(err)
			}
			block.Events = append(block.Events, record)
		}
		record, err := proto.Marshal(&block)
		if err != nil {
			panic(err)
		}
		b.Records = append(b.Records, record)
	}
	return b
}

func openLog(t testing.TB, path string) *eventlog.Log {
	t.Helper()
	l, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func appendBatch(t testing.TB, l *eventlog.Log, b eventlog.Batch) {
	t.Helper()
	if _, err := l.Append(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

func newRunner(t testing.TB, o land.Options) *land.Runner {
	t.Helper()
	o.Logger = zerolog.Nop()
	r, err := land.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// parts returns the names of the files that have landed, without their folders but the kind's.
func parts(t testing.TB, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "kind=*", "date=*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		kind := filepath.Base(filepath.Dir(filepath.Dir(name)))
		names[i] = strings.TrimPrefix(kind, "kind=") + " " + strings.NewReplacer("part-", "", ".parquet", "").Replace(filepath.Base(name))
	}
	return names
}

// where is the name of a row.
type where struct {
	Terminal string `parquet:"terminal"`
	Epoch    string `parquet:"epoch"`
	Lane     string `parquet:"lane"`
	Seq      int64  `parquet:"seq"`
	Index    int32  `parquet:"index"`
}

// count returns how often each row of all files is there. It fails on a file that can't be read.
func count(dir string) (map[where]int, error) {
	rows := map[where]int{}
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.parquet"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		part, err := pq.ReadFile[where](name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, r := range part {
			rows[r]++
		}
	}
	return rows, nil
}

// checkOnce fails unless both readings of the blocks from 1 to last are there once, and nothing else.
func checkOnce(t testing.TB, dir string, last int) {
	t.Helper()
	rows, err := count(dir)
	if err != nil {
		t.Fatal(err)
	}
	for seq := 1; seq <= last; seq++ {
		for index := range int32(2) {
			w := where{"t1", "01000000000000000000000000000000", "telemetry", int64(seq), index}
			if rows[w] != 1 {
				t.Fatalf("%+v is there %d times", w, rows[w])
			}
		}
	}
	if len(rows) != 2*last {
		t.Fatalf("%d rows, want %d", len(rows), 2*last)
	}
}

func TestEmptyLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "parquet")
	r := newRunner(t, land.Options{Log: openLog(t, filepath.Join(t.TempDir(), "log")), Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got := parts(t, dir); len(got) != 0 {
		t.Errorf("landed %q", got)
	}
}

func TestRangesAreCut(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name     string
		rollRows int
		batches  []eventlog.Batch
		want     []string
	}{
		{"by rows, entries whole", 5, []eventlog.Batch{batch(1, 2, noon), batch(3, 2, noon), batch(5, 1, noon)}, []string{
			"battery 00000000000000000001-00000000000000000002", "battery 00000000000000000003-00000000000000000003",
			"host 00000000000000000001-00000000000000000002", "host 00000000000000000003-00000000000000000003",
		}},
		{"two days together", 100, []eventlog.Batch{batch(1, 1, noon), batch(2, 1, noon.Add(day)), batch(3, 1, noon)}, []string{
			"battery 00000000000000000001-00000000000000000003", "battery 00000000000000000001-00000000000000000003",
			"host 00000000000000000001-00000000000000000003", "host 00000000000000000001-00000000000000000003",
		}},
		{"three days apart", 100, []eventlog.Batch{batch(1, 1, noon), batch(2, 1, noon.Add(day)), batch(3, 1, noon.Add(2*day))}, []string{
			"battery 00000000000000000001-00000000000000000002", "battery 00000000000000000001-00000000000000000002", "battery 00000000000000000003-00000000000000000003",
			"host 00000000000000000001-00000000000000000002", "host 00000000000000000001-00000000000000000002", "host 00000000000000000003-00000000000000000003",
		}},
		{"an entry larger than a range", 1, []eventlog.Batch{batch(1, 9, noon)}, []string{
			"battery 00000000000000000001-00000000000000000001", "host 00000000000000000001-00000000000000000001",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log, dir := openLog(t, filepath.Join(t.TempDir(), "log")), t.TempDir()
			last := 0
			for _, b := range tt.batches {
				appendBatch(t, log, b)
				last += len(b.Records)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := newRunner(t, land.Options{Log: log, Dir: dir, RollRows: tt.rollRows}).Run(ctx); err != nil {
				t.Fatal(err)
			}
			checkOnce(t, dir, last)
			if got := parts(t, dir); strings.Join(got, "\n") != strings.Join(tt.want, "\n") {
				t.Errorf("landed:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A few entries land when their time has come, many at once, and what is left when the runner ends.
func TestRunFollowsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, dir := openLog(t, filepath.Join(t.TempDir(), "log")), t.TempDir()
		r := newRunner(t, land.Options{Log: log, Dir: dir, RollRows: 20, RollEvery: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		expect := func(when string, files int) {
			t.Helper()
			synctest.Wait()
			if got := parts(t, dir); len(got) != files {
				t.Fatalf("%s: files %q, want %d", when, got, files)
			}
		}
		expect("at first", 0)
		appendBatch(t, log, batch(1, 1, noon))
		time.Sleep(30 * time.Second)
		appendBatch(t, log, batch(2, 1, noon))
		time.Sleep(30*time.Second - 1)
		expect("before the time", 0)
		time.Sleep(1 * time.Nanosecond)
		expect("a minute after the first entry", 2)
		time.Sleep(time.Hour)
		expect("an idle hour later", 2)
		appendBatch(t, log, batch(3, 10, noon))
		expect("many rows", 4)
		appendBatch(t, log, batch(13, 1, noon))
		time.Sleep(time.Second)
		expect("one more", 4)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		expect("at the end", 6)
		checkOnce(t, dir, 13)
	})
}

func TestRunReportsTheLogsEnd(t *testing.T) {
	log := openLog(t, filepath.Join(t.TempDir(), "log"))
	r := newRunner(t, land.Options{Log: log, Dir: t.TempDir()})
	done := make(chan error, 1)
	go func() { done <- r.Run(t.Context()) }()
	log.Close()
	if err := <-done; err == nil {
		t.Error("Run went on without its log")
	}
}

func TestNegativeLimitsAreRefused(t *testing.T) {
	log := openLog(t, filepath.Join(t.TempDir(), "log"))
	for _, o := range []land.Options{{RollRows: -1}, {RollEvery: -1}} {
		o.Log, o.Dir = log, t.TempDir()
		if _, err := land.New(o); err == nil {
			t.Errorf("New(%d, %v) succeeded", o.RollRows, o.RollEvery)
		}
	}
}
