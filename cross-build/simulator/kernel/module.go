package kernel

import (
	"bufio"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrNoModule means that a kernel has no module of a name.
var ErrNoModule = errors.New("the kernel has no such module")

// Modules are the modules of a kernel. They may be used by several goroutines at a time.
type Modules struct {
	paths   map[string]string // by name
	builtin map[string]bool
}

// Module is a module that can be loaded.
type Module struct {
	Name string // as /proc/modules has it
	Path string
}

// ReadModules finds the modules in directories. A file modules.builtin in one of them says which need not be loaded
// (Documentation/kbuild/kbuild.rst). A directory that does not exist has none.
func ReadModules(dirs ...string) (*Modules, error) {
	m := &Modules{paths: make(map[string]string), builtin: make(map[string]bool)}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist) && path == dir:
				return nil
			case err != nil:
				return err
			case d.Name() == "modules.builtin":
				return m.readBuiltin(path)
			case filepath.Ext(path) == ".ko":
				m.paths[moduleName(path)] = path
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("cannot list the kernel's modules: %w", err)
		}
	}
	return m, nil
}

func (m *Modules) readBuiltin(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		m.builtin[moduleName(lines.Text())] = true
	}
	return lines.Err()
}

// Order returns the modules of the names and those that they need, each once and after all that it needs: the order in which
// they can be loaded. What is built into the kernel is left out. The error wraps ErrNoModule when one is missing.
func (m *Modules) Order(names ...string) ([]Module, error) {
	var order []Module
	seen := make(map[string]bool)
	var add func(name string) error
	add = func(name string) error {
		name = moduleName(name)
		if seen[name] || m.builtin[name] {
			return nil
		}
		seen[name] = true
		path, known := m.paths[name]
		if !known {
			return fmt.Errorf("cannot load %s: %w", name, ErrNoModule)
		}
		needed, err := needs(path)
		if err != nil {
			return fmt.Errorf("cannot tell what module %s needs: %w", name, err)
		}
		for _, n := range needed {
			if err := add(n); err != nil {
				return err
			}
		}
		order = append(order, Module{Name: name, Path: path})
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// needs returns the names of the modules that one needs, as its section .modinfo lists them: "depends", whose symbols it uses,
// and "softdep" before "post:", what its author wants loaded first (include/linux/module.h).
func needs(path string) ([]string, error) {
	object, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	section := object.Section(".modinfo")
	if section == nil {
		return nil, errors.New("it is no module")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.SplitSeq(string(info), "\x00") {
		switch key, value, _ := strings.Cut(line, "="); key {
		case "depends":
			names = append(names, strings.FieldsFunc(value, func(r rune) bool { return r == ',' })...)
		case "softdep":
			before, _, _ := strings.Cut(value, "post:")
			names = append(names, strings.Fields(strings.Replace(before, "pre:", " ", 1))...)
		}
	}
	return names, nil
}

// moduleName returns the name of the module in a file: the kernel has underscores where the file may have hyphens.
func moduleName(path string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(path), ".ko"), "-", "_")
}
