package buffer

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBackingLeavesTheLedgerMore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBacking(Options{Path: path, MaxSize: 64 << 20, LedgerReserve: 16 << 20})
	const used = 1 << 20
	b.extend(used, 0)
	if b.bytes != used+backedReserve+2*journalMax {
		t.Errorf("%d bytes are the file's own", b.bytes)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != b.bytes {
		t.Errorf("the file has %d bytes (%v)", info.Size(), err)
	}
	if ledger, telemetry := b.room(16<<20, true), b.room(16<<20, false); ledger != b.bytes || telemetry != b.bytes-backedReserve {
		t.Errorf("room for the ledger %d, for telemetry %d", ledger, telemetry)
	}
	b.extend(59<<20, 10<<20)
	if ledger, telemetry := b.room(16<<20, true), b.room(16<<20, false); ledger != 60<<20 || telemetry != 44<<20 {
		t.Errorf("at the limit: room for the ledger %d, for telemetry %d", ledger, telemetry)
	}
}
