package cli

import (
	"fmt"
	"time"
)

// Span writes a time span for people, in its two largest units: "3 s", "4 min", "2 h 5 min", "3 d 4 h", "24 h".
func Span(d time.Duration) string {
	s := int64(d / time.Second)
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 120*60:
		return fmt.Sprintf("%d min", s/60)
	case s < 48*3600:
		return units(s/3600, "h", s/60%60, "min")
	}
	return units(s/86400, "d", s/3600%24, "h")
}

func units(large int64, of string, small int64, ofSmall string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, of)
	}
	return fmt.Sprintf("%d %s %d %s", large, of, small, ofSmall)
}
