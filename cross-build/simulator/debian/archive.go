// Package debian fetches packages of a release of Debian, for any architecture, and unpacks them into a directory. It is for
// the simulator, which boots Debian's kernels for ARM. apt fetches and checks signatures, with a state of its own: neither
// apt's nor dpkg's state on this machine is read or changed, nothing is installed, and root is not needed.
package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Keyring has the keys that releases of Debian are signed with. It comes with the package debian-archive-keyring, which every
// Debian has.
const Keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// Archive is a release of Debian for one architecture. Its methods may not be called at the same time.
type Archive struct {
	dir  string // of apt's state, and of what it downloads
	arch string
}

// Open returns the archive of a suite ("bookworm") for an architecture ("armhf") on a mirror, after apt has read the mirror's
// lists. What apt keeps lies in dir, which is made.
func Open(ctx context.Context, dir, mirror, suite, arch string) (*Archive, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(Keyring); err != nil {
		return nil, fmt.Errorf("cannot check signatures of Debian: %w (the package debian-archive-keyring has it)", err)
	}
	for _, sub := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	source := fmt.Sprintf("deb [signed-by=%s] %s %s main\n", Keyring, mirror, suite)
	for name, content := range map[string]string{"sources.list": source, "status": "", "apt.conf": configuration(dir, arch)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	a := &Archive{dir: dir, arch: arch}
	if _, err := a.apt(ctx, "apt-get", "--quiet=2", "update"); err != nil {
		return nil, err
	}
	return a, nil
}

// configuration is what apt is told: to keep everything of its own in dir, and to fetch no list that isn't needed.
func configuration(dir, arch string) string {
	settings := [][2]string{
		{"APT::Architecture", arch},
		{"APT::Architectures", arch},
		{"APT::Sandbox::User", "root"}, // the user _apt may not be let into dir
		{"Dir::State", dir},
		{"Dir::State::Lists", filepath.Join(dir, "lists")},
		{"Dir::State::status", filepath.Join(dir, "status")},
		{"Dir::Cache", filepath.Join(dir, "cache")},
		{"Dir::Etc::SourceList", filepath.Join(dir, "sources.list")},
		{"Dir::Etc::SourceParts", "/dev/null"},
		{"Dir::Etc::Parts", "/dev/null"},
		{"Acquire::Languages", "none"},
		{"Acquire::Retries", "3"},
		{"Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false"},
	}
	var conf strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&conf, "%s %q;\n", s[0], s[1])
	}
	return conf.String()
}

// Depends returns the names of the packages that a package depends on. A metapackage such as linux-image-armmp depends on
// what it stands for.
func (a *Archive) Depends(ctx context.Context, name string) ([]string, error) {
	out, err := a.apt(ctx, "apt-cache", "depends", name)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if dependency, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
			names = append(names, dependency)
		}
	}
	return names, nil
}

// Version returns the version of a package.
func (a *Archive) Version(ctx context.Context, name string) (string, error) {
	out, err := a.apt(ctx, "apt-cache", "show", "--no-all-versions", name)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if version, ok := strings.CutPrefix(line, "Version: "); ok {
			return strings.TrimSpace(version), nil
		}
	}
	return "", fmt.Errorf("cannot find the version of package %s", name)
}

// Unpack downloads packages and unpacks them into a directory, which is made. Scripts of the packages are not run. What was
// downloaded is not kept.
func (a *Archive) Unpack(ctx context.Context, into string, names ...string) error {
	downloads, err := os.MkdirTemp(a.dir, "download-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(downloads)
	if _, err := a.command(ctx, downloads, "apt-get", append([]string{"--quiet=2", "download"}, names...)...); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(downloads, "*.deb"))
	if err != nil || len(packages) != len(names) {
		return fmt.Errorf("cannot download %s: %d packages came", strings.Join(names, ", "), len(packages))
	}
	slices.Sort(packages)
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}
	for _, p := range packages {
		if _, err := a.command(ctx, downloads, "dpkg-deb", "--extract", p, into); err != nil {
			return err
		}
	}
	return nil
}

func (a *Archive) apt(ctx context.Context, program string, args ...string) ([]byte, error) {
	return a.command(ctx, a.dir, program, args...)
}

// command runs a program with apt's configuration and returns what it printed. The error ends with what it complained of.
func (a *Archive) command(ctx context.Context, dir, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("cannot fetch packages of Debian: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot %s %s for %s: %w: %s", program, strings.Join(args, " "), a.arch, err, bytes.TrimSpace(complaints.Bytes()))
	}
	return out, nil
}
