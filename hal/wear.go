package hal

import (
	"context"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/stampd/stampd/uplink/wire"
)

// wear reads how far the eMMC is worn: /sys/block/mmcblk*/device/life_time and pre_eol_info
// (Documentation/driver-api/mmc/mmc-dev-attrs.rst). Of several the most worn counts. A machine without one is no failure.
func (m *machine) wear(context.Context) (fill, error) {
	w := readWear(sysfs(m.sysRoot))
	return func(h *wire.Host) { h.EmmcLifeA, h.EmmcLifeB, h.EmmcPreEol = w.a, w.b, w.preEOL }, nil
}

// emmcWear is what an eMMC says of itself: JEDEC JESD84-B51, clauses 7.4.37 to 7.4.39.
type emmcWear struct{ a, b, preEOL *uint32 }

func readWear(sys fs.FS) (worst emmcWear) {
	entries, err := fs.ReadDir(sys, "block")
	if err != nil {
		return worst
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "mmcblk") {
			continue
		}
		read := func(name string) string {
			content, _ := fs.ReadFile(sys, path.Join("block", e.Name(), "device", name))
			return parseText(content)
		}
		a, b := parseLifeTime(read("life_time"))
		worst.a = worse(worst.a, a, parseWear(read("life_time_est_typ_a"), 11), parseWear(read("device_life_time_est_typ_a"), 11))
		worst.b = worse(worst.b, b, parseWear(read("life_time_est_typ_b"), 11), parseWear(read("device_life_time_est_typ_b"), 11))
		worst.preEOL = worse(worst.preEOL, parseWear(read("pre_eol_info"), 3))
	}
	return worst
}

// worse returns the largest of the numbers that are known.
func worse(numbers ...*uint32) (most *uint32) {
	for _, n := range numbers {
		if n != nil && (most == nil || *n > *most) {
			most = n
		}
	}
	return most
}

// parseLifeTime returns both numbers of the attribute life_time. Kernels write "0x01 0x02", "0x1 0x2" and "1 2"; some vendors
// put a comma or a line between the two.
func parseLifeTime(text string) (a, b *uint32) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' })
	if len(words) != 2 {
		return nil, nil
	}
	return parseWear(words[0], 11), parseWear(words[1], 11)
}

// parseWear returns a number from 1 to most, or nil: 0 is "not defined". Without 0x it is a decimal one, unless that can't be.
func parseWear(text string, most uint32) *uint32 {
	digits, hex := strings.CutPrefix(strings.ToLower(text), "0x")
	base := 10
	if hex || strings.ContainsAny(digits, "abcdef") {
		base = 16
	}
	n, err := strconv.ParseUint(digits, base, 8)
	if err != nil || n < 1 || uint32(n) > most {
		return nil
	}
	return new(uint32(n))
}
