package cli

import (
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version says what a program is.
type Version struct {
	Version     string `json:"version"`     // as tagged, or "devel"
	Commit      string `json:"commit"`      // the commit it was built from; empty means unknown
	Go          string `json:"go"`          // of the toolchain
	Platform    string `json:"platform"`    // operating system and architecture
	FIPS        bool   `json:"fipsEnabled"` // whether the cryptographic module runs in FIPS 140-3 mode
	FIPSVersion string `json:"fipsVersion"` // version of the cryptographic module
}

// NewVersion returns what the linker was told, else what the toolchain noted. Empty arguments mean that the linker was
// told nothing.
func NewVersion(version, commit string) Version {
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

// print writes four lines; the first is the one of --version.
func (v Version) print(w io.Writer, program string) {
	fips := "off"
	if v.FIPS {
		fips = "on"
	}
	commit := v.Commit
	if commit == "" {
		commit = "unknown"
	}
	fmt.Fprintf(w, "%s %s\ncommit %s\n%s %s\nFIPS 140-3 %s, module %s\n", program, v.Version, commit, v.Go, v.Platform, fips, v.FIPSVersion)
}

// NewVersionCommand returns the command "version" of a program.
func NewVersionCommand(program string, v Version) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit, Go version and FIPS 140-3 state",
		Example: fmt.Sprintf("  %[1]s version\n  %[1]s version --json", program),
	}
	asJSON := cmd.Flags().Bool("json", false, "print as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *asJSON {
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(v)
		}
		v.print(cmd.OutOrStdout(), program)
		return nil
	}
	return cmd
}
