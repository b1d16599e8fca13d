package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

const exportHelp = `Formats:
  jsonl   one record a line: lane, epoch, seq, and its events in protobuf's JSON
          mapping, 64-bit numbers as strings. Where that would lose something, the
          bytes are there too, as payload in base64.
  proto   messages of stampd.v1.QueueRecord, each after its length as a varint.

A record that can't be opened is exported sealed, with the reason, and the exit code
is 1. The file is made with mode 0600, and never written over another.`

func newQueueExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write every record to a file, with nothing left out",
		Long:  "Write the records of the queue to a file or to standard output.\n\n" + exportHelp,
		Example: `  stampd queue export --out queue.jsonl
  stampd queue export --lane ledger --format proto --out ledger.pb
  stampd queue export --out - | jq -r '.events[].payment.idempotencyKey'`,
	}
	addQueueFlags(cmd)
	addExportFlags(cmd)
	lane := cmd.Flags().String("lane", "", "only this lane: ledger or telemetry, and /EPOCH if need be")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var args []string
		if *lane != "" {
			args = []string{*lane}
		}
		s, err := parseSelection(args)
		if err != nil {
			return err
		}
		return exportRecords(cmd, func(q queueSource) iter.Seq2[*wire.QueueRecord, error] { return s.of(cmd.Context(), q) })
	}
	return cmd
}

func addExportFlags(cmd *cobra.Command) {
	cmd.Flags().String("out", "", "the file to write, or - for standard output (required)")
	cmd.Flags().String("format", "jsonl", "jsonl or proto")
}

// exported is what an export has written.
type exported struct {
	Records    uint64 `json:"records,string"`
	Unreadable uint64 `json:"unreadable,string"`
}

// exportRecords writes the records that read finds where the flags say.
func exportRecords(cmd *cobra.Command, read func(queueSource) iter.Seq2[*wire.QueueRecord, error]) (err error) {
	if err := cli.Require(cmd, "out"); err != nil {
		return err
	}
	write, err := exporter(cmd)
	if err != nil {
		return err
	}
	q, err := openQueueSource(cmd, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.close()) }()
	out, _ := cmd.Flags().GetString("out")
	file := io.WriteCloser(standard{cmd.OutOrStdout()})
	if out != "-" {
		if file, err = create(out); err != nil {
			return err
		}
	}
	done, err := export(file, read(q), write)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := errors.Join(sayExported(cmd, out, done), q.damage()); err != nil {
		return err
	}
	if done.Unreadable > 0 {
		return fmt.Errorf("%d of %s could not be read; they are exported as they are", done.Unreadable, count(done.Records, "record"))
	}
	return nil
}

// sayExported says how much was written, where it is not in the way.
func sayExported(cmd *cobra.Command, out string, done exported) error {
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON && out != "-" {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(done)
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "%s exported\n", count(done.Records, "record"))
	return err
}

// exporter returns what writes a record, and reports whether it could be read.
func exporter(cmd *cobra.Command) (func(io.Writer, *wire.QueueRecord) (bool, error), error) {
	switch format, _ := cmd.Flags().GetString("format"); format {
	case "jsonl":
		return func(w io.Writer, r *wire.QueueRecord) (bool, error) {
			line, ok := toJSON(r, nil)
			return ok, json.NewEncoder(w).Encode(line)
		}, nil
	case "proto":
		return func(w io.Writer, r *wire.QueueRecord) (bool, error) {
			_, problem := opened(r)
			_, err := protodelim.MarshalTo(w, r)
			return problem == "", err
		}, nil
	}
	return nil, &cli.UsageError{Problem: "cannot read --format: no such format", Remedy: "it is jsonl or proto"}
}

func export(w io.Writer, records iter.Seq2[*wire.QueueRecord, error], write func(io.Writer, *wire.QueueRecord) (bool, error)) (done exported, err error) {
	buffered := bufio.NewWriter(w)
	for r, err := range records {
		if err != nil {
			return done, errors.Join(err, buffered.Flush())
		}
		ok, err := write(buffered, r)
		if err != nil {
			return done, fmt.Errorf("cannot export: %w", err)
		}
		done.Records++
		if !ok {
			done.Unreadable++
		}
	}
	if err := buffered.Flush(); err != nil {
		return done, fmt.Errorf("cannot export: %w", err)
	}
	return done, nil
}

// standard is an output that is not closed.
type standard struct{ io.Writer }

func (standard) Close() error { return nil }

// create makes a new file that is on disk when it is closed.
func create(path string) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, cli.WithHint(fmt.Errorf("cannot export to %s: it exists already", path), "name a new file")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot export: %w", err)
	}
	return synced{f}, nil
}

type synced struct{ *os.File }

func (f synced) Close() error { return errors.Join(f.Sync(), f.File.Close()) }
