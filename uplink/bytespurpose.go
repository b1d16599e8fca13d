package uplink

import (
	"encoding/binary"
	"io"
	"sync"

	"golang.org/x/net/http2"
)

// sorter writes a client's side of an HTTP/2 connection, and tells the metered connection below how much of each write is
// for what. Messages are announced before they are given to gRPC, which writes them in that order, on one stream. It is
// safe for concurrent use.
type sorter struct {
	to   io.Writer
	conn *meteredConn

	mu     sync.Mutex // guards everything below, and keeps writes apart
	frames frames
}

func newSorter(to io.Writer, conn *meteredConn) *sorter {
	return &sorter{to: to, conn: conn, frames: frames{pass: len(http2.ClientPreface)}}
}

// messagePrefix is what gRPC puts before a message: whether it is compressed, and its length.
const messagePrefix = 5

// announce says that a message of the given size is about to be sent.
func (s *sorter) announce(p purpose, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames.messages = append(s.frames.messages, announced{p, messagePrefix + size})
}

// Write writes b.
func (s *sorter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.expect(s.frames.sort(b))
	n, err := s.to.Write(b)
	s.conn.expect([purposes]int{})
	return n, err
}

// frames follows the frames of HTTP/2 (RFC 9113, section 4.1) as they are written, in whatever pieces.
type frames struct {
	pass     int // bytes until the next header: of the preface, or of a frame
	data     bool
	header   []byte      // of the next frame, as far as it has come
	messages []announced // that were not wholly written
}

// announced is how much of a message is still to come.
type announced struct {
	purpose purpose
	left    int
}

// frameHeader is how many bytes a frame has before its payload.
const frameHeader = 9

// sort returns how much of b is for what, but for overhead.
func (f *frames) sort(b []byte) (n [purposes]int) {
	for len(b) > 0 {
		if f.pass == 0 {
			part := min(len(b), frameHeader-len(f.header))
			f.header, b = append(f.header, b[:part]...), b[part:]
			if len(f.header) == frameHeader {
				f.pass = int(binary.BigEndian.Uint32(f.header) >> 8)
				f.data = http2.FrameType(f.header[3]) == http2.FrameData
				f.header = f.header[:0]
			}
			continue
		}
		part := min(len(b), f.pass)
		if f.data {
			f.take(part, &n)
		}
		f.pass, b = f.pass-part, b[part:]
	}
	n[forOverhead] = 0
	return n
}

// take counts bytes of data for the messages that they are of.
func (f *frames) take(bytes int, n *[purposes]int) {
	for bytes > 0 && len(f.messages) > 0 {
		m := &f.messages[0]
		part := min(bytes, m.left)
		n[m.purpose] += part
		bytes -= part
		if m.left -= part; m.left == 0 {
			f.messages = f.messages[1:]
		}
	}
}
