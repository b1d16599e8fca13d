package main

import "github.com/stampd/stampd/uplink/cli"

// Set at build time by -ldflags -X; empty in a plain `go build`.
var version, commit string

// Version says what this program is.
type Version = cli.Version
