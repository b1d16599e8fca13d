package kernel_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stampd/stampd/cross-build/simulator/kernel"
)

// writeModule writes an ELF file of 32 bits with a section .modinfo and the names of sections, and nothing else.
func writeModule(t *testing.T, dir, name string, info ...string) {
	t.Helper()
	const header, entry = 52, 40
	names := "\x00.modinfo\x00.shstrtab\x00"
	content := strings.Join(append(info, ""), "\x00")
	order := binary.LittleEndian
	file := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 9)...)
	for _, n := range []uint16{1, 40} { // relocatable, ARM
		file = order.AppendUint16(file, n)
	}
	for _, n := range []uint32{1, 0, 0, header, 0} { // version, entry, segments, sections, flags
		file = order.AppendUint32(file, n)
	}
	for _, n := range []uint16{header, 0, 0, entry, 3, 2} {
		file = order.AppendUint16(file, n)
	}
	start := uint32(header + 3*entry)
	file = append(file, make([]byte, entry)...)
	for _, s := range [][]uint32{{1, 1, start + uint32(len(names)), uint32(len(content))}, {10, 3, start, uint32(len(names))}} {
		for _, n := range []uint32{s[0], s[1], 0, 0, s[2], s[3], 0, 0, 1, 0} {
			file = order.AppendUint32(file, n)
		}
	}
	file = append(file, names+content...)
	if err := os.WriteFile(filepath.Join(dir, name), file, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOrder(t *testing.T) {
	stock, extra := t.TempDir(), t.TempDir()
	writeModule(t, stock, "i2c-core.ko", "depends=")
	writeModule(t, stock, "hid.ko", "license=GPL", "depends=")
	writeModule(t, stock, "hid-cp2112.ko", "depends=hid,i2c-core,gpiolib")
	writeModule(t, stock, "ext4.ko", "depends=jbd2", "softdep=pre: crc32c post: unwanted")
	writeModule(t, stock, "jbd2.ko", "depends=")
	writeModule(t, stock, "crc32c.ko")
	writeModule(t, stock, "loop-a.ko", "depends=loop-b")
	writeModule(t, stock, "loop-b.ko", "depends=loop-a")
	writeModule(t, stock, "broken.ko", "depends=missing")
	writeModule(t, extra, "gpio-sim.ko", "depends=hid")
	if err := os.WriteFile(filepath.Join(stock, "notes.ko"), []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stock, "modules.builtin"), []byte("kernel/drivers/gpio/gpiolib.ko\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	modules, err := kernel.ReadModules(stock, extra, filepath.Join(stock, "none"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		names, want string
		missing     bool
	}{
		"nothing":             {},
		"built in":            {names: "gpiolib"},
		"after what it needs": {names: "hid-cp2112", want: "hid i2c_core hid_cp2112"},
		"each once":           {names: "hid_cp2112 i2c-core gpio-sim", want: "hid i2c_core hid_cp2112 gpio_sim"},
		"soft dependencies":   {names: "ext4", want: "jbd2 crc32c ext4"},
		"a circle":            {names: "loop_a", want: "loop_b loop_a"},
		"missing":             {names: "nothing", missing: true},
		"needs what is not":   {names: "broken", missing: true},
	} {
		t.Run(name, func(t *testing.T) {
			order, err := modules.Order(strings.Fields(test.names)...)
			if errors.Is(err, kernel.ErrNoModule) != test.missing || (err != nil) != test.missing {
				t.Fatal(err)
			}
			var got []string
			for _, m := range order {
				got = append(got, m.Name)
			}
			if !slices.Equal(got, strings.Fields(test.want)) {
				t.Errorf("got %v, want %s", got, test.want)
			}
		})
	}
	if _, err := modules.Order("notes"); err == nil || errors.Is(err, kernel.ErrNoModule) {
		t.Errorf("a file that is no module: %v", err)
	}
}
