package uplink

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampd/stampd/uplink/file"
	"github.com/stampd/stampd/uplink/wire"
)

const (
	// maxTrafficFile is the most that a file of days may have, in bytes.
	maxTrafficFile = 16 << 10
	// maxCounted is the most that is believed of a counter in a file: 10 TB.
	maxCounted = 10_000_000_000_000 - 1
	// saveEvery is the least between two times that the days are written while payments are.
	saveEvery = time.Hour
)

// errTraffic means that a file is not one of days.
var errTraffic = errors.New("it holds no days of traffic")

// loadTraffic takes up the days that an earlier run has counted. Without a file that can be used there are none.
func (c *Client) loadTraffic() {
	if c.TrafficFile == "" {
		return
	}
	days, err := readTraffic(c.TrafficFile)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			c.Log.Warn().Err(err).Msg("bytes of earlier days are forgotten")
		}
		return
	}
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.meter.calendar.before = days
}

func readTraffic(path string) ([]dated, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	content, err := io.ReadAll(io.LimitReader(f, maxTrafficFile+1))
	if err != nil {
		return nil, err
	}
	days, err := parseTraffic(content)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", path, err)
	}
	return days, nil
}

// parseTraffic returns the days in a file, the latest first.
func parseTraffic(content []byte) ([]dated, error) {
	var m wire.TrafficDays
	if len(content) > maxTrafficFile || (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(content, &m) != nil {
		return nil, errTraffic // the parser's own words repeat the file
	}
	var days []dated
	for _, d := range m.GetDays() {
		_, err := time.Parse(time.DateOnly, d.GetDate())
		if err != nil || len(days) == daysKept || len(days) > 0 && days[len(days)-1].date <= d.GetDate() {
			return nil, errTraffic
		}
		t := d.GetTraffic()
		if slices.Max([]uint64{
			t.GetSentLedgerBytes(), t.GetSentTelemetryBytes(), t.GetSentOverheadBytes(), t.GetReceivedOverheadBytes(),
			t.GetSentTcpBytes(), t.GetReceivedTcpBytes(), d.GetTelemetryLimitBytes(),
		}) > maxCounted {
			return nil, errTraffic
		}
		days = append(days, dated{date: d.GetDate(), traffic: trafficOf(t), cost: int64(d.GetTelemetryLimitBytes())})
	}
	return days, nil
}

// saveTraffic writes the days down. Those whose date nobody knows are left out: the next run could not tell either.
func (c *Client) saveTraffic() {
	if c.TrafficFile == "" {
		return
	}
	c.meter.mu.Lock()
	days := slices.DeleteFunc(c.meter.calendar.messages(c.instant()), func(d *wire.TrafficDay) bool { return d.GetDate() == "" })
	c.meter.calendar.fresh = false
	c.meter.mu.Unlock()
	content, err := protojson.Marshal(&wire.TrafficDays{Days: days})
	if err == nil {
		err = file.Replace(c.TrafficFile, append(content, '\n'), 0o600)
	}
	if err != nil {
		c.Log.Warn().Err(err).Msg("bytes of these days can't be written down")
	}
}

// keeper decides when the days are written down: when a day has begun, and once an hour in which a payment was written
// anyway. Nothing is written for the sake of readings.
type keeper struct {
	saved time.Time // or when it was made
	paid  bool      // a record of the ledger was sent since
}

// keepTraffic writes the days down when that is due.
func (s *session) keepTraffic() {
	s.meter.mu.Lock()
	fresh := s.meter.calendar.fresh && len(s.meter.calendar.run) > 1
	s.meter.mu.Unlock()
	if fresh || s.keeper.paid && time.Since(s.keeper.saved) >= saveEvery {
		s.keeper.saved, s.keeper.paid = time.Now(), false
		s.saveTraffic()
	}
}
