// Package wire is the schema of stampd in Go: every event that leaves a terminal, the stream between a terminal and the
// backend, and the local API of a terminal.
//
// All of it is generated from the .proto files beside it, which say what each field means, its unit and its range.
// Everybody may use it. It holds no rules: what may be in a message is checked where the message comes in.
package wire
