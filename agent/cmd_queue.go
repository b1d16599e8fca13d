package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/pci"
	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/wire"
)

func newQueueCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "queue",
		Short: "Look into the queue, running agent or not",
		Long: `Look into the queue: what waits for the backend, what the backend refused, and
whether the file is whole. While the agent runs, it is asked, which takes root or a
user of local.admin_uids; when it does not, the file is read, and nothing in it is
changed but by 'quarantine drop'. Not a byte of a card's number is ever in it.`,
		Example: `  stampd queue list
  stampd queue show ledger --limit 5
  stampd queue export --out queue.jsonl
  stampd queue verify --file /var/lib/stampd/queue.db.damaged-1767225600000000000`,
	}
	cmd.AddCommand(newQueueListCommand(), newQueueShowCommand(), newQueueExportCommand(), newQueueVerifyCommand(), newQuarantineCommand())
	return cmd
}

// queueSource is where the queue is read: from the agent that holds it, or from its file.
type queueSource interface {
	// list says what the queue holds.
	list(ctx context.Context) (*wire.ListQueueResponse, error)
	// records returns the records of a lane from a seq on, in order.
	records(ctx context.Context, lane *wire.QueueLane, from uint64) iter.Seq2[*wire.QueueRecord, error]
	// quarantine returns the records that the backend refused.
	quarantine(ctx context.Context) iter.Seq2[*wire.QueueRecord, error]
	// explain has records say from now on why they stay.
	explain()
	// damage returns what keeps records from being found, or nil.
	damage() error
	close() error
}

// addQueueFlags adds the flags of a command that reads the queue.
func addQueueFlags(cmd *cobra.Command) {
	cmd.Flags().String("file", "", "a queue file, to be read without asking the agent")
	cmd.Flags().String("key-file", "", "the key of that file (default: the config's queue.key_file)")
	cmd.Flags().String("socket", "", "the agent's socket (default: the config's local.socket)")
	cmd.Flags().Bool("json", false, "print as JSON")
}

// openQueueSource asks the agent if one answers, and else opens the file. Without its key a file can be listed: with
// needsKey false, that it can't be used is a warning.
func openQueueSource(cmd *cobra.Command, needsKey bool) (queueSource, error) {
	if file, _ := cmd.Flags().GetString("file"); file == "" {
		socket, err := socketOf(cmd)
		if err != nil {
			return nil, err
		}
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return newQueueOfAgent(cmd)
		} else if !nobodyListens(err) {
			return nil, (&client{socket: socket}).reach(err)
		}
	}
	f, err := openQueueFile(cmd, needsKey)
	if err != nil {
		return nil, err
	}
	return newQueueOfFile(cmd, f), nil
}

// openQueueFile opens the file that the flags or the config name.
func openQueueFile(cmd *cobra.Command, needsKey bool) (*buffer.File, error) {
	path, keyFile, err := queuePaths(cmd)
	if err != nil {
		return nil, err
	}
	var keys *pci.Sealer
	key, err := pci.LoadKey(keyFile)
	if err == nil {
		keys, err = pci.NewSealer(key)
	}
	if err != nil {
		if needsKey {
			return nil, err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err)
	}
	f, err := buffer.OpenReadOnly(path, keys)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.WithHint(fmt.Errorf("there is no queue at %s", path), "the agent makes one when it starts; --config or --file names another")
	case errors.Is(err, fs.ErrPermission):
		return nil, cli.WithHint(fmt.Errorf("cannot read queue %s: no permission", path), "run as root, or as the agent's user")
	case errors.Is(err, buffer.ErrLocked):
		return nil, cli.WithHint(fmt.Errorf("cannot read queue %s: %w", path, err), hintHeld)
	case err != nil:
		return nil, fmt.Errorf("cannot read queue %s: %w", path, err)
	}
	return f, nil
}

const hintHeld = "the agent holds it: stop it first, with 'systemctl stop stampd'"

// queuePaths returns the queue's file and its key's.
func queuePaths(cmd *cobra.Command) (file, keyFile string, err error) {
	file, _ = cmd.Flags().GetString("file")
	keyFile, _ = cmd.Flags().GetString("key-file")
	if file != "" && keyFile != "" {
		return file, keyFile, nil
	}
	config, _ := cmd.Flags().GetString("config")
	cfg, err := loadConfig(config)
	if err != nil {
		return "", "", err
	}
	if file == "" {
		file = cfg.Queue.Path
	}
	if keyFile == "" {
		keyFile = cfg.Queue.KeyFile
	}
	return file, keyFile, nil
}
