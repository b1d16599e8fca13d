package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stampd/stampd/uplink/wire"
)

func TestPrintStatus(t *testing.T) {
	tests := map[string]struct {
		status *wire.StatusResponse
		want   string
	}{
		"nothing is known": {&wire.StatusResponse{}, `
stampd unknown, terminal unknown of merchant unknown, up 0 s
  uplink    unknown
  network   unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"waiting": {&wire.StatusResponse{
			Version: "1.2.3", TerminalId: "t-1", MerchantId: "m-1", UptimeSeconds: 3*3600 + 5*60,
			Uplink: &wire.UplinkStatus{
				State: wire.UplinkState_UPLINK_STATE_WAITING, Backend: "gateway:8443", LastError: "no route\x1b[2J",
				Stage: wire.UplinkStage_UPLINK_STAGE_TCP, Hint: "plug it in", Proxy: "http://gate:3128",
				Hold: wire.TelemetryHold_TELEMETRY_HOLD_WINDOW, HeldForMs: new(int64(3 * 3600_000)),
				NextAttemptInMs: new(int64(31_000)), SinceAckMs: new(int64(130_000)), SentBytes: 2 << 20, ReceivedBytes: 1500, Connects: 7,
			},
			Lanes: []*wire.LaneStatus{
				{Lane: wire.Lane_LANE_LEDGER, Depth: 12},
				{Lane: wire.Lane_LANE_TELEMETRY, Depth: 3, InMemory: 1},
				{Lane: wire.Lane_LANE_TELEMETRY, Depth: 40},
			},
			Queue: &wire.QueueStatus{Path: "/q", SizeBytes: 65536, MaxBytes: 64 << 20, Quarantined: 1, Dropped: 2, Fault: "disk full"},
			Parts: []*wire.PartStatus{
				{Part: "battery", Detail: "not there"},
				{Part: "grip", Driver: "power_supply"},
				{Part: "host", Driver: "gopsutil", Found: true, Detail: "unknown: temperature"},
			},
			CardholderDataRefused: 2, FipsEnabled: true,
		}, `
stampd 1.2.3, terminal t-1 of merchant m-1, up 3 h 5 min
  uplink    waiting, next attempt in 31 s, backend gateway:8443 through proxy http://gate:3128
            last stored 2 min ago, sent 2 MiB, received 1.5 KiB, connected 7 times
            last attempt ended at tcp: no route [2J
            hint: plug it in
            readings are held for 3 h, until their time of day; payments and stamps are sent at once
  network   unknown
  backlog   ledger 12, telemetry 43 (1 in memory)
  queue     /q, 64 KiB used of 64 MiB, 1 quarantined, 2 dropped
            fault: disk full
  hardware  battery: not there
            grip: missing
            host: read by gopsutil; unknown: temperature
  security  requests refused for cardholder data: 2, FIPS 140-3 mode on
`},
		"connected once": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m", Uplink: &wire.UplinkStatus{
				State: wire.UplinkState_UPLINK_STATE_ONLINE, Backend: "gateway:8443", Connects: 1,
			},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    online, backend gateway:8443
            nothing stored since start, sent 0 B, received 0 B, connected once
  network   unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"certificate": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Certificate: &wire.CertificateStatus{
				State:          wire.CertificateState_CERTIFICATE_STATE_VALID,
				NotAfterUnixMs: new(int64(1_798_761_600_000)), RenewUnixMs: new(int64(1_796_169_600_000)),
			},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    unknown
  identity  certificate until 2027-01-01, to be renewed from 2026-12-02 on
  network   unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"certificate not renewed": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Certificate: &wire.CertificateStatus{
				State: wire.CertificateState_CERTIFICATE_STATE_DUE, LastError: "no\nroute",
				NotAfterUnixMs: new(int64(1_798_761_600_000)), RenewUnixMs: new(int64(1_796_169_600_000)),
			},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    unknown
  identity  certificate until 2027-01-01, to be renewed now
            no route
  network   unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"certificate expired": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Certificate: &wire.CertificateStatus{State: wire.CertificateState_CERTIFICATE_STATE_EXPIRED, NotAfterUnixMs: new(int64(1_798_761_600_000))},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    unknown
  identity  certificate expired on 2027-01-01
  network   unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"network": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Uplink: &wire.UplinkStatus{
				State: wire.UplinkState_UPLINK_STATE_ONLINE, Backend: "gateway:8443", Connects: 2, SinceAckMs: new(int64(4000)),
				RoundTripUs: new(uint32(48_250)), Retransmits: new(uint64(3)), ResolveMs: new(uint32(12)), ConnectMs: new(uint32(51)), HandshakeMs: new(uint32(120)),
				Days: []*wire.TrafficDay{
					{Date: "2026-05-02", Traffic: &wire.Traffic{
						SentLedgerBytes: 1024, SentTelemetryBytes: 2048, SentOverheadBytes: 512, ReceivedOverheadBytes: 512,
						SentTcpBytes: new(uint64(500)), ReceivedTcpBytes: new(uint64(524)),
					}},
					{Date: "2026-05-01", Traffic: &wire.Traffic{SentLedgerBytes: 100}},
					{Date: "2026-04-30", Traffic: &wire.Traffic{SentLedgerBytes: 7}},
				},
			},
			Network: &wire.NetworkStatus{
				Links: &wire.LinkList{Links: []*wire.LinkStatus{
					{Name: "eth0", Kind: wire.LinkKind_LINK_KIND_ETHERNET, State: wire.LinkState_LINK_STATE_UP, Carrier: new(true),
						Addresses: []string{"169.254.7.9/16"}, Ipv4: new(false), Ipv6: new(false)},
					{Name: "eth1", Kind: wire.LinkKind_LINK_KIND_ETHERNET, State: wire.LinkState_LINK_STATE_DOWN, Carrier: new(false)},
					{Name: "wlan0", Kind: wire.LinkKind_LINK_KIND_WIFI, State: wire.LinkState_LINK_STATE_DORMANT, Carrier: new(true)},
					{Name: "wwan0", Kind: wire.LinkKind_LINK_KIND_CELLULAR, Carrier: new(true), Addresses: []string{"198.51.100.6/30", "2001:db8::3/64"},
						Ipv4: new(true), Ipv6: new(true)},
					{Name: "x\x1b[2J"},
				}},
				Ipv4Routes:  &wire.RouteList{Routes: []*wire.DefaultRoute{{Interface: "wwan0", Gateway: "198.51.100.5"}, {Interface: "eth0", Metric: 100}}},
				Ipv6Routes:  &wire.RouteList{Routes: []*wire.DefaultRoute{{Interface: "wwan0"}}},
				NameServers: &wire.NameServers{Addresses: []string{"192.0.2.1", "2001:db8::53"}, Stub: true},
			},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    online, backend gateway:8443
            last stored 4 s ago, sent 0 B, received 0 B, connected 2 times
  network   default route: IPv4 over wwan0 by 198.51.100.5, IPv6 over wwan0
            eth0: ethernet, up, 169.254.7.9/16, no address that works beyond the link
            eth1: ethernet, down
            wlan0: Wi-Fi, waits for the network to let it in
            wwan0: cellular, up, 198.51.100.6/30 2001:db8::3/64
            x [2J: state unknown
            names from 192.0.2.1, 2001:db8::53, asked by a resolver on the terminal
            round trip 48.2 ms, 3 segments sent again, last look-up 12 ms, connection 51 ms, TLS 120 ms
  traffic   today 5 KiB: payments and stamps 1 KiB, readings 2 KiB, overhead 1 KiB, TCP and IP 1 KiB
            yesterday 100 B: payments and stamps 100 B, readings 0 B, overhead 0 B, TCP and IP unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"no way out": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Uplink: &wire.UplinkStatus{
				State: wire.UplinkState_UPLINK_STATE_CONNECTING, Backend: "gateway:8443",
				Days: []*wire.TrafficDay{{Traffic: &wire.Traffic{SentOverheadBytes: 9}}, {Date: "2026-04-20", Traffic: &wire.Traffic{}}},
			},
			Network: &wire.NetworkStatus{
				Links:      &wire.LinkList{Links: []*wire.LinkStatus{{Name: "wlan0", Kind: wire.LinkKind_LINK_KIND_WIFI, State: wire.LinkState_LINK_STATE_UP, Carrier: new(false)}}},
				Ipv4Routes: &wire.RouteList{}, Ipv6Routes: &wire.RouteList{}, NameServers: &wire.NameServers{},
			},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    connecting, backend gateway:8443
            nothing stored since start, sent 0 B, received 0 B, connected 0 times
  network   no default route: nothing can be reached
            wlan0: Wi-Fi, no signal
            no name server
  traffic   today 9 B: payments and stamps 0 B, readings 0 B, overhead 9 B, TCP and IP unknown
            2026-04-20 0 B: payments and stamps 0 B, readings 0 B, overhead 0 B, TCP and IP unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"half of it unknown": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m", Network: &wire.NetworkStatus{Ipv6Routes: &wire.RouteList{}},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    unknown
  network   default route unknown
            name servers unknown
  backlog   unknown
  queue     unknown
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"queue never opened": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m",
			Lanes: []*wire.LaneStatus{{Lane: wire.Lane_LANE_TELEMETRY, InMemory: 2, Depth: 2}}, Queue: &wire.QueueStatus{Path: "/q", Fault: "read-only"},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    unknown
  network   unknown
  backlog   ledger unknown, telemetry unknown (2 in memory)
  queue     /q, unknown used of 0 B, unknown quarantined, 0 dropped
            fault: read-only
  hardware  unknown
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
		"disabled": {&wire.StatusResponse{
			Version: "1", TerminalId: "t", MerchantId: "m", Uplink: &wire.UplinkStatus{State: wire.UplinkState_UPLINK_STATE_DISABLED},
			Lanes: []*wire.LaneStatus{{Lane: wire.Lane_LANE_LEDGER}}, Queue: &wire.QueueStatus{Path: "/q"}, Parts: []*wire.PartStatus{{Part: "host", Found: true}},
		}, `
stampd 1, terminal t of merchant m, up 0 s
  uplink    disabled: no backend is configured, everything stays in the queue
  network   unknown
  backlog   ledger 0, telemetry 0
  queue     /q, 0 B used of 0 B, 0 quarantined, 0 dropped
  hardware  host: found
  security  requests refused for cardholder data: 0, FIPS 140-3 mode off
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var plain, coloured bytes.Buffer
			printStatus(&plain, palette{}, tt.status)
			if got := "\n" + plain.String(); got != tt.want {
				t.Errorf("printed%s\nwant%s", got, tt.want)
			}
			printStatus(&coloured, palette{on: true}, tt.status)
			if got := strings.NewReplacer("\x1b[0m", "", "\x1b[2m", "", "\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "").Replace(coloured.String()); got != plain.String() {
				t.Errorf("in colours it says something else:\n%s", got)
			}
		})
	}
}

func TestSpan(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0 s", 119 * time.Second: "119 s", 2 * time.Minute: "2 min", 125 * time.Minute: "2 h 5 min", 3 * time.Hour: "3 h",
		50 * time.Hour: "2 d 2 h",
	}
	for d, want := range tests {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestBytesOf(t *testing.T) {
	tests := map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 20 << 10: "20 KiB", 4300: "4.2 KiB", 64 << 20: "64 MiB", 3 << 29: "1.5 GiB",
	}
	for n, want := range tests {
		if got := bytesOf(n); got != want {
			t.Errorf("bytesOf(%d) = %q, want %q", n, got, want)
		}
	}
}
