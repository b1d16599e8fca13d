package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	lonePayments = 2_000
	manyPayments = 20_000
	manyCallers  = 64
	// pageSize is the least that a flash translation layer or ext4 writes.
	pageSize = 4096
)

// measureFlash counts what payments cost the device, from a real agent: into the queue while offline, and into it and out of
// it again while online. What stopping the agent writes is counted too.
func measureFlash(ctx context.Context, l *lab) ([]figure, string, error) {
	d, err := l.newDisk()
	if err != nil {
		return nil, "", err
	}
	defer d.close()
	if err := l.serve(); err != nil {
		return nil, "", err
	}
	least, err := pageByPage(d)
	if err != nil {
		return nil, "", err
	}
	in, manyIn, err := l.flashOf(d, "offline", "")
	if err != nil {
		return nil, "", err
	}
	both, manyBoth, err := l.flashOf(d, "online", l.address)
	if err != nil {
		return nil, "", err
	}
	row := func(what string, w writes, n float64, most, mostFlushes *budget) []figure {
		bytesFloor, flushFloor := least.bytes, least.flushes
		if n == manyPayments {
			bytesFloor, flushFloor = bytesFloor/manyCallers, flushFloor/manyCallers
		}
		figures := []figure{{What: what, Got: w.bytes / n, Unit: size, Floor: &bytesFloor, Budget: most}}
		if d.own {
			figures = append(figures, figure{What: "  flushes", Got: w.flushes / n, Unit: flushes, Floor: &flushFloor, Budget: mostFlushes})
		}
		return figures
	}
	figures := row("a lone payment, into the queue", in, lonePayments, nil, nil)
	figures = append(figures, row("a lone payment, into the queue and out of it", both, lonePayments, atMost(20_000), atMost(3))...)
	figures = append(figures, row(fmt.Sprintf("a payment of %d callers, into the queue", manyCallers), manyIn, manyPayments, atMost(1_500), nil)...)
	figures = append(figures, row(fmt.Sprintf("a payment of %d callers, into the queue and out of it", manyCallers), manyBoth, manyPayments, atMost(1_500), nil)...)
	return figures, d.how() + "\nThe floor is a page of a preallocated file and an fdatasync; for many callers, that shared by all of them.", nil
}

// flashOf runs an agent with its queue on the disk, and counts lone payments and many at once. With a backend, a payment
// counts until the backend has it.
func (l *lab) flashOf(d *disk, queue, backend string) (lone, many writes, err error) {
	a, err := l.newAgent(settings{queue: filepath.Join(d.dir, queue), backend: backend, schedules: l.defaults.quiet()})
	if err != nil {
		return lone, many, err
	}
	defer a.stop()
	if _, err := a.start(); err != nil {
		return lone, many, err
	}
	settled := func() error { return nil }
	if backend != "" {
		if err := a.online(10 * time.Second); err != nil {
			return lone, many, err
		}
		settled = func() error { return a.settled(20 * time.Second) }
	}
	// A stop belongs to it: what was put off until later is written then.
	lone, err = d.count(a.process, func() error {
		for range lonePayments {
			if err := errorsOf(a.pay, settled); err != nil {
				return err
			}
		}
		a.stop()
		return nil
	})
	if err != nil {
		return lone, many, err
	}
	if _, err := a.start(); err != nil {
		return lone, many, err
	}
	many, err = d.count(a.process, func() error {
		err := errorsOf(func() error { return a.payMany(manyPayments, manyCallers) }, settled)
		a.stop()
		return err
	})
	return lone, many, err
}

// errorsOf calls one after the other, and returns the first error.
func errorsOf(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// pageByPage returns what it costs to make one page durable in a file that has its size already.
func pageByPage(d *disk) (writes, error) {
	f, err := os.Create(filepath.Join(d.dir, "floor"))
	if err != nil {
		return writes{}, err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, lonePayments*pageSize)); err != nil {
		return writes{}, err
	}
	w, err := d.count(nil, func() error {
		for i := range int64(lonePayments) {
			if _, err := f.WriteAt([]byte("a payment"), i*pageSize); err != nil {
				return err
			}
			if err := unix.Fdatasync(int(f.Fd())); err != nil {
				return err
			}
		}
		return nil
	})
	return writes{w.bytes / lonePayments, w.flushes / lonePayments}, err
}
