package buffer

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

func TestErrorsNameTheirCause(t *testing.T) {
	for errno, want := range map[syscall.Errno]error{
		syscall.ENOSPC: ErrFull, syscall.EDQUOT: ErrFull, syscall.EFBIG: ErrFull, syscall.EROFS: ErrReadOnly,
		syscall.EACCES: ErrPermission, syscall.EPERM: ErrPermission, syscall.EIO: ErrIO, syscall.ENOTDIR: ErrIO,
	} {
		for form, err := range map[string]error{
			"as it is":     &os.PathError{Op: "open", Path: "queue.db", Err: errno},
			"as text only": fmt.Errorf("file resize error: %s", errno),
		} {
			got := classify("store", err)
			for _, cause := range []error{ErrFull, ErrReadOnly, ErrPermission, ErrIO} {
				if errors.Is(got, cause) != (cause == want) {
					t.Errorf("%v %s: %v is %v", errno, form, got, cause)
				}
			}
		}
	}
}
