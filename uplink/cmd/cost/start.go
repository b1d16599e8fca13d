package main

import (
	"context"
	"slices"
	"time"
)

// measureStart starts an agent a few times.
func measureStart(_ context.Context, l *lab) ([]figure, string, error) {
	a, err := l.newAgent(settings{})
	if err != nil {
		return nil, "", err
	}
	var took []time.Duration
	for range 9 {
		d, err := a.start()
		a.stop()
		if err != nil {
			return nil, "", err
		}
		took = append(took, d)
	}
	first := took[0]
	slices.Sort(took)
	return []figure{
		{What: "first start, with a queue to be made", Got: ms(first), Unit: millis, Budget: atMost(300), Time: true},
		{What: "later starts, median", Got: ms(took[len(took)/2]), Unit: millis, Budget: atMost(300), Time: true},
	}, "From exec to the answer to a status call.", nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
