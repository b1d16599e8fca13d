package main

import (
	"context"
	"os"
	"path/filepath"
)

// measureSize looks at the stripped programs.
func measureSize(_ context.Context, l *lab) ([]figure, string, error) {
	var figures []figure
	for _, p := range []struct {
		what, dir string
		budget    *budget
	}{
		{"agent for armv7", l.arm, atMost(14)},
		{"agent for this machine", l.bin, nil},
	} {
		info, err := os.Stat(filepath.Join(p.dir, "stampd"))
		if err != nil {
			return nil, "", err
		}
		figures = append(figures, figure{What: p.what, Got: float64(info.Size()) / 1e6, Unit: megabytes, Budget: p.budget})
	}
	return figures, "", nil
}
