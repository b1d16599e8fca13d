//go:build !failpoints

package buffer_test

import "errors"

// activateFailpoint fails: this is bbolt as it ships.
func activateFailpoint(string, string) (int, error) {
	return 0, errors.New("bbolt was built without failpoints")
}
