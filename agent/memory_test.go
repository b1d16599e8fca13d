package main

import "testing"

func TestProgramPages(t *testing.T) {
	const program = "/usr/bin/stampd"
	for _, test := range []struct {
		name, line string
		from, to   uintptr
		ok         bool
	}{
		{"code", "00400000-00a50000 r-xp 00000000 fe:00 9182 /usr/bin/stampd\n", 0x400000, 0xa50000, true},
		{"constants", "00a50000-0115f000 r--p 00650000 fe:00 9182 /usr/bin/stampd\n", 0xa50000, 0x115f000, true},
		{"variables", "0115f000-011d2000 rw-p 00d5f000 fe:00 9182 /usr/bin/stampd\n", 0, 0, false},
		{"the queue", "7f0000000000-7f0004000000 r--s 00000000 fe:00 77 /var/lib/stampd/queue.db\n", 0, 0, false},
		{"heap", "c000000000-c000400000 rw-p 00000000 00:00 0\n", 0, 0, false},
		{"the kernel's", "7fff7a9c2000-7fff7a9c4000 r-xp 00000000 00:00 0 [vdso]\n", 0, 0, false},
		{"replaced meanwhile", "00400000-00a50000 r-xp 00000000 fe:00 9182 /usr/bin/stampd (deleted)\n", 0, 0, false},
		{"guard", "00400000-00a50000 ---p 00000000 fe:00 9182 /usr/bin/stampd\n", 0, 0, false},
		{"upside down", "00a50000-00400000 r-xp 00000000 fe:00 9182 /usr/bin/stampd\n", 0, 0, false},
		{"no numbers", "x-y r-xp 00000000 fe:00 9182 /usr/bin/stampd\n", 0, 0, false},
		{"nothing", "", 0, 0, false},
	} {
		from, to, ok := programPages(test.line, program)
		if from != test.from || to != test.to || ok != test.ok {
			t.Errorf("%s: %#x to %#x, %v; want %#x to %#x, %v", test.name, from, to, ok, test.from, test.to, test.ok)
		}
	}
}
