package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name string
		f    figure
		want string
	}{
		{"no budget", figure{Got: 1}, ""},
		{"below the most", figure{Got: 299, Budget: atMost(300)}, "PASS"},
		{"the most", figure{Got: 300, Budget: atMost(300)}, "PASS"},
		{"above the most", figure{Got: 300.1, Budget: atMost(300)}, "over"},
		{"nothing allowed, and nothing there", figure{Got: 0, Budget: atMost(0)}, "PASS"},
		{"nothing allowed", figure{Got: 1, Budget: atMost(0)}, "over"},
		{"above the least", figure{Got: 0.95, Budget: atLeast(0.9)}, "PASS"},
		{"the least", figure{Got: 0.9, Budget: atLeast(0.9)}, "PASS"},
		{"below the least", figure{Got: 0.89, Budget: atLeast(0.9)}, "over"},
		{"a time", figure{Got: 1000, Budget: atMost(300), Time: true}, ""},
	} {
		if got := test.f.verdict(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		v    float64
		u    unit
		want string
	}{
		{0, size, "0 B"},
		{9.96, size, "10.0 B"},
		{342.4, size, "342 B"},
		{1234567.2, size, "1,234,567 B"},
		{-1234, size, "-1,234 B"},
		{19_999.6, perSecond, "20,000/s"},
		{12.345, megabytes, "12.35 MB"},
		{1.004, flushes, "1.00 flushes"},
		{3, count, "3"},
		{200_000, count, "200,000"},
	} {
		if got := test.u.format(test.v); got != test.want {
			t.Errorf("%v in %q is %q, want %q", test.v, test.u, got, test.want)
		}
	}
}

// The table and the JSON tell the same: every figure, its floor, its budget and whether that holds.
func TestPrint(t *testing.T) {
	floor := 212.0
	sections := []section{{Name: "lone", What: "a lone payment", How: "counted", Figures: []figure{
		{What: "with TCP and IP", Got: 342, Unit: size, Floor: &floor, Budget: atMost(300)},
		{What: "segments", Got: 3, Unit: count},
		{What: "round trip", Got: 12.5, Unit: millis, Budget: atMost(10), Time: true},
	}}}
	var table, asJSON bytes.Buffer
	if err := printTable(&table, sections); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ONLY=lone", "counted", "342 B", "212 B", "≤ 300 B  over", "12.5 ms", "1 budget", "0 hold, 1 does not"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in the table\n%s", want, &table)
		}
	}
	if err := printJSON(&asJSON, sections); err != nil {
		t.Fatal(err)
	}
	var read []struct {
		Figures []struct {
			Got     float64
			Verdict string
		}
	}
	if err := json.Unmarshal(asJSON.Bytes(), &read); err != nil || len(read) != 1 || len(read[0].Figures) != 3 {
		t.Fatalf("the JSON reads as %v: %v", read, err)
	}
	if f := read[0].Figures[0]; f.Got != 342 || f.Verdict != "over" {
		t.Errorf("the first figure reads as %v", f)
	}
}
