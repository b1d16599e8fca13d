// Every setting of the agent: its name, its meaning, its default, and what it may be.

package main

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stampd/stampd/hal"
	"github.com/stampd/stampd/loyalty"
	"github.com/stampd/stampd/loyalty/phone"
	"github.com/stampd/stampd/uplink"
	"github.com/stampd/stampd/uplink/est"
)

// Config is every setting of the agent. A file overrides [defaultConfig], and the backend what is tagged remote: never who the
// terminal is, whom it trusts, where it keeps and sends what, and what it records of cards. `stampd config show` prints the
// result, and the comments below with it.
type Config struct {
	Terminal  TerminalConfig  `toml:"terminal" comment:"Who this terminal is."`
	Local     LocalConfig     `toml:"local" comment:"The socket that the POS app talks to."`
	Queue     QueueConfig     `toml:"queue" comment:"What is kept until the backend has stored it."`
	Uplink    UplinkConfig    `toml:"uplink" comment:"The way to the backend."`
	Hardware  HardwareConfig  `toml:"hardware" comment:"Where the hardware is. What is not there is looked for again."`
	Telemetry TelemetryConfig `toml:"telemetry" comment:"How often the terminal is read."`
	Payments  PaymentsConfig  `toml:"payments" comment:"Payments stored on the terminal without an answer of the acquirer, at the merchant's risk. A limit is watched and told of at 50, 80 and 100 percent; nothing is refused because of it."`
	Loyalty   LoyaltyConfig   `toml:"loyalty" comment:"The stamp cards."`
	Log       LogConfig       `toml:"log" comment:"What the agent writes to standard error."`
}

// TerminalConfig says who the terminal is.
type TerminalConfig struct {
	ID       string `toml:"id" comment:"The terminal's id, as in its certificate: 1 to 64 of a-z, 0-9, dot and dash. Must be set."`
	Merchant string `toml:"merchant" comment:"The merchant's id, as in the certificate: 1 to 64 of a-z, 0-9, dot and dash. Must be set."`
}

// LocalConfig is the local API.
type LocalConfig struct {
	Socket    string   `toml:"socket" comment:"Path of the unix socket: absolute, up to 100 bytes."`
	POSUIDs   []uint32 `toml:"pos_uids" comment:"User ids that may record payments and stamps. root and the agent's own user always may."`
	AdminUIDs []uint32 `toml:"admin_uids" comment:"User ids of technicians: they may do what pos_uids may, and have calls of their own, so that a POS app gone mad does not keep them out."`
}

// QueueConfig is the queue.
type QueueConfig struct {
	Path            string   `toml:"path" comment:"The queue file. Its directory is created."`
	KeyFile         string   `toml:"key_file" comment:"The key that records are sealed with: 64 hex digits, mode 0600. Created at the first start."`
	MaxSize         ByteSize `toml:"max_size" remote:"yes" comment:"How large the file may get, 8MiB to 16GiB. 64MiB holds the payments of weeks offline, and the answers to repeated calls for 30 days at least, at up to 1500 calls a day; with less room they go earlier, once the backend has their records."`
	LedgerReserve   ByteSize `toml:"ledger_reserve" remote:"yes" comment:"The part of max_size that telemetry may not use, 1MiB to three quarters of it: readings never cost a payment its room."`
	TelemetryMemory ByteSize `toml:"telemetry_memory" remote:"yes" comment:"Memory for readings before they are written, 64KiB to 64MiB. While online nothing gets this far, and no flash is worn."`
	SpillAfter      Duration `toml:"spill_after" remote:"yes" comment:"How long a reading may wait in memory, 1s to 1h. A power cut takes at most this and telemetry.block_every of readings, or block_every_offline; payments and stamps never."`
	SpillBelow      uint32   `toml:"spill_below_percent" remote:"yes" comment:"Charge at which a battery in use is nearly empty, 0 to 50 percent: from then on readings are written and don't wait in memory. 0 means never."`
}

