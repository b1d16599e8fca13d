package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampd/stampd/cross-build/simulator/guest"
	"github.com/stampd/stampd/cross-build/simulator/initramfs"
	"github.com/stampd/stampd/cross-build/simulator/kernel"
)

// port is what the port for reports needs.
var port = []string{"virtio_mmio", "virtio_console"}

// hardware is what the tests are run with, by the names of modules, with their options.
var hardware = []guest.Module{
	{File: "virtio_rng"},
	{File: "configfs"},
	{File: "gpio_sim"},
	{File: "i2c_dev"},
	{File: "i2c_stub", Options: "chip_addr=0x0b,0x36,0x55"},
	{File: "uhid"},
	{File: "hid_cp2112"},
	{File: "sbs_battery"},
	{File: "max17040_battery"},
	{File: "bq27xxx_battery_i2c"},
	{File: "test_power"},
	{File: "softdog"},
	{File: "dummy_hcd"},
	{File: "cdc_acm"},
	{File: "usb_f_acm"},
}

// shared are the folders of the module that tests of any package may read.
var shared = []string{"testdata", "cross-build/boards"}

// source is where the module's folders are in the guest.
const source = "/stampd"

// suite is the tests of some packages, and the kernel that they are run on.
type suite struct {
	options
	kernel *kernel.Kernel
	work   string
}

// build compiles the tests and the guest's first process, and returns the path of the initramfs with both.
func (s suite) build(ctx context.Context) (string, error) {
	image := filepath.Join(s.work, "initramfs")
	file, err := os.Create(image)
	if err != nil {
		return "", err
	}
	defer file.Close()
	w := initramfs.NewWriter(file)
	if err := w.Device("/dev/console", 5, 1); err != nil { // what the first process prints to
		return "", err
	}
	if err := s.compile(ctx, w, "/init", "build", "./cross-build/simulator/init"); err != nil {
		return "", err
	}
	plan := guest.Plan{}
	for _, p := range s.packages {
		program := path.Join(source, p, path.Base(p)+".test")
		say("compiling the tests of %s", p)
		if err := s.compile(ctx, w, program, "test", "-c", "./"+p); err != nil {
			return "", err
		}
		if err := s.copyFolder(w, path.Join(p, "testdata")); err != nil {
			return "", err
		}
		plan.Commands = append(plan.Commands, guest.Command{
			Name: p, Path: program, Dir: path.Join(source, p), Timeout: s.timeout, Env: s.environment,
			Args: []string{"-test.v=test2json", "-test.run=" + s.run, "-test.timeout=" + (s.timeout - time.Second).String()},
		})
	}
	for _, folder := range shared {
		if err := s.copyFolder(w, folder); err != nil {
			return "", err
		}
	}
	if err := s.addModules(w, &plan); err != nil {
		return "", err
	}
	content, err := json.Marshal(plan)
	if err != nil {
		return "", err
	}
	if err := w.File(guest.PlanFile, 0o644, int64(len(content)), bytes.NewReader(content)); err != nil {
		return "", err
	}
	return image, w.Close()
}

// compile compiles a package for the guest, and adds it.
func (s suite) compile(ctx context.Context, w *initramfs.Writer, program string, args ...string) error {
	out := filepath.Join(s.work, path.Base(program))
	args, target := args[:len(args)-1], args[len(args)-1]
	cmd := exec.CommandContext(ctx, "go", append(args, "-ldflags=-s -w", "-o", out, target)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	switch s.arch {
	case "armv7":
		cmd.Env = append(cmd.Env, "GOARCH=arm", "GOARM=7")
	case "arm64":
		cmd.Env = append(cmd.Env, "GOARCH=arm64")
	}
	if printed, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot compile %s: %w: %s", target, err, bytes.TrimSpace(printed))
	}
	return w.Copy(program, out)
}

// copyFolder adds a folder of the module, if there is one.
func (s suite) copyFolder(w *initramfs.Writer, folder string) error {
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	return w.CopyTree(path.Join(source, folder), folder)
}

// addModules adds the modules, and puts them into the plan in the order in which they can be loaded.
func (s suite) addModules(w *initramfs.Writer, plan *guest.Plan) error {
	first, err := s.kernel.Modules.Order(port...)
	if err != nil {
		return err
	}
	names, options := append([]string(nil), port...), make(map[string]string)
	for _, m := range hardware {
		names, options[m.File] = append(names, m.File), m.Options
	}
	all, err := s.kernel.Modules.Order(names...)
	if err != nil {
		return err
	}
	for i, m := range all {
		file := filepath.Base(m.Path)
		if err := w.Copy(path.Join(guest.ModuleDir, file), m.Path); err != nil {
			return err
		}
		module := guest.Module{File: file, Options: options[strings.ReplaceAll(m.Name, "-", "_")]}
		if i < len(first) {
			plan.Port = append(plan.Port, module)
		} else {
			plan.Modules = append(plan.Modules, module)
		}
	}
	return nil
}
