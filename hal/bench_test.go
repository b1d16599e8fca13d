package hal_test

import (
	"os"
	"testing"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
)

// What one reading of each kind costs: times the schedules of agent/collect, that is the agent's idle load.

func BenchmarkBatteries(b *testing.B) {
	root := b.TempDir()
	tree, err := haltest.ReadTree("../testdata/sys/healthy.txtar")
	if err != nil {
		b.Fatal(err)
	}
	if err := tree.Write(root); err != nil {
		b.Fatal(err)
	}
	board := hal.Open(hal.Profile{SysRoot: root})
	b.ReportAllocs()
	for b.Loop() {
		if len(board.Batteries(b.Context())) != 1 {
			b.Fatal("no reading")
		}
	}
}

func BenchmarkHost(b *testing.B) {
	board := hal.Open(hal.Profile{})
	b.ReportAllocs()
	for b.Loop() {
		board.Host(b.Context())
	}
}

func BenchmarkApp(b *testing.B) {
	board := hal.Open(hal.Profile{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := board.App(b.Context(), "stampd", os.Getpid()); err != nil {
			b.Fatal(err)
		}
	}
}