// UplinkConfig is the way to the backend.
type UplinkConfig struct {
	Backend            string        `toml:"backend" comment:"Address of the backend, host:port. Empty: no uplink, everything stays in the queue."`
	ServerName         string        `toml:"server_name" comment:"Name in the backend's certificate. Empty: the host of backend."`
	Cert               string        `toml:"cert" comment:"The terminal's certificate chain, PEM. Read again when the file changes. Must be set when backend is, as the next two."`
	Key                string        `toml:"key" comment:"The certificate's private key, PEM."`
	CA                 string        `toml:"ca" comment:"The authorities that the certificates of the backend and of the EST server may come from, PEM. The system's are never used."`
	EST                string        `toml:"est" comment:"Address of the server that renews the certificate (EST, RFC 7030), host:port or https://host:port. Empty: it is not renewed."`
	Window             int           `toml:"window" remote:"yes" comment:"Batches on their way without an answer, 1 to 64. 8 of 256KiB fill a link of 16 Mbit/s with 1 s of delay."`
	BatchSize          ByteSize      `toml:"batch_size" remote:"yes" comment:"Size of a batch, 4KiB to 256KiB. Above 256KiB the backend refuses it."`
	BackoffMin         Duration      `toml:"backoff_min" remote:"yes" comment:"Wait before the second attempt, 100ms to backoff_max. Doubled at each failure, with full jitter."`
	BackoffMax         Duration      `toml:"backoff_max" remote:"yes" comment:"Longest wait between attempts, up to 1h."`
	FirstContactSpread Duration      `toml:"first_contact_spread" remote:"yes" comment:"The first attempt comes at a random time within this, up to 10m, so that a fleet does not return from a power cut as one."`
	StallAfter         Duration      `toml:"stall_after" remote:"yes" comment:"A batch without an answer for this long ends the stream, 5s to 10m. Above the worst delay of a bad cell."`
	Keepalive          Duration      `toml:"keepalive" remote:"yes" comment:"Pause after which an idle connection is probed, 10s to 1h. Carriers forget a connection after 5 to 30 minutes. A probe costs some 230 bytes, and none is needed while this is longer than telemetry.block_every."`
	TelemetryWindow    uplink.Window `toml:"telemetry_window" remote:"yes" comment:"When readings are sent, by the clock of the shop: \"02:00-05:00\". Empty: at any time. Payments and stamps never wait for it."`
	TelemetryPerDay    ByteSize      `toml:"telemetry_per_day" remote:"yes" comment:"What readings may cost in a day, TCP and IP included, 64KiB to 1GiB; what is over waits for the next day. 0B: any. A restart remembers what was spent; a power cut forgets what was since the last hour with payments."`
	TimeZone           string        `toml:"time_zone" remote:"yes" comment:"Zone of the window and the day, such as \"Europe/Berlin\". Empty: the system's."`
	Proxy              uplink.Proxy  `toml:"proxy" comment:"Proxy on the way to the backend: \"http://user:password@host:port\", https:// or socks5://, or \"environment\" for HTTPS_PROXY. Empty: none. It is shown without its password."`
	ProxyCA            string        `toml:"proxy_ca" comment:"The authorities that an https proxy's certificate may come from, PEM. Empty: the system's."`
}

// HardwareConfig is where the hardware is.
type HardwareConfig struct {
	Board    string `toml:"board" comment:"Board profile: a path, the name of one in /usr/share/stampd/boards, or auto: /etc/stampd/board.toml if it is there, else the one of the device tree."`
	SysRoot  string `toml:"sys_root" comment:"Where sysfs is mounted. Other than the default only for tests and containers."`
	ProcRoot string `toml:"proc_root" comment:"Where procfs is mounted. Other than the default only for tests and containers."`

	Modem        string `toml:"modem" comment:"AT port of the modem, such as \"/dev/ttyUSB2\"; auto: found by its USB numbers; off. While ModemManager is on the system bus that is asked instead, and no port is opened."`
	ModemBaud    int    `toml:"modem_baud" comment:"Rate of that port, 1200 to 4000000. Over USB any will do."`
	ModemProfile string `toml:"modem_profile" comment:"quectel, simcom, ublox or generic. Empty: the modem is asked who made it."`
	SystemBus    string `toml:"system_bus" comment:"D-Bus address of the system bus. Empty: where it always is; off: ModemManager is not asked."`
}

