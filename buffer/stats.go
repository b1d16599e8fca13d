package buffer

// Stats is how the queue is, at one moment.
type Stats struct {
	Path        string
	Lanes       []LaneState // as [Queue.Lanes]; without the ledger as long as the file could not be opened: what it holds is not known
	FileSize    int64       // bytes; 0 while the file can't be used
	MaxSize     int64       // bytes
	Commits     uint64      // commits since Open
	Dropped     uint64      // telemetry records dropped to make room, since Open
	Quarantined uint64      // records in quarantine; 0 as long as the file could not be opened
	Fault       error       // why the file can't be used; nil when it can
}

// Stats returns how the queue is.
func (q *Queue) Stats() Stats {
	s := Stats{Path: q.opts.Path, Lanes: q.Lanes(), MaxSize: q.opts.MaxSize, FileSize: q.fileSize()}
	q.mu.Lock()
	defer q.mu.Unlock()
	s.Commits, s.Dropped, s.Quarantined, s.Fault = q.commits, q.dropped, q.quarantined, q.fault
	return s
}

func (q *Queue) fileSize() int64 {
	q.file.RLock()
	defer q.file.RUnlock()
	if q.db == nil {
		return 0
	}
	tx, err := q.begin(false)
	if err != nil {
		return 0
	}
	defer tx.Rollback()
	return tx.Size()
}
