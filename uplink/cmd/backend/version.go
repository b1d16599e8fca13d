package main

import (
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set at build time by -ldflags -X; empty in a plain `go build`.
var version, commit string

// Version says what this program is.
type Version struct {
	Version     string `json:"version"`      // as tagged, or "devel"
	Commit      string `json:"commit"`       // the commit it was built from; empty means unknown
	Go          string `json:"go"`           // of the toolchain
	Platform    string `json:"platform"`     // operating system and architecture
	FIPS        bool   `json:"fips_enabled"` // whether the cryptographic module runs in FIPS 140-3 mode
	FIPSVersion string `json:"fips_version"` // version of the cryptographic module
}

func newVersionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go version and FIPS 140-3 state",
		Example: "  stampd-backend version\n  stampd-backend version --json",
		Args:    noArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := thisVersion()
		if *asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(v)
		}
		fips := "off"
		if v.FIPS {
			fips = "on"
		}
		shown := v.Commit
		if shown == "" {
			shown = "unknown"
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "stampd-backend %s\ncommit %s\n%s %s\nFIPS 140-3 %s, module %s\n",
			v.Version, shown, v.Go, v.Platform, fips, v.FIPSVersion)
		return err
	}
	return cmd
}

// thisVersion returns what the linker was told, else what the toolchain noted.
func thisVersion() Version {
	v := Version{
		Version:     version,
		Commit:      commit,
		Go:          runtime.Version(),
		Platform:    runtime.GOOS + "/" + runtime.GOARCH,
		FIPS:        fips140.Enabled(),
		FIPSVersion: fips140.Version(),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	if v.Version == "" {
		v.Version = info.Main.Version
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && v.Commit == "" {
			v.Commit = s.Value
		}
	}
	return v
}