// TelemetryConfig is how often the terminal is read.
type TelemetryConfig struct {
	BatteryEvery    Duration `toml:"battery_every" remote:"yes" comment:"Battery, 1s to 24h, and at once when it is plugged in or out. 2m costs some 4.5 KB a day."`
	HostEvery       Duration `toml:"host_every" remote:"yes" comment:"Processor, memory, disk and network, 1s to 24h. 2m costs some 10 KB a day."`
	ModemEvery      Duration `toml:"modem_every" remote:"yes" comment:"Modem, 1s to 24h, and at once when its registration or its SIM changes. 2m costs some 8.0 KB a day."`
	NetworkEvery    Duration `toml:"network_every" remote:"yes" comment:"Network interfaces, 1s to 24h. 30m costs some 1.2 KB a day for each."`
	ConnectionEvery Duration `toml:"connection_every" remote:"yes" comment:"The way to the backend and what it cost, 1s to 24h, and at once when the default route changes. 30m costs some 1.9 KB a day."`
	AppEvery        Duration `toml:"app_every" remote:"yes" comment:"The agent's own process and the applications of apps, 1s to 24h. 15m costs some 2.0 KB a day."`
	BlockEvery      Duration `toml:"block_every" remote:"yes" comment:"Pause between blocks of readings, 1s to 1h. 8m costs some 44 KB a day beside the readings, which keeps an idle day under 100 KB."`
	BlockOffline    Duration `toml:"block_every_offline" remote:"yes" comment:"The same while readings can't be sent or are held, 1s to 24h, at least block_every. With 15m a whole day offline costs some 25 KB, its readings included."`
	SlowBelow       uint32   `toml:"slow_below_percent" remote:"yes" comment:"Charge at which a battery in use runs down, 0 to 100 percent: from then on everything is read less often, by up to four times and at least once an hour. What is told at once still is. 0 means never."`
	FastFor         Duration `toml:"fast_for" remote:"yes" comment:"How long what something is wrong with is read more often, by up to four times and at most every 5s, 0s to 24h; 0s: never. Begun anew when something else goes wrong, six times in a row and then once in 4h."`
	Apps            []string `toml:"apps" remote:"yes" comment:"Applications to watch, up to 16: \"name:pos\" is every process of that name, \"pidfile:/run/pos.pid\" the one whose id is in that file, \"unit:pos.service\" those of a systemd unit; \"till=name:pos\" is called till. Each costs some 2 KB a day."`
	AppReportEvery  Duration `toml:"app_report_every" remote:"yes" comment:"Pause between what is told of the durations that applications report, 1s to 24h. With 15m, a day of 200 sales with five operations each costs some 9.0 KB a day; where nothing is reported, nothing is told."`
	Jitter          float64  `toml:"jitter" remote:"yes" comment:"How late a reading may be, as a part of the time until the next one, 0.0 to 0.5: random, so that a fleet does not report in step."`
}

// PaymentsConfig is the limits of payments that are stored on the terminal. The defaults are those of Moneris Go ($250 for a
// purchase, 500 records) and of Square (24 h): developer.moneris.com/moneris-go/docs/offline-payments,
// developer.squareup.com/docs/mobile-payments-sdk/ios/offline-payments.
type PaymentsConfig struct {
	MaxAmount []string `toml:"max_amount" remote:"yes" comment:"Limit of one payment, for each currency: \"250.00 EUR\". A currency that is not listed is not watched."`
	MaxTotal  []string `toml:"max_total" remote:"yes" comment:"Limit of what is stored in all, for each currency: \"5000.00 EUR\"."`
	MaxCount  int64    `toml:"max_count" remote:"yes" comment:"Limit of how many payments are stored, up to 1000000. 0: not watched."`
	MaxAge    Duration `toml:"max_age" remote:"yes" comment:"Limit of how old the oldest may get, up to 720h. Acquirers decline what is sent later: Square after 24h, Toast after 5 days, Clover after 7. 0s: not watched."`
	KeepBIN6  bool     `toml:"keep_bin6" comment:"Whether the first six digits of a card's number are recorded, beside the last four (PCI DSS 3.5.1)."`
}

