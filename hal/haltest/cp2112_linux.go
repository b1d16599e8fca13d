package haltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// CP2112 is a bridge from USB to I²C with eight lines, Silicon Labs' CP2112, that the running kernel takes for a real one: an
// adapter with the chips of a [Bus], and a chip of lines labelled "cp2112_gpio". It needs /dev/uhid and the kernel's driver
// hid_cp2112, and root. It is safe for concurrent use.
//
// Sources: Linux, drivers/hid/hid-cp2112.c and include/uapi/linux/uhid.h; Silicon Labs AN495, "CP2112 Interface Specification".
type CP2112 struct {
	bus  *Bus
	file *os.File
	done sync.WaitGroup

	mu       sync.Mutex // guards all below
	levels   byte
	silent   bool
	config   [14]byte // of the bus, as the driver set it
	transfer transfer
}

// transfer is the transfer that was asked for last.
type transfer struct {
	number uint64 // of the transfer
	status byte   // cp2112Idle, cp2112Busy, cp2112Complete or cp2112Failed
	answer []byte // what was not sent of it yet
	length int    // of all of it
	done   chan struct{}
}

// cp2112Patience is how long the bridge lets the driver wait for a transfer that is not over: the driver asks ten times, one right
// after the other, and 50 ms are the longest that it waits for an answer.
const cp2112Patience = 30 * time.Millisecond

// Requests to and from uhid: enum uhid_event_type.
const (
	uhidDestroy        = 1
	uhidOutput         = 6
	uhidGetReport      = 9
	uhidGetReportReply = 10
	uhidCreate2        = 11
	uhidInput2         = 12
	uhidSetReport      = 13
	uhidSetReportReply = 14

	uhidDataMax   = 4096
	uhidEventSize = 4 + 276 + uhidDataMax
)

// Reports of the CP2112: AN495, section 5.
const (
	cp2112GetLevels   = 0x03
	cp2112SetLevels   = 0x04
	cp2112Version     = 0x05
	cp2112BusConfig   = 0x06
	cp2112Read        = 0x10
	cp2112WriteRead   = 0x11
	cp2112ForceSend   = 0x12
	cp2112ReadAnswer  = 0x13
	cp2112Write       = 0x14
	cp2112AskStatus   = 0x15
	cp2112Status      = 0x16
	cp2112Cancel      = 0x17
	cp2112ReportSize  = 64
	cp2112AnswerBytes = 61

	cp2112Idle     = 0
	cp2112Busy     = 1
	cp2112Complete = 2
	cp2112Failed   = 3
)

// PlugCP2112 plugs a bridge in, with the chips of bus on it. All its lines are low.
func PlugCP2112(bus *Bus) (*CP2112, error) {
	file, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot plug in a CP2112: %w", err)
	}
	c := &CP2112{bus: bus, file: file}
	event := binary.NativeEndian.AppendUint32(nil, uhidCreate2)
	event = append(event, make([]byte, 256)...) // name, physical path and serial number
	copy(event[4:], "stampd CP2112")
	descriptor := cp2112Descriptor()
	event = binary.NativeEndian.AppendUint16(event, uint16(len(descriptor)))
	event = binary.NativeEndian.AppendUint16(event, 3) // BUS_USB
	for _, n := range []uint32{0x10C4, 0xEA90, 0x0101, 0} {
		event = binary.NativeEndian.AppendUint32(event, n)
	}
	if err := c.send(append(event, descriptor...)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	c.done.Go(c.serve)
	return c, nil
}

// Unplug takes the bridge away. Nothing of it is open after that.
func (c *CP2112) Unplug() error {
	err := c.send(binary.NativeEndian.AppendUint32(nil, uhidDestroy))
	err = errors.Join(err, c.file.Close())
	c.done.Wait()
	return err
}

// Drive sets the level of a line, 0 to 7.
func (c *CP2112) Drive(line int, high bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.levels &^= 1 << line; high {
		c.levels |= 1 << line
	}
}

// Silence makes the bridge take no notice of whatever it is asked, as one does whose firmware hung, or ends that.
func (c *CP2112) Silence(silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silent = silent
}

// cp2112Descriptor describes every report as so many bytes of the vendor's own: HID 1.11, clause 6.2.2.
func cp2112Descriptor() []byte {
	d := []byte{0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x15, 0x00, 0x26, 0xFF, 0x00, 0x75, 0x08, 0x95, cp2112ReportSize - 1}
	const input, output, feature = 0x81, 0x91, 0xB1
	for id := byte(cp2112GetLevels - 1); id <= cp2112Cancel; id++ {
		kind := byte(feature)
		switch {
		case id == cp2112ReadAnswer, id == cp2112Status:
			kind = input
		case id >= cp2112Read:
			kind = output
		case id > cp2112BusConfig:
			continue
		}
		d = append(d, 0x85, id, 0x09, 0x01, kind, 0x02)
	}
	return append(d, 0xC0)
}

// send hands an event to the kernel, whole: uhid takes none that is cut off.
func (c *CP2112) send(event []byte) error {
	_, err := c.file.Write(append(event, make([]byte, uhidEventSize-len(event))...))
	return err
}

