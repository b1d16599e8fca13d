package loyalty

import "testing"

func TestExponent(t *testing.T) {
	tests := []struct {
		code string
		want int
		ok   bool
	}{
		{"EUR", 2, true},
		{"USD", 2, true},
		{"JPY", 0, true},
		{"CLP", 0, true},
		{"UGX", 0, true},
		{"KWD", 3, true},
		{"BHD", 3, true},
		{"IQD", 3, true},
		{"CLF", 4, true},
		{"UYW", 4, true},
		{"MGA", 2, true},
		{"MRU", 2, true},
		{"XCG", 2, true}, // since 2025, for ANG
		{"ZWG", 2, true}, // since 2024, for ZWL

		{"", 0, false},
		{"eur", 0, false},
		{"EURO", 0, false},
		{"DEM", 0, false},
		{"HRK", 0, false},
		{"SLL", 0, false},
		{"XAU", 0, false},
		{"XTS", 0, false},
		{"XXX", 0, false},
		{"ZZZ", 0, false},
		{"ED ", 0, false},
		{"R U", 0, false},
	}
	for _, tt := range tests {
		if got, ok := Exponent(tt.code); got != tt.want || ok != tt.ok {
			t.Errorf("Exponent(%q) = %d, %v, want %d, %v", tt.code, got, ok, tt.want, tt.ok)
		}
	}
}

// TestExponentCount counts all codes that are accepted, so that one that is added or lost by mistake shows.
func TestExponentCount(t *testing.T) {
	count := map[int]int{}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			for c := 'A'; c <= 'Z'; c++ {
				if e, ok := Exponent(string([]rune{a, b, c})); ok {
					count[e]++
				}
			}
		}
	}
	for e, want := range map[int]int{0: 17, 2: 139, 3: 7, 4: 2} {
		if count[e] != want {
			t.Errorf("%d codes with exponent %d, want %d", count[e], e, want)
		}
	}
}
