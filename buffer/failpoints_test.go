//go:build failpoints

package buffer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gofail "go.etcd.io/gofail/runtime"

	"github.com/stampd/stampd/buffer/disktest"
)

// activateFailpoint gives one of bbolt's failpoints its action, by gofail's rules, or none.
func activateFailpoint(name, action string) (hits int, err error) {
	if action != "" {
		return 0, gofail.Enable(name, action)
	}
	if _, hits, err = gofail.Status(name); err != nil {
		return 0, err
	}
	return hits, gofail.Disable(name)
}

// failpoints are all that there are in bbolt, and what can happen at each. One that returns a string returns an error;
// the others are places to stop at.
func failpoints() map[string][]string {
	fails, stops := []string{`return("it failed")`}, []string{`panic("it panicked")`, `sleep(3000)`}
	return map[string][]string{
		"beforeBucketPut":      stops,
		"beforeSyncDataPages":  stops,
		"beforeSyncMetaPage":   stops,
		"beforeWriteMetaError": fails,
		"lackOfDiskSpace":      fails,
		"mapError":             fails,
		"resizeFileError":      fails,
		"unmapError":           fails,
		"mlockError":           nil, // the queue does not lock memory
		"munlockError":         nil,
	}
}

// TestFailpoints has bbolt fail at each of its failpoints the first time, the second, the third … that it comes by.
func TestFailpoints(t *testing.T) {
	all := failpoints()
	for _, name := range gofail.List() {
		if _, known := all[name]; !known {
			t.Errorf("bbolt has a failpoint %s, and this test does not know it", name)
		}
	}
	type point struct{ name, action string }
	var points []point
	for name, actions := range all {
		for _, action := range actions {
			points = append(points, point{name, action})
		}
	}
	slices.SortFunc(points, func(a, b point) int { return strings.Compare(a.name+a.action, b.name+b.action) })
	results := newResults()
	everyScene(t, len(points), func(t *testing.T, x *terminal, c scene, i int) {
		p := points[i]
		wrong := 0
		for n, step := 0, 1; ; n += step {
			if p.name == "beforeBucketPut" {
				step = 11 // it is come by for each row
			}
			s := c.stage(t, x)
			s.causes, s.failing = []string{"io"}, true
			s.promise.damaged = s.promise.damaged || strings.HasPrefix(p.action, "panic") // bbolt panics when it meets damage
			s.do(command{Do: begin})
			s.do(command{Do: activate, Failpoint: p.name, Action: fmt.Sprintf("%d*off->1*%s", n, p.action)})
			c.run(s)
			hits := s.do(command{Do: activate, Failpoint: p.name}).Hits
			c.recover(s)
			left := s.cut(t, disktest.KeepNone, nil)
			s.promise.audit(s.dir, s.room)
			for _, p := range []*promise{left, s.promise} {
				results.add(points[i].name+" "+points[i].action, p)
			}
			what := fmt.Sprintf("%s, %s %s the %dth time", c.name, p.name, p.action, n+1)
			if err := left.verdict(); err != nil && wrong < 3 {
				wrong++
				t.Errorf("%s, then power cut: %v", what, err)
			}
			s.quiet = wrong >= 3
			if !s.check(t, "%s", what) {
				wrong++
			}
			s.clear()
			if hits <= n {
				break
			}
		}
	})
	results.log(t)
}
