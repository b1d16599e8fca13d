package buffer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"

	"github.com/stampd/stampd/buffer/group"
	"github.com/stampd/stampd/pci"
)

// Options is what a queue needs. Zero durations and sizes are not defaults: everything must be set.
type Options struct {
	Path            string        // the queue file; its directory is created
	Terminal        string        // the terminal's id, which records are bound to; 1 to 255 bytes
	Keys            *pci.Sealer   // seals the records
	MaxSize         int64         // how large the file may get, in bytes
	LedgerReserve   int64         // the part of MaxSize that telemetry may not use, in bytes
	TelemetryMemory int           // how many bytes of telemetry are held in memory before they are written
	SpillAfter      time.Duration // how long telemetry may wait in memory for the backend; the loss bound at a power cut
	Log             zerolog.Logger
}

// Queue is the terminal's queue. It is safe for concurrent use.
type Queue struct {
	opts   Options
	sealer sealer
	log    zerolog.Logger
	group  *group.Group[*op]
	kick   chan struct{} // asks the keeper to look at once
	stop   chan struct{} // closed to end the keeper
	kept   chan struct{} // closed when the keeper has ended

	file     sync.RWMutex // held for reading while a transaction is open, and to write db and journal
	db       *bolt.DB     // nil while the file can't be used
	journal  *journal     // nil while there is none
	origin   os.FileInfo  // of the file in db
	handle   *os.File     // db's
	pageSize int          // db's

	resident resident
	backing  backing

	turn sync.RWMutex // held to move what the journal holds into the file, and to begin a view of both

	mu          sync.Mutex // guards everything below
	lanes       map[LaneID]*lane
	held        *overlay // what the journal holds
	generation  uint64   // the journal's
	pourFirst   bool     // the journal can't be gone on with before the file has taken it over
	ledger      *lane
	given       map[LaneID]uint64 // of ledger epochs that this process has left behind: the lowest seq that it has not given
	current     *lane             // this process's telemetry epoch
	memory      []memoryRecord
	memoryBytes int
	ordinal     uint64 // of the newest telemetry epoch on disk
	changed     chan struct{}
	closed      bool
	fault       error
	retryAt     time.Time
	aside       []Salvage
	commits     uint64
	dropped     uint64
	quarantined uint64
}

// Open opens the queue, creating it if need be. A file whose contents can't be used is set aside under another name,
// and a new one is begun: [Queue.SetAside] tells. A file that can't be reached (a full, read-only or broken disk, one that is not the agent's) is
// no error either: the queue answers with the cause and tries again. Open fails when another process holds the file
// ([ErrLocked]), when the file is another terminal's, or of a format that this version does not know ([ErrForeign]), and
// when none of its records was sealed with the key at hand ([ErrOtherKey]: see [MoveAside]).
func Open(opts Options) (*Queue, error) {
	if n := len(opts.Terminal); n < 1 || n > 255 {
		return nil, fmt.Errorf("cannot open queue: terminal id has %d bytes, want 1 to 255", n)
	}
	if err := checkKey(opts.Path, opts.Terminal, opts.Keys); err != nil {
		return nil, err
	}
	q := &Queue{
		opts:    opts,
		sealer:  sealer{terminal: opts.Terminal, keys: opts.Keys},
		log:     opts.Log,
		kick:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		kept:    make(chan struct{}),
		backing: newBacking(opts),
		lanes:   map[LaneID]*lane{},
		held:    newOverlay(),
		given:   map[LaneID]uint64{},
		changed: make(chan struct{}),
	}
	q.current = &lane{laneRecord: laneRecord{id: LaneID{Telemetry, newEpoch()}, next: 1}, oldest: 1}
	q.lanes[q.current.id] = q.current
	// Until a file is there, the ledger is an empty lane without an epoch, and not among the lanes.
	q.ledger = &lane{laneRecord: laneRecord{id: LaneID{Lane: Ledger}, next: 1}, oldest: 1}
	q.group = group.New(q.commitBatch)
	if err := q.ensureOpen(); err != nil {
		if !errors.Is(err, ErrFull) && !errors.Is(err, ErrReadOnly) && !errors.Is(err, ErrPermission) && !errors.Is(err, ErrIO) {
			return nil, err
		}
		q.log.Error().Err(err).Msg("queue can't be opened; will try again")
	}
	go q.keep()
	return q, nil
}

