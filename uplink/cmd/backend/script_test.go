package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/stampd/stampd/uplink/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stampd-backend": main})
}

// The scripts in testdata run the command line as a person would, one topic each.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			// Two addresses that nobody listens on: one for a backend, and one that the script is given as taken.
			free, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			env.Defer(func() { taken.Close() })
			env.Setenv("FREE", free.Addr().String())
			env.Setenv("TAKEN", taken.Addr().String())
			return free.Close()
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await-listener": awaitListener,
			"sample":         sample,
			"self-sign":      selfSign,
			"usage":          usage,
		},
	})
}

// awaitListener waits until somebody listens on an address.
func awaitListener(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if conn, err := net.Dial("tcp", args[0]); err == nil {
			conn.Close()
			return
		}
	}
	ts.Fatalf("nobody listens on %s", args[0])
}

// sample writes the programme that the last command's help shows into a file, as somebody copies it.
func sample(ts *testscript.TestScript, _ bool, args []string) {
	_, text, found := strings.Cut(ts.ReadFile("stdout"), "\n\n  id = ")
	text, _, ended := strings.Cut(text, "\n\n")
	if !found || !ended {
		ts.Fatalf("the help shows no programme")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("id = "+text), 0o600))
}

// selfSign writes a certificate for 127.0.0.1 without serverAuth, or one for servers that has a common name alone:
// self-sign no-server|no-host FILE.
func selfSign(ts *testscript.TestScript, _ bool, args []string) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "backend"}, NotAfter: time.Now().Add(time.Hour)}
	switch args[0] {
	case "no-server":
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	case "no-host":
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	default:
		ts.Fatalf("no such certificate: %s", args[0])
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
}

// usage runs the command line, which must end with the exit code for a call that is not there. What it wrote to standard
// error is a script's to look at.
func usage(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("stampd-backend", args...)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if want := int(cli.ExitUsage); !ok || exit.ExitCode() != want {
		ts.Fatalf("ended with %v, want exit code %d", err, want)
	}
}
