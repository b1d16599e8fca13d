package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/buffer"
	"github.com/stampd/stampd/loyalty/ledger"
	"github.com/stampd/stampd/uplink/cli"
)

// errNotWhole says that something is wrong with a queue file.
var errNotWhole = errors.New("the queue file is not whole")

func newQueueVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Look at everything in the queue file, and say what is wrong",
		Long: `Look at every page, bucket and row of the queue file and its journal, open every
seal, follow the ledger's chain and numbering, and add up every card. Exit 0 when
all is well, 1 when not or when it could not be looked at; with --json, "reason" says
which. Nothing is changed: what is wrong is set aside and salvaged by the next
'stampd run', which tells the backend what was saved. The agent must not be running.`,
		Example: `  stampd queue verify
  stampd queue verify --json
  stampd queue verify --file /var/lib/stampd/queue.db.damaged-1767225600000000000`,
	}
	addQueueFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := openQueueFile(cmd, true)
		if err != nil {
			return err
		}
		asJSON, _ := cmd.Flags().GetBool("json")
		err = verifyQueue(cmd, f, asJSON)
		return errors.Join(err, f.Close())
	}
	return cmd
}

// findingJSON is a finding in JSON.
type findingJSON struct {
	Where   string `json:"where"`
	Lane    string `json:"lane,omitempty"`
	Epoch   string `json:"epoch,omitempty"`
	Seq     uint64 `json:"seq,string,omitempty"`
	Problem string `json:"problem"`
}

// verdictJSON is the last line in JSON.
type verdictJSON struct {
	OK          bool   `json:"ok"`
	Findings    uint64 `json:"findings,string"`
	Records     uint64 `json:"records,string"`
	Quarantined uint64 `json:"quarantined,string"`
	Rows        uint64 `json:"rows,string"`
}

func verifyQueue(cmd *cobra.Command, f *buffer.File, asJSON bool) error {
	w, lines := cmd.OutOrStdout(), json.NewEncoder(cmd.OutOrStdout())
	found := uint64(0)
	var writing error
	report := func(finding buffer.Finding) {
		found++
		if !asJSON {
			_, writing = fmt.Fprintln(w, printable(finding.String()))
			return
		}
		line := findingJSON{Where: finding.Where, Seq: finding.Seq, Problem: finding.Problem}
		if finding.LaneID != (buffer.LaneID{}) {
			line.Lane, line.Epoch = finding.Lane.String(), finding.Epoch.String()
		}
		writing = lines.Encode(line)
	}
	done := f.Verify(report)
	ledger.Verify(f, report)
	if writing != nil {
		return writing
	}
	if asJSON {
		verdict := verdictJSON{OK: found == 0, Findings: found, Records: done.Records, Quarantined: done.Quarantined, Rows: done.Rows}
		if err := lines.Encode(verdict); err != nil {
			return err
		}
	} else if found == 0 {
		fmt.Fprintf(w, "%s: ok, %s, %d in quarantine, %s\n", f.State().Path, count(done.Records, "record"), done.Quarantined, count(done.Rows, "row"))
	}
	if found > 0 {
		return cli.WithHint(fmt.Errorf("%w: %s", errNotWhole, count(found, "finding")), hintNotWhole(f))
	}
	return nil
}

// hintNotWhole returns what to do about a queue file that is not whole.
func hintNotWhole(f *buffer.File) string {
	if f.Foreign() {
		return "move " + buffer.JournalOf(f.State().Path) + " to the terminal that it belongs to, or away: the agent does not start on it, and changes nothing"
	}
	return "keep the file: what can be read of damaged pages is salvaged when the agent starts"
}
