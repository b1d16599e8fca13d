package uplink

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Headers of a segment, in bytes.
const (
	ipv4Header       = 20
	ipv6Header       = 40
	tcpHeader        = 20
	timestampsOption = 12 // RFC 7323, appendix A
)

// optTimestamps says in TCP_INFO that both ends send timestamps: TCPI_OPT_TIMESTAMPS, include/uapi/linux/tcp.h.
const optTimestamps = 1

// tcpState is what the kernel tells of a connection. Its counters begin with the connection.
type tcpState struct {
	roundTrip               time.Duration // smoothed (RFC 6298); 0 when there was none yet
	retransmits             uint32        // segments that were sent again
	segmentsIn, segmentsOut uint32        // with those that only acknowledge; 0 out when the kernel does not count (before 4.2)
	resent                  uint64        // bytes of payload that were sent again; 0 when the kernel does not count (before 4.19)
	header                  uint64        // bytes of IP and TCP before the payload of a segment in the middle of the connection
}

// readTCP asks the kernel how a connection is, without a byte on the wire: tcp(7), TCP_INFO.
func readTCP(conn net.Conn) (state tcpState, known bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return state, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return state, false
	}
	var info *unix.TCPInfo
	ctlErr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) })
	if ctlErr != nil || err != nil {
		return state, false
	}
	state = tcpState{
		roundTrip:   time.Duration(info.Rtt) * time.Microsecond,
		retransmits: info.Total_retrans,
		segmentsIn:  info.Segs_in, segmentsOut: info.Segs_out,
		resent: info.Bytes_retrans,
		header: tcpHeader + ipv6Header,
	}
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil && a.Addr().Unmap().Is4() {
		state.header = tcpHeader + ipv4Header
	}
	if info.Options&optTimestamps != 0 {
		state.header += timestampsOption
	}
	return state, true
}