// LoyaltyConfig is the stamp cards.
type LoyaltyConfig struct {
	ProgrammeID          string `toml:"programme_id" remote:"yes" comment:"The programme that stamps count for: 1 to 64 of a-z, 0-9, dot and dash."`
	ProgrammeVersion     uint32 `toml:"programme_version" remote:"yes" comment:"Version of its rules, from 1. All rules here hold until the backend sends a version of the programme."`
	StampsPerReward      int32  `toml:"stamps_per_reward" remote:"yes" comment:"Stamps that earn a reward, 1 to 1000: 9 is \"buy nine, get one free\"."`
	MaxStampsPerPurchase int32  `toml:"max_stamps_per_purchase" remote:"yes" comment:"Stamps that one purchase may give, 1 to 1000."`
	MemberKeyFile        string `toml:"member_key_file" comment:"The merchant's key, from which members get their references: 64 hex digits, mode 0600. Empty: stamps are refused."`

	MemberKeyPrevious []string `toml:"member_key_previous" comment:"The files of the keys that the merchant had before, the newest first, up to 4: members are found under them too."`
	Region            string   `toml:"region" remote:"yes" comment:"Where phone numbers without a country code are dialled: two capital letters, such as US or DE. Empty: numbers need their + and country code."`

	MinGap             Duration `toml:"min_gap" remote:"yes" comment:"Least time between two awards to one member, 0s to 720h; 0s: none. An award that comes sooner is refused, and recorded so. A clock that is not trusted refuses nobody."`
	MaxPerDay          int32    `toml:"max_per_day" remote:"yes" comment:"Awards to one member in a day of the shop, 0 to 1000. 0: any number. -1: 1, or any number where a purchase may give several stamps."`
	MaxPerTerminalHour int32    `toml:"max_per_terminal_hour" remote:"yes" comment:"Awards by this terminal in an hour, 0 to 1000. 0: any number."`
	MaxPerOperatorHour int32    `toml:"max_per_operator_hour" remote:"yes" comment:"Awards by one operator in an hour, 0 to 1000. 0: any number."`
	MaxManualPerDay    int32    `toml:"max_manual_per_day" remote:"yes" comment:"Awards by hand, for no sale, in a day, 0 to 1000. 0: any number."`
	MinimumSpend       []string `toml:"minimum_spend" remote:"yes" comment:"What a purchase must come to for a stamp, before tax and tip, for each currency: \"5.00 EUR\". Empty: anything. Where it is set, awards without an amount get no stamp, unless they say how many."`
	TimeZone           string   `toml:"time_zone" remote:"yes" comment:"Zone of the shop's days, such as \"Europe/Berlin\". Empty: UTC."`
	FloorPerAccountDay int32    `toml:"floor_per_account_day" remote:"yes" comment:"Rewards that the terminal gives one member in a day while the backend can't be asked and no lease allows it, 0 to 1000, at the merchant's risk. 0: none. Set with floor_total."`
	FloorTotal         int32    `toml:"floor_total" remote:"yes" comment:"Rewards that it gives so to anybody until the backend has them, 0 to 1000. 0: none."`
}

// LogConfig is the log.
type LogConfig struct {
	Level  string `toml:"level" remote:"yes" comment:"trace, debug, info, warn or error."`
	Format string `toml:"format" comment:"json, console, or auto: console on a terminal, else json."`
}

// defaultConfig returns the settings that hold where the file says nothing.
func defaultConfig() Config {
	return Config{
		Local: LocalConfig{
			Socket:    "/run/stampd/stampd.sock",
			POSUIDs:   []uint32{},
			AdminUIDs: []uint32{},
		},
		Queue: QueueConfig{
			Path:            "/var/lib/stampd/queue.db",
			KeyFile:         "/var/lib/stampd/queue.key",
			MaxSize:         64 * MiB,
			LedgerReserve:   16 * MiB,
			TelemetryMemory: 4 * MiB,
			SpillAfter:      Duration{60 * time.Second},
			SpillBelow:      10,
		},
		Uplink: UplinkConfig{
			Window:             8,
			BatchSize:          256 * KiB,
			BackoffMin:         Duration{1 * time.Second},
			BackoffMax:         Duration{60 * time.Second},
			FirstContactSpread: Duration{10 * time.Second},
			StallAfter:         Duration{60 * time.Second},
			Keepalive:          Duration{9 * time.Minute},
		},
		Hardware: HardwareConfig{Board: hal.BoardAuto, SysRoot: "/sys", ProcRoot: "/proc", Modem: hal.ModemAuto, ModemBaud: 115200},
		Telemetry: TelemetryConfig{
			BatteryEvery:    Duration{2 * time.Minute},
			HostEvery:       Duration{2 * time.Minute},
			ModemEvery:      Duration{2 * time.Minute},
			NetworkEvery:    Duration{30 * time.Minute},
			ConnectionEvery: Duration{30 * time.Minute},
			AppEvery:        Duration{15 * time.Minute},
			BlockEvery:      Duration{8 * time.Minute},
			BlockOffline:    Duration{15 * time.Minute},
			SlowBelow:       20,
			FastFor:         Duration{15 * time.Minute},
			Apps:            []string{},
			AppReportEvery:  Duration{15 * time.Minute},
			Jitter:          0.1,
		},
		Payments: PaymentsConfig{
			MaxAmount: []string{"250.00 CAD", "250.00 EUR", "250.00 GBP", "250.00 USD"},
			MaxTotal:  []string{},
			MaxCount:  500,
			MaxAge:    Duration{24 * time.Hour},
		},
		Loyalty: LoyaltyConfig{
			ProgrammeID:          "stamps",
			ProgrammeVersion:     1,
			StampsPerReward:      9,
			MaxStampsPerPurchase: 1,
			MemberKeyPrevious:    []string{},
			MinGap:               Duration{loyalty.DefaultMinGap},
			MaxPerDay:            -1,
			MinimumSpend:         []string{},
		},
		Log: LogConfig{Level: "info", Format: "auto"},
	}
}

