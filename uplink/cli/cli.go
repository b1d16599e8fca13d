// Package cli is what the command lines of stampd and stampd-backend share, so that the same mistake gets the same words
// and the same exit code in both.
//
// The two programs' package main use it and nobody else. It knows commands, flags, errors and terminals; it never knows
// what a command does, and never repeats a value that was given for a flag: that may be a card's number.
package cli

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs root with the program's arguments until it ends, or until SIGINT or SIGTERM ends its context. It prints the
// error, if there is one, as explain tells it, and returns the exit code. Call it once.
func Main(root *cobra.Command, explain func(error) Fault) Exit {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, root, os.Args[1:], explain)
}

// Run is [Main] with arguments and a context of the caller's. root is one that went through [Prepare].
func Run(ctx context.Context, root *cobra.Command, args []string, explain func(error) Fault) Exit {
	root.SetArgs(args)
	out := &output{to: root.OutOrStdout()}
	root.SetOut(out)
	misnamed := refuseHelp(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = misnamed()
	}
	err = out.judge(err)
	if err == nil {
		return ExitOK
	}
	if wantsJSON(cmd, args) {
		printJSON(cmd.ErrOrStderr(), err, explain)
	} else {
		Print(cmd.ErrOrStderr(), err, explain)
	}
	return explain(err).Exit
}

// wantsJSON reports whether --json was asked for. It also looks at the arguments, because a mistake before --json keeps
// the flag from being read.
func wantsJSON(cmd *cobra.Command, args []string) bool {
	asked, _ := cmd.Flags().GetBool("json")
	return asked || slices.Contains(args, "--json")
}