// View calls fn with a view of the queue's buckets: what was committed when it began, and of the newest perhaps more.
func (q *Queue) View(fn func(*ReadTx) error) error {
	return q.view(func(tx *bolt.Tx, held *overlay) error { return fn(&ReadTx{q, tx, held}) })
}

func (q *Queue) view(fn func(tx *bolt.Tx, held *overlay) error) error {
	if err := q.ensureOpen(); err != nil {
		return err
	}
	err := q.viewOpen(fn)
	if isDamaged(err) {
		q.fail(err) // the next opening salvages what there is
	}
	return err
}

func (q *Queue) viewOpen(fn func(tx *bolt.Tx, held *overlay) error) error {
	q.file.RLock()
	defer q.file.RUnlock()
	if q.db == nil {
		return q.why()
	}
	var inner error
	err := guarded(func() error {
		tx, held, err := q.beginView()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		inner = fn(tx, held)
		return nil
	})
	if err != nil {
		return classify("read the queue", err)
	}
	return inner
}

// beginView opens both places where something can be, between two commits to the file.
func (q *Queue) beginView() (*bolt.Tx, *overlay, error) {
	q.turn.RLock()
	defer q.turn.RUnlock()
	tx, err := q.begin(false)
	q.mu.Lock()
	defer q.mu.Unlock()
	return tx, q.held, err
}

// Close writes the telemetry that is still in memory, puts into the file what the journal holds, and closes both. Nothing may be in progress but reads.
func (q *Queue) Close() error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return nil
	}
	q.mu.Unlock()
	close(q.stop)
	<-q.kept
	spillErr := errors.Join(q.Spill(context.Background()), q.trimAll(context.Background(), 0), q.empty(context.Background()))

	q.mu.Lock()
	q.closed = true
	q.fault = ErrClosed
	q.mu.Unlock()
	q.file.Lock()
	defer q.file.Unlock()
	if q.db == nil {
		return spillErr
	}
	err := errors.Join(spillErr, q.db.Close(), q.closeJournal())
	q.db = nil
	return classify("close the queue", err)
}

// empty puts what the journal holds into the file.
func (q *Queue) empty(ctx context.Context) error {
	q.mu.Lock()
	empty := q.held.empty()
	q.mu.Unlock()
	if empty {
		return nil
	}
	return q.do(ctx, &op{internal: func(c *commit) error { c.dirty = true; return nil }})
}

// Changed returns a channel that is closed when there is something new to send.
func (q *Queue) Changed() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.changed
}

// wake tells whoever waits that there is something new to send. q.mu is held.
func (q *Queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Lanes returns every lane that holds records, owes the backend word of lost ones, or takes new ones: the ledger first,
// then telemetry, and each from its oldest epoch to the current one.
func (q *Queue) Lanes() []LaneState {
	q.mu.Lock()
	defer q.mu.Unlock()
	states := make([]LaneState, 0, len(q.lanes)+1)
	for _, l := range q.lanes {
		if q.spent(l) {
			continue // its row goes with the next commit
		}
		states = append(states, q.state(l))
	}
	sort.Slice(states, func(i, j int) bool {
		a, b := states[i], states[j]
		return cmp.Or(cmp.Compare(a.Lane, b.Lane), cmp.Compare(q.order(a.LaneID), q.order(b.LaneID))) < 0
	})
	return states
}

// order returns a lane's place among the epochs of its lane. q.mu is held.
func (q *Queue) order(id LaneID) uint64 {
	if l := q.lanes[id]; l != q.current {
		return l.ordinal
	}
	return math.MaxUint64
}

func (q *Queue) state(l *lane) LaneState {
	s := l.state()
	if l == q.current {
		s.InMemory = uint64(len(q.memory))
	}
	return s
}
