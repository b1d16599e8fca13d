package debian

import (
	"context"
	"errors"
	"os/exec"
	"strings"
)

// ErrNoMirror means that this machine fetches packages of Debian from nowhere.
var ErrNoMirror = errors.New("cannot tell where to fetch packages of Debian from")

// Mirror returns the address from which this machine fetches the packages of its own Debian. It fails with ErrNoMirror where
// apt knows of none: on another system, or before the first "apt-get update".
func Mirror(ctx context.Context) (string, error) {
	const format = "$(REPO_URI) $(CODENAME) $(COMPONENT) $(LABEL)"
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", format, "Created-By: Packages").Output()
	if err != nil {
		return "", errors.Join(ErrNoMirror, err)
	}
	return mirrorIn(string(out))
}

// mirrorIn returns the address of the first source that has releases of Debian themselves, and not their updates.
func mirrorIn(targets string) (string, error) {
	for line := range strings.Lines(targets) {
		field := strings.Fields(line)
		if len(field) == 4 && !strings.Contains(field[1], "-") && field[2] == "main" && field[3] == "Debian" {
			return field[0], nil
		}
	}
	return "", ErrNoMirror
}
