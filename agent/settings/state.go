package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// format is the version of the file's form.
	format = 1
	// maxFile is the most that is read of a file, in bytes: three texts, each of whose bytes may be written as two.
	maxFile = 128 << 10
	// maxUntold is how many events wait for the ledger. The oldest go first.
	maxUntold = 16
	// setAside is added to the name of a file that can't be read.
	setAside = ".damaged"
)

// state is what is on disk: one file, which is replaced as a whole at each step, so that there is no half of a step.
type state struct {
	Format   int     `json:"format"`
	Kept     Version `json:"kept"`            // has proved itself
	Previous Version `json:"previous"`        // was kept before
	Trial    *trial  `json:"trial,omitempty"` // has not yet
	Refused  uint32  `json:"refused"`         // the number of what was refused or given up last
	Unfit    bool    `json:"unfit"`           // Kept does not go with the config file, and that was told
	Untold   []tale  `json:"untold,omitempty"`
}

// trial is settings on trial.
type trial struct {
	Version
	Starts int  `json:"starts"` // of the agent, with them
	Told   bool `json:"told"`   // that they are in force
}

// tale is an event that is not in the ledger yet.
type tale struct {
	Kind    wire.AuditKind `json:"kind"`
	Number  uint32         `json:"version,omitempty"`
	Subject string         `json:"subject,omitempty"`
	Found   string         `json:"found,omitempty"`
	Count   uint32         `json:"count,omitempty"`
}

// inForce returns what the agent runs with, or would if it went with the config file.
func (s *state) inForce() Version {
	if s.Trial != nil {
		return s.Trial.Version
	}
	return s.Kept
}

// add adds an event to those that are to be told.
func (s *state) add(t tale) {
	if len(s.Untold) >= maxUntold {
		s.Untold = s.Untold[1:]
	}
	s.Untold = append(s.Untold, t)
}

// clone returns a copy that shares nothing that changes.
func (s state) clone() state {
	if s.Trial != nil {
		s.Trial = new(*s.Trial)
	}
	s.Untold = append([]tale(nil), s.Untold...)
	return s
}

// load reads a file. Where there is none, there is nothing.
func load(path string) (state, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return state{Format: format}, nil
	}
	if err != nil {
		return state{}, fmt.Errorf("cannot read settings of the backend: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return state{}, fmt.Errorf("cannot read settings of the backend: %w", err)
	}
	return parse(data)
}

// parse reads the contents of a file.
func parse(data []byte) (state, error) {
	if len(data) > maxFile {
		return state{}, errors.New("cannot read settings of the backend: the file is too large")
	}
	var s state
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if dec.Decode(&s) != nil || s.Format != format { // the decoder's error could hold what is in the file
		return state{}, fmt.Errorf("cannot read settings of the backend: the file is not of format %d", format)
	}
	for _, v := range []Version{s.Kept, s.Previous, s.inForce()} {
		if len(v.TOML) > MaxText {
			return state{}, errors.New("cannot read settings of the backend: the text is too large")
		}
	}
	if len(s.Untold) > maxUntold || s.Trial != nil && s.Trial.Starts < 0 {
		return state{}, errors.New("cannot read settings of the backend: the file makes no sense")
	}
	return s, nil
}

// save puts a state on disk, and then into the store. After an error the store is as it was. The caller holds mu.
func (s *Store) save(next state) error {
	if s.locked != nil {
		return s.locked
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(next); err != nil {
		return fmt.Errorf("cannot keep settings of the backend: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o700); err != nil {
		return fmt.Errorf("cannot keep settings of the backend: %w", err)
	}
	if err := file.Replace(s.Path, data.Bytes(), 0o600); err != nil {
		return err
	}
	s.state = next
	return nil
}

// discard sets a file aside that can't be read, and has that told.
func (s *Store) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked != nil {
		return
	}
	if err := file.Rename(s.Path, s.Path+setAside); err != nil {
		s.Log.Error().Err(err).Msg("settings that can't be read can't be set aside either")
	}
	next := s.state.clone()
	next.add(tale{Kind: wire.AuditKind_AUDIT_KIND_SETTINGS_REFUSED, Subject: filepath.Base(s.Path), Found: string(Damaged)})
	if err := s.save(next); err != nil {
		s.state = next // told all the same, at each start until the disk is well
		s.Log.Error().Err(err).Msg("settings of the backend can't be kept")
	}
}
