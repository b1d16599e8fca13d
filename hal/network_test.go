package hal_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/hal/haltest"
	"github.com/stampd/stampd/uplink/wire"
)

// networkOf writes a tree of testdata/net into a directory, and returns the board that is there.
func networkOf(t *testing.T, tree *haltest.Tree) (board *hal.Board, root string) {
	t.Helper()
	root = t.TempDir()
	if err := tree.Write(root); err != nil {
		t.Fatal(err)
	}
	board = hal.Open(hal.Profile{
		Root: root, SysRoot: filepath.Join(root, "sys"), ProcRoot: filepath.Join(root, "proc"), SystemBus: hal.NoBus,
		Addresses: func() (map[string][]string, error) {
			content, err := os.ReadFile(filepath.Join(root, "addresses"))
			if err != nil {
				return nil, err
			}
			all := map[string][]string{}
			for line := range strings.Lines(string(content)) {
				f := strings.Fields(line)
				all[f[0]] = f[1:]
			}
			return all, nil
		},
	})
	t.Cleanup(board.Close)
	return board, root
}

func TestNetworkTrees(t *testing.T) {
	archives, err := filepath.Glob("../testdata/net/*.txtar")
	if err != nil || len(archives) < 6 {
		t.Fatalf("%d trees (%v), want at least six", len(archives), err)
	}
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			tree, err := haltest.ReadTree(archive)
			if err != nil {
				t.Fatal(err)
			}
			reading, err := fs.ReadFile(tree, "reading")
			if err != nil {
				t.Fatal(err)
			}
			want := new(wire.NetworkStatus)
			if err := prototext.Unmarshal(reading, want); err != nil {
				t.Fatal(err)
			}
			board, _ := networkOf(t, tree)
			if diff := cmp.Diff(want, board.Network(t.Context()), protocmp.Transform()); diff != "" {
				t.Errorf("the network differs (-want +got):\n%s", diff)
			}
		})
	}
}

// What fails is unknown, and takes nothing else with it.
func TestNetworkWithoutAPart(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(root string) error
		want  func(*wire.NetworkStatus) // takes what must be missing
	}{
		{"no table of IPv4", func(root string) error { return os.Remove(filepath.Join(root, "proc/net/route")) },
			func(s *wire.NetworkStatus) { s.Ipv4Routes = nil }},
		{"no procfs", func(root string) error { return os.RemoveAll(filepath.Join(root, "proc")) },
			func(s *wire.NetworkStatus) {
				s.Ipv4Routes, s.Ipv6Routes = nil, nil
				for _, l := range s.Links.Links {
					l.Ipv6, l.Addresses = nil, l.Addresses[:1]
				}
			}},
		{"no netlink", func(root string) error { return os.Remove(filepath.Join(root, "addresses")) },
			func(s *wire.NetworkStatus) {
				s.Links.Links[0].Addresses, s.Links.Links[1].Addresses = s.Links.Links[0].Addresses[1:], nil
				s.Links.Links[0].Ipv4, s.Links.Links[1].Ipv4 = nil, nil
			}},
		{"a table without end", func(root string) error {
			table := filepath.Join(root, "proc/net/ipv6_route")
			content, err := os.ReadFile(table)
			return errors.Join(err, os.WriteFile(table, []byte(strings.Repeat(string(content), 1000)), 0o600))
		}, func(s *wire.NetworkStatus) { s.Ipv6Routes = nil }},
		{"a resolver's file that hangs", func(root string) error {
			file := filepath.Join(root, "etc/resolv.conf")
			return errors.Join(os.Remove(file), unix.Mkfifo(file, 0o600))
		}, func(s *wire.NetworkStatus) { s.NameServers = nil }},
		{"no resolver's file", func(root string) error { return os.RemoveAll(filepath.Join(root, "etc")) },
			func(s *wire.NetworkStatus) { s.NameServers = nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tree, err := haltest.ReadTree("../testdata/net/wifi.txtar")
			if err != nil {
				t.Fatal(err)
			}
			board, root := networkOf(t, tree)
			want := board.Network(t.Context())
			test.want(want)
			if err := test.spoil(root); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			got := board.Network(t.Context())
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("the network differs (-want +got):\n%s", diff)
			}
			if fifo, err := os.OpenFile(filepath.Join(root, "etc/resolv.conf"), os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
				_ = fifo.Close() // lets the hung read go
			}
		})
	}
}

// The running kernel's own tables can be read.
func TestNetworkOfThisMachine(t *testing.T) {
	board := hal.Open(hal.Profile{SystemBus: hal.NoBus})
	defer board.Close()
	s := board.Network(t.Context())
	if s.Links == nil || s.Ipv4Routes == nil || s.Ipv6Routes == nil {
		t.Fatalf("unknown: %v", s)
	}
	links := map[string]bool{}
	for _, l := range s.Links.Links {
		links[l.Name] = l.Ipv4 != nil && l.Ipv6 != nil
	}
	for _, r := range append(s.Ipv4Routes.Routes, s.Ipv6Routes.Routes...) {
		if !links[r.Interface] {
			t.Errorf("the default route leads over %s, which is not listed with its addresses", r.Interface)
		}
	}
	t.Log(prototext.MarshalOptions{Multiline: true}.Format(s))
}
