package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stampd/stampd/uplink/cli"
	"github.com/stampd/stampd/uplink/est"
)

func newEnrollCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Get the terminal's certificate, for a one-time token",
		Long: `Get the terminal's certificate from an EST server (RFC 7030), for a one-time token.
It makes a key and writes uplink.cert, uplink.key and, where there is none, uplink.ca.
The server is trusted by uplink.ca, by --ca, or by the fingerprint of its authority.

Interrupted at any moment it can be run again: the token stays good for the same key.
A certificate that is there and valid is left alone, unless --force is given. Run it as
the user that the agent runs as; a running agent takes the new certificate by itself.`,
		Example: `  stampd enroll --token - --est est.example:8444 --fingerprint 4F:1D:... < token.txt
  stampd enroll --token jTXu0Q... --ca ca.pem --config ./stampd.toml --json`,
	}
	var e enrolment
	var fingerprint string
	flags := cmd.Flags()
	token := flags.String("token", "", "the one-time token, or - to read it from standard input (required)")
	server := flags.String("est", "", "the EST server, host:port or https://host:port (default: the config's uplink.est)")
	flags.StringVar(&e.caFile, "ca", "", "the authorities that its certificate may come from, PEM (default: the config's uplink.ca)")
	flags.StringVar(&fingerprint, "fingerprint", "", "SHA-256 fingerprint of its authority's certificate, instead of --ca")
	flags.BoolVar(&e.force, "force", false, "replace a certificate or a key that is there")
	flags.Bool("json", false, "print what was made as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if err := cli.Require(cmd, "token"); err != nil {
			return err
		}
		if e.caFile != "" && fingerprint != "" {
			return &cli.UsageError{Problem: "want --ca or --fingerprint, not both", Remedy: cli.SeeHelp(cmd)}
		}
		if e.token, err = readToken(cmd.InOrStdin(), *token); err != nil {
			return err
		}
		path, _ := cmd.Flags().GetString("config")
		if e.cfg, err = loadConfig(path); err != nil {
			return err
		}
		if e.server, err = serverOf(cmd, cmp.Or(*server, e.cfg.Uplink.EST)); err != nil {
			return err
		}
		if fingerprint != "" {
			sum, err := est.ParseFingerprint(fingerprint)
			if err != nil {
				return &cli.UsageError{Problem: "cannot read --fingerprint: " + err.Error(), Remedy: "'stampd-backend ca init' prints it, and so does: openssl x509 -in ca.pem -noout -fingerprint -sha256"}
			}
			e.fingerprint = &sum
		}
		made, err := e.run(cmd.Context())
		if err != nil {
			return explainEnrolment(err)
		}
		asJSON, _ := cmd.Flags().GetBool("json")
		return made.print(cmd.OutOrStdout(), asJSON)
	}
	return cmd
}

// maxToken is more than any token has, in bytes.
const maxToken = 4 << 10

// readToken returns the token, from in when the flag is "-".
func readToken(in io.Reader, flag string) (string, error) {
	if flag != "-" {
		return flag, nil
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxToken)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("cannot read the token from standard input: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", &cli.UsageError{Problem: "cannot read --token: standard input has none", Remedy: "for example: stampd enroll --token - < token.txt"}
	}
	return line, nil
}

// serverOf reads the address of the server.
func serverOf(cmd *cobra.Command, s string) (est.Address, error) {
	if s == "" {
		return "", &cli.UsageError{Problem: "missing --est", Remedy: "name the EST server with it, or with est in section [uplink] of the config file"}
	}
	address, err := est.ParseAddress(s)
	if err != nil {
		return "", &cli.UsageError{Problem: "cannot read --est: " + err.Error(), Remedy: cli.SeeHelp(cmd)}
	}
	return address, nil
}

// enrolled is what `stampd enroll` prints.
type enrolled struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Serial   string `json:"serial"`   // of the certificate, in hexadecimal
	NotAfter string `json:"notAfter"` // when it ends, RFC 3339
	Cert     string `json:"cert"`     // where it is
	Key      string `json:"key"`
	CA       string `json:"ca"`
	New      bool   `json:"new"` // false: a valid certificate was there, and was left alone
}

func (e *enrolled) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(e)
	}
	what := "enrolled"
	if !e.New {
		what = "is enrolled already; nothing was changed, --force gets another certificate"
	}
	_, err := fmt.Fprintf(w, "terminal %s of merchant %s %s\n  certificate  %s, serial %s, until %s\n  key          %s\n  authority    %s\n",
		e.Terminal, e.Merchant, what, e.Cert, e.Serial, e.NotAfter, e.Key, e.CA)
	return err
}
