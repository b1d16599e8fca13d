package hal

import (
	"encoding/binary"
	"errors"
	"time"

	"periph.io/x/conn/v3/i2c"
)

// attempts is how often a register is read until it is given up: a gauge that measures may be busy.
const attempts = 3

// word is a register as it was read.
type word struct {
	register byte
	value    uint16
}

// device is a chip on an I²C bus during one reading: its registers, and what went wrong.
type device struct {
	bus     i2c.Bus
	address uint16
	order   binary.ByteOrder
	pec     bool // whether the chip ends each answer with a packet error code
	until   time.Time

	words []word
	err   error // why the reading failed; nothing more is read then

	// Of the battery that was there at the last reading.
	serial uint16
	model  string
}

// begin begins a reading.
func (d *device) begin(bus i2c.Bus, address uint16, order binary.ByteOrder) {
	d.bus, d.address, d.order = bus, address, order
	d.pec, d.until = false, time.Now().Add(gaugeLimit)
	d.words, d.err = d.words[:0], nil
}

// forget forgets what was known of the battery: the next one may be another.
func (d *device) forget() { d.serial, d.model = 0, "" }

// fail ends the reading. The first reason stays.
func (d *device) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// must returns a register that every chip of the kind has. When it can't be read the reading has failed.
func (d *device) must(register byte) uint16 {
	value, err := d.get(register)
	if err != nil {
		d.fail(err)
	}
	return value
}

// may returns a register that a chip need not have, and whether it has.
func (d *device) may(register byte) (uint16, bool) {
	value, err := d.get(register)
	if errors.Is(err, ErrHung) {
		d.fail(err)
	}
	return value, err == nil
}

// get reads a register, again when the chip was busy or the bus was disturbed.
func (d *device) get(register byte) (uint16, error) {
	answer := make([]byte, 2, 3)
	if d.pec {
		answer = answer[:3]
	}
	if err := d.exchange(register, answer); err != nil {
		return 0, err
	}
	value := d.order.Uint16(answer)
	d.words = append(d.words, word{register, value})
	return value, nil
}

// block returns a text that the chip keeps under a register, or nothing: SMBus 3.2 clause 6.5.7, a byte that tells the
// length and then the text of up to 32 bytes.
func (d *device) block(register byte) string {
	answer := make([]byte, 33, 34)
	if d.pec {
		answer = answer[:34]
	}
	if err := d.exchange(register, answer); err != nil {
		if errors.Is(err, ErrHung) {
			d.fail(err)
		}
		return ""
	}
	length := int(answer[0])
	if length > 32 {
		return ""
	}
	return parseWord(answer[1 : 1+length])
}

// exchange has the chip answer to the number of a register, and checks the code at the end of the answer if there is one.
func (d *device) exchange(register byte, answer []byte) error {
	var err error
	for range attempts {
		switch {
		case d.err != nil:
			return d.err
		case time.Now().After(d.until):
			return ErrHung
		}
		if err = d.bus.Tx(d.address, []byte{register}, answer); err != nil {
			if err = busError(err); errors.Is(err, ErrHung) {
				return err
			}
			continue
		}
		if !d.pec || checked(d.address, register, answer) {
			return nil
		}
		err = ErrUnusable
	}
	return err
}

// checked tells whether an answer ends with its packet error code. Where the answer is a block, the code follows its text.
func checked(address uint16, register byte, answer []byte) bool {
	end := len(answer) - 1
	if len(answer) > 3 {
		if answer[0] > 32 {
			return false
		}
		end = 1 + int(answer[0])
	}
	sum := crc8(0, byte(address<<1), register, byte(address<<1|1))
	return crc8(sum, answer[:end]...) == answer[end]
}

// crc8 goes on with a packet error code: polynomial x⁸+x²+x+1 (SMBus 3.2 clause 6.4).
func crc8(sum byte, data ...byte) byte {
	for _, b := range data {
		sum ^= b
		for range 8 {
			carry := sum&0x80 != 0
			sum <<= 1
			if carry {
				sum ^= 0x07
			}
		}
	}
	return sum
}
