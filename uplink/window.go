package uplink

import (
	"errors"
	"fmt"
	"time"
)

// Window is a part of every day, by the clock on the wall of the shop. The zero Window is all day.
type Window struct {
	from, to int // minutes after midnight; equal in the zero Window only
}

// ErrWindow means that a window is not written as it must be.
var ErrWindow = errors.New(`want two times of day, such as "02:00-05:00" or "22:30-04:00"`)

// ParseWindow reads a window as [Window.String] writes it, "02:00-05:00": from the first minute up to the last, which is
// not in it. One that ends before it begins goes over midnight. Nothing is all day. The only error is [ErrWindow].
func ParseWindow(text string) (Window, error) {
	if text == "" {
		return Window{}, nil
	}
	const form = "15:04-15:04"
	if len(text) != len(form) || text[5] != '-' {
		return Window{}, ErrWindow
	}
	var w Window
	for _, end := range []struct {
		text   string
		minute *int
	}{{text[:5], &w.from}, {text[6:], &w.to}} {
		t, err := time.Parse("15:04", end.text)
		if err != nil {
			return Window{}, ErrWindow
		}
		*end.minute = minuteOf(t)
	}
	if w.from == w.to {
		return Window{}, ErrWindow
	}
	return w, nil
}

// String writes the window as [ParseWindow] reads it.
func (w Window) String() string {
	if w == (Window{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.from/60, w.from%60, w.to/60, w.to%60)
}

// MarshalText writes the window as [Window.String] does.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads what [ParseWindow] reads.
func (w *Window) UnmarshalText(text []byte) (err error) {
	*w, err = ParseWindow(string(text))
	return err
}

// open reports whether t is in the window, by the clock of t's zone.
func (w Window) open(t time.Time) bool {
	m := minuteOf(t)
	switch {
	case w.from == w.to:
		return true
	case w.from < w.to:
		return w.from <= m && m < w.to
	}
	return m >= w.from || m < w.to
}

// minuteOf returns how many minutes after midnight the clock shows.
func minuteOf(t time.Time) int { return t.Hour()*60 + t.Minute() }

// untilFirst returns how long after t the first whole minute begins of which is holds, or within when that comes first. It
// asks minute by minute, because clocks are set forward and back: what a day holds is known by looking only.
func untilFirst(t time.Time, within time.Duration, is func(time.Time) bool) time.Duration {
	for at := t.Truncate(time.Minute).Add(time.Minute); at.Sub(t) < within; at = at.Add(time.Minute) {
		if is(at) {
			return at.Sub(t)
		}
	}
	return within
}