// serve answers the kernel until the bridge is unplugged.
func (c *CP2112) serve() {
	event := make([]byte, uhidEventSize+64)
	for {
		n, err := c.file.Read(event)
		if err != nil {
			return
		}
		c.mu.Lock()
		silent := c.silent
		c.mu.Unlock()
		if n < 4 || silent {
			continue
		}
		body := event[4:]
		switch binary.NativeEndian.Uint32(event) {
		case uhidOutput:
			size := min(int(binary.NativeEndian.Uint16(body[uhidDataMax:])), uhidDataMax)
			c.take(append([]byte(nil), body[:size]...))
		case uhidGetReport:
			c.tell(binary.NativeEndian.Uint32(body), body[4])
		case uhidSetReport:
			c.set(binary.NativeEndian.Uint32(body), body[8:])
		}
	}
}

// tell answers a request for a feature.
func (c *CP2112) tell(id uint32, number byte) {
	c.mu.Lock()
	var report []byte
	switch number {
	case cp2112GetLevels:
		report = []byte{number, c.levels}
	case cp2112Version:
		report = []byte{number, 0x0C, 0x03}
	case cp2112BusConfig:
		report = c.config[:]
		report[0] = number
	default:
		report = make([]byte, 5)
		report[0] = number
	}
	c.mu.Unlock()
	event := binary.NativeEndian.AppendUint32(nil, uhidGetReportReply)
	event = binary.NativeEndian.AppendUint32(event, id)
	event = binary.NativeEndian.AppendUint16(event, 0)
	event = binary.NativeEndian.AppendUint16(event, uint16(len(report)))
	_ = c.send(append(event, report...)) // the kernel waits and gives up when it can't be told
}

// set takes in a feature. Levels that the driver sets are not taken: nothing here drives a line.
func (c *CP2112) set(id uint32, report []byte) {
	if report[0] == cp2112BusConfig {
		c.mu.Lock()
		copy(c.config[:], report)
		c.mu.Unlock()
	}
	event := binary.NativeEndian.AppendUint32(nil, uhidSetReportReply)
	event = binary.NativeEndian.AppendUint32(event, id)
	_ = c.send(binary.NativeEndian.AppendUint16(event, 0))
}

// take takes in a request.
func (c *CP2112) take(r []byte) {
	if len(r) < 2 {
		return
	}
	switch r[0] {
	case cp2112Write:
		if len(r) > 3 && len(r) >= 3+int(r[2]) {
			c.begin(uint16(r[1]>>1), r[3:3+r[2]], nil)
		}
	case cp2112Read:
		c.begin(uint16(r[1]>>1), nil, make([]byte, binary.BigEndian.Uint16(r[2:])))
	case cp2112WriteRead:
		if len(r) >= 5+int(r[4]) {
			c.begin(uint16(r[1]>>1), r[5:5+r[4]], make([]byte, binary.BigEndian.Uint16(r[2:])))
		}
	case cp2112AskStatus:
		t := c.settled()
		report := []byte{cp2112Status, t.status, 5, 0, 0}
		if t.status == cp2112Failed {
			report[2] = 0 // nobody acknowledged
		}
		c.report(binary.BigEndian.AppendUint16(report, uint16(t.length)))
	case cp2112ForceSend:
		c.mu.Lock()
		n := min(len(c.transfer.answer), cp2112AnswerBytes, int(binary.BigEndian.Uint16(r[1:])))
		chunk := c.transfer.answer[:n]
		c.transfer.answer = c.transfer.answer[n:]
		c.mu.Unlock()
		c.report(append([]byte{cp2112ReadAnswer, cp2112Complete, byte(n)}, chunk...))
	case cp2112Cancel:
		c.mu.Lock()
		c.transfer = transfer{number: c.transfer.number + 1}
		c.mu.Unlock()
	}
}

// begin begins a transfer. It may hang: the driver asks how it goes, and cancels it.
func (c *CP2112) begin(address uint16, w, answer []byte) {
	c.mu.Lock()
	number := c.transfer.number + 1
	done := make(chan struct{})
	c.transfer = transfer{number: number, status: cp2112Busy, done: done}
	c.mu.Unlock()
	go func() {
		defer close(done)
		err := c.bus.tx(address, w, answer)
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.transfer.number != number:
		case err != nil:
			c.transfer.status = cp2112Failed
		default:
			c.transfer.status, c.transfer.answer, c.transfer.length = cp2112Complete, answer, len(answer)
		}
	}()
}

// settled returns the transfer when it is over, or as it is when it takes too long.
func (c *CP2112) settled() transfer {
	c.mu.Lock()
	done := c.transfer.done
	c.mu.Unlock()
	if done != nil {
		limit := time.NewTimer(cp2112Patience)
		defer limit.Stop()
		select {
		case <-done:
		case <-limit.C:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transfer
}

// report sends a report of the bridge's own.
func (c *CP2112) report(r []byte) {
	event := binary.NativeEndian.AppendUint32(nil, uhidInput2)
	event = binary.NativeEndian.AppendUint16(event, cp2112ReportSize)
	event = append(event, r...)
	if err := c.send(event); errors.Is(err, syscall.EINVAL) {
		return // unplugged meanwhile
	}
}
