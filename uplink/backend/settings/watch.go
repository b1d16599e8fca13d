package settings

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stampd/stampd/uplink/file"
)

// watchEvery is how often the store looks whether another process has put something.
const watchEvery = 500 * time.Millisecond

// revisionFile is made anew after each Put. It can't be a merchant's folder: their names have no underscore.
const revisionFile = "_revision"

// revision tells one revisionFile from another. There is none in a new folder.
type revision struct {
	inode uint64
	when  syscall.Timespec
}

func (s *Store) stat() (r revision) {
	var st syscall.Stat_t
	if syscall.Stat(filepath.Join(s.dir, revisionFile), &st) == nil {
		r = revision{st.Ino, st.Ctim}
	}
	return r
}

// announce tells this process and others that there is something new.
func (s *Store) announce() error {
	if err := file.Replace(filepath.Join(s.dir, revisionFile), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	s.refresh()
	return nil
}

// refresh forgets what was read when there is something new.
func (s *Store) refresh() {
	now := s.stat()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now == s.revision {
		return
	}
	s.revision = now
	clear(s.merchants)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changed returns a channel that is closed when some settings may have changed.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// Watch looks for what other processes put, twice a second until ctx ends.
func (s *Store) Watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.refresh()
		}
	}
}
