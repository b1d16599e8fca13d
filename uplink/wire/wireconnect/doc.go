// Package wireconnect is the local API of a terminal as Connect handlers and clients.
//
// All of it is generated from local.proto. The agent serves with it; its own subcommands, and programs beside it on the
// terminal, call with it. The uplink never uses it: there both ends speak gRPC with package wire.
package wireconnect
