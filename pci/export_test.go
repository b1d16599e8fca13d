package pci

import "slices"

// ExemptFields returns the full names of all exempt fields, sorted.
func ExemptFields() []string {
	var names []string
	for name := range exemptions {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}
