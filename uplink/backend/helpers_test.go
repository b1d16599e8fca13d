package backend

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pq "github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"github.com/stampd/stampd/uplink/backend/ca"
	"github.com/stampd/stampd/uplink/identity"
	"github.com/stampd/stampd/uplink/wire"
)

// newOptions makes an authority and a server certificate, and returns options that use them.
func newOptions(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	certs := filepath.Join(dir, "ca")
	for _, err := range []error{ca.Init(certs), ca.IssueServer(certs, []string{"127.0.0.1"}, certs)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return Options{
		Listen:    "127.0.0.1:0",
		Dir:       filepath.Join(dir, "data"),
		CertFile:  filepath.Join(certs, ca.ServerCertFile),
		KeyFile:   filepath.Join(certs, ca.ServerKeyFile),
		CAFile:    filepath.Join(certs, ca.CertFile),
		RollRows:  500,
		RollEvery: 50 * time.Millisecond,
		Name:      "g1",
	}
}

// terminal sends numbered events until all are acknowledged, however often it loses the backend.
type terminal struct {
	name   string
	cfg    *tls.Config
	ledger [][]byte
	blocks [][]byte
	heads  [][]byte // the start of the ledger's chain after each record
}

// newTerminal returns a terminal that has n payments and n readings, in blocks of 5, to send.
func newTerminal(t *testing.T, o Options, name string, n int) *terminal {
	t.Helper()
	out := t.TempDir()
	if err := ca.IssueTerminal(filepath.Dir(o.CAFile), identity.ID{Merchant: "m1", Terminal: name}, out); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, ca.TerminalCertFile), filepath.Join(out, ca.TerminalKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	m := &terminal{name: name, cfg: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool()}}
	m.cfg.RootCAs.AppendCertsFromPEM(text)
	var chain [32]byte
	for i := range n {
		record := marshal(t, &wire.Event{Body: &wire.Event_Payment{Payment: &wire.Payment{
			IdempotencyKey: fmt.Sprintf("%s-%d", name, i), Kind: wire.PaymentKind_PAYMENT_KIND_AUTHORISED, AmountMinor: 1, Currency: "EUR",
		}}})
		chain = sha256.Sum256(append(binary.BigEndian.AppendUint64(chain[:], uint64(i+1)), record...))
		m.ledger, m.heads = append(m.ledger, record), append(m.heads, append([]byte(nil), chain[:8]...))
	}
	for i := 0; i < n; i += 5 {
		block := &wire.TelemetryBlock{}
		for range 5 {
			block.Events = append(block.Events, marshal(t, &wire.Event{Body: &wire.Event_Host{Host: &wire.Host{Processes: proto.Uint32(9)}}}))
		}
		m.blocks = append(m.blocks, marshal(t, block))
	}
	return m
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run sends until everything is acknowledged or ctx ends.
func (m *terminal) run(ctx context.Context, addr string) error {
	for {
		err := m.session(ctx, addr)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// session sends what the backend does not have, on one stream.
func (m *terminal) session(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(credentials.NewTLS(m.cfg)))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := wire.NewUplinkServiceClient(conn).Stream(ctx)
	if err != nil {
		return err
	}
	lanes := [][][]byte{m.ledger, m.blocks}
	hello := &wire.Hello{TerminalId: m.name, AgentVersion: "1"}
	for i, records := range lanes {
		hello.Lanes = append(hello.Lanes, &wire.LaneState{Lane: wire.Lane(i + 1), Epoch: make([]byte, 16), Oldest: 1, Next: uint64(len(records) + 1)})
	}
	if err := stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Hello{Hello: hello}}); err != nil {
		return err
	}
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	var through [2]uint64
	for i, w := range answer.GetWelcome().GetWatermarks() {
		through[i] = w.Through
	}
	go m.send(stream, lanes, through)
	for through[0] < uint64(len(m.ledger)) || through[1] < uint64(len(m.blocks)) {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		ack := answer.GetAck()
		through[ack.LaneIndex] = ack.Through
		if len(ack.Rejects) > 0 {
			return errors.New("a good record was rejected")
		}
		if ack.LaneIndex == 0 && string(ack.Chain) != string(m.heads[ack.Through-1]) {
			return errors.New("the chain differs")
		}
	}
	return nil
}

// send sends everything after through, and of each lane a little that is stored already.
func (m *terminal) send(stream wire.UplinkService_StreamClient, lanes [][][]byte, through [2]uint64) {
	const size = 7
	for i := range through {
		through[i] -= min(through[i], 3)
	}
	for more := true; more; {
		more = false
		for i, records := range lanes {
			from := through[i]
			to := min(from+size, uint64(len(records)))
			if from == to {
				continue
			}
			batch := &wire.Batch{LaneIndex: uint32(i), FirstSeq: from + 1, Records: records[from:to]}
			if i == 0 {
				batch.Chain = m.heads[to-1]
			}
			if stream.Send(&wire.ToBackend{Message: &wire.ToBackend_Batch{Batch: batch}}) != nil {
				return
			}
			through[i], more = to, true
		}
	}
}

// landed is the columns that the tests look at.
type landed struct {
	Terminal string `parquet:"terminal"`
	Lane     string `parquet:"lane"`
	Seq      int64  `parquet:"seq"`
	Index    int32  `parquet:"index"`
}

// landedRows returns how often each event is in the Parquet files of a folder, and fails on any file that is not whole.
func landedRows(t *testing.T, dir string) map[landed]int {
	t.Helper()
	rows := map[landed]int{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasSuffix(path, ".tmp") {
			t.Errorf("a temporary file was left: %s", path)
		}
		if !strings.HasSuffix(path, ".parquet") {
			return nil
		}
		read, err := pq.ReadFile[landed](path)
		for _, r := range read {
			rows[r]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// exactlyOnce fails the test unless every event of the terminals landed once, and nothing else did.
func exactlyOnce(t *testing.T, dir string, terminals ...*terminal) {
	t.Helper()
	rows := landedRows(t, dir)
	want, missing, double := 0, 0, 0
	check := func(r landed) {
		want++
		switch n := rows[r]; {
		case n == 0:
			missing++
		case n > 1:
			double++
		}
	}
	for _, m := range terminals {
		for i := range m.ledger {
			check(landed{m.name, "ledger", int64(i + 1), 0})
		}
		for i := range m.blocks {
			for j := range 5 {
				check(landed{m.name, "telemetry", int64(i + 1), int32(j)})
			}
		}
	}
	if missing > 0 || double > 0 || len(rows) != want {
		t.Errorf("%d rows missing, %d double; %d different ones landed, want %d", missing, double, len(rows), want)
	}
}