// check hands everything that is wrong with the settings to the checker, in the order of the file.
func (c *Config) check(ck *checker) {
	ck.id("terminal.id", c.Terminal.ID)
	ck.id("terminal.merchant", c.Terminal.Merchant)

	ck.path("local.socket", c.Local.Socket)
	ck.that(len(c.Local.Socket) <= 100, "local.socket", "want a path of up to 100 bytes: the kernel takes no longer one")

	ck.path("queue.path", c.Queue.Path)
	ck.path("queue.key_file", c.Queue.KeyFile)
	ck.size("queue.max_size", c.Queue.MaxSize, 8*MiB, 16*GiB)
	ck.size("queue.ledger_reserve", c.Queue.LedgerReserve, 1*MiB, c.Queue.MaxSize/4*3)
	ck.size("queue.telemetry_memory", c.Queue.TelemetryMemory, 64*KiB, 64*MiB)
	ck.duration("queue.spill_after", c.Queue.SpillAfter, time.Second, time.Hour)
	ck.integer("queue.spill_below_percent", int64(c.Queue.SpillBelow), 0, 50)

	u := c.Uplink
	if u.Backend != "" {
		host, port, err := net.SplitHostPort(u.Backend)
		n, portErr := strconv.ParseUint(port, 10, 16)
		ck.that(err == nil && host != "" && portErr == nil && n > 0, "uplink.backend", `want host:port, such as "gateway.example:8443"`)
		ck.path("uplink.cert", u.Cert)
		ck.path("uplink.key", u.Key)
		ck.path("uplink.ca", u.CA)
	}
	if u.EST != "" {
		_, err := est.ParseAddress(u.EST)
		ck.that(err == nil, "uplink.est", `want host:port or https://host:port, such as "est.example:8444"`)
		ck.that(u.Cert == "" || filepath.Clean(u.Cert) != filepath.Clean(u.Key), "uplink.key", "must be another file than uplink.cert, when uplink.est is set")
	}
	ck.integer("uplink.window", int64(u.Window), 1, 64)
	ck.size("uplink.batch_size", u.BatchSize, 4*KiB, 256*KiB)
	ck.duration("uplink.backoff_min", u.BackoffMin, 100*time.Millisecond, u.BackoffMax.Duration)
	ck.duration("uplink.backoff_max", u.BackoffMax, 100*time.Millisecond, time.Hour)
	ck.duration("uplink.first_contact_spread", u.FirstContactSpread, 0, 10*time.Minute)
	ck.duration("uplink.stall_after", u.StallAfter, 5*time.Second, 10*time.Minute)
	ck.duration("uplink.keepalive", u.Keepalive, 10*time.Second, time.Hour)
	if u.TelemetryPerDay != 0 {
		ck.size("uplink.telemetry_per_day", u.TelemetryPerDay, 64*KiB, GiB)
	}
	if u.ProxyCA != "" {
		ck.path("uplink.proxy_ca", u.ProxyCA)
	}

	ck.that(c.Hardware.Board != "", "hardware.board", "want a path, a board's name, or auto")
	ck.path("hardware.sys_root", c.Hardware.SysRoot)
	ck.path("hardware.proc_root", c.Hardware.ProcRoot)
	if m := c.Hardware.Modem; m != hal.ModemAuto && m != hal.ModemOff {
		ck.that(filepath.IsAbs(m), "hardware.modem", `want auto, off, or the path of a port, such as "/dev/ttyUSB2"`)
	}
	ck.integer("hardware.modem_baud", int64(c.Hardware.ModemBaud), 1200, 4_000_000)
	ck.oneOf("hardware.modem_profile", c.Hardware.ModemProfile, "", "quectel", "simcom", "ublox", "generic")
	if b := c.Hardware.SystemBus; b != "" && b != hal.NoBus {
		ck.that(strings.HasPrefix(b, "unix:"), "hardware.system_bus", `want off, or an address such as "unix:path=/run/dbus/system_bus_socket"`)
	}

	t := c.Telemetry
	ck.duration("telemetry.battery_every", t.BatteryEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.host_every", t.HostEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.modem_every", t.ModemEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.network_every", t.NetworkEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.connection_every", t.ConnectionEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.app_every", t.AppEvery, time.Second, 24*time.Hour)
	ck.duration("telemetry.block_every", t.BlockEvery, time.Second, time.Hour)
	ck.duration("telemetry.block_every_offline", t.BlockOffline, time.Second, 24*time.Hour)
	ck.integer("telemetry.slow_below_percent", int64(t.SlowBelow), 0, 100)
	ck.duration("telemetry.fast_for", t.FastFor, 0, 24*time.Hour)
	ck.apps("telemetry.apps", t.Apps)
	ck.duration("telemetry.app_report_every", t.AppReportEvery, time.Second, 24*time.Hour)
	ck.that(t.Jitter >= 0 && t.Jitter <= 0.5, "telemetry.jitter", "want 0.0 to 0.5")

	ck.amounts("payments.max_amount", c.Payments.MaxAmount)
	ck.amounts("payments.max_total", c.Payments.MaxTotal)
	ck.integer("payments.max_count", c.Payments.MaxCount, 0, 1_000_000)
	ck.duration("payments.max_age", c.Payments.MaxAge, 0, 720*time.Hour)

	l := c.Loyalty
	ck.id("loyalty.programme_id", l.ProgrammeID)
	ck.integer("loyalty.programme_version", int64(l.ProgrammeVersion), 1, 1<<31)
	ck.integer("loyalty.stamps_per_reward", int64(l.StampsPerReward), 1, 1000)
	ck.integer("loyalty.max_stamps_per_purchase", int64(l.MaxStampsPerPurchase), 1, 1000)

	if l.MemberKeyFile != "" {
		ck.path("loyalty.member_key_file", l.MemberKeyFile)
	}
	ck.that(len(l.MemberKeyPrevious) <= 4, "loyalty.member_key_previous", "want up to 4 files")
	for _, file := range l.MemberKeyPrevious {
		ck.path("loyalty.member_key_previous", file)
	}
	ck.that(l.Region == "" || slices.Contains(phone.Regions(), l.Region), "loyalty.region",
		`want a region whose numbers are known, in capital letters, such as "US"; where it is not one, leave it empty`)

	ck.duration("loyalty.min_gap", l.MinGap, 0, 720*time.Hour)
	ck.integer("loyalty.max_per_day", int64(l.MaxPerDay), -1, 1000)
	ck.integer("loyalty.max_per_terminal_hour", int64(l.MaxPerTerminalHour), 0, 1000)
	ck.integer("loyalty.max_per_operator_hour", int64(l.MaxPerOperatorHour), 0, 1000)
	ck.integer("loyalty.max_manual_per_day", int64(l.MaxManualPerDay), 0, 1000)
	_, err := parseAmounts(l.MinimumSpend)
	ck.that(err == nil, "loyalty.minimum_spend", `want amounts with their currency, one for each, such as "5.00 EUR"`)
	_, err = time.LoadLocation(l.TimeZone)
	ck.that(err == nil && l.TimeZone != "Local", "loyalty.time_zone", `want an IANA name, such as "Europe/Berlin"`)
	ck.integer("loyalty.floor_per_account_day", int64(l.FloorPerAccountDay), 0, 1000)
	ck.integer("loyalty.floor_total", int64(l.FloorTotal), 0, 1000)
	ck.that((l.FloorPerAccountDay > 0) == (l.FloorTotal > 0), "loyalty.floor_total", "set it with floor_per_account_day, or neither")

	ck.oneOf("log.level", c.Log.Level, "trace", "debug", "info", "warn", "error")
	ck.oneOf("log.format", c.Log.Format, "auto", "json", "console")
}

// serverName returns the name that the backend's certificate must have.
func (u UplinkConfig) serverName() string {
	if u.ServerName != "" {
		return u.ServerName
	}
	host, _, _ := net.SplitHostPort(u.Backend)
	return host
}
