package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go version and FIPS 140-3 state",
		Example: "  stampd version\n  stampd version --json",
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(thisVersion())
		}
		printVersion(cmd.OutOrStdout(), thisVersion())
		return nil
	}
	return cmd
}

func printVersion(w io.Writer, v Version) {
	fips := "off"
	if v.FIPS {
		fips = "on"
	}
	commit := v.Commit
	if commit == "" {
		commit = "unknown"
	}
	fmt.Fprintf(w, "stampd %s\ncommit %s\n%s %s\nFIPS 140-3 %s, module %s\n", v.Version, commit, v.Go, v.Platform, fips, v.FIPSVersion)
}
