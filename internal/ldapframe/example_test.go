package ldapframe_test

import (
	"bytes"
	"fmt"

	"github.com/siegel-mail/siegel/internal/ldapframe"
)

// An answer is looked at before a library makes objects of it.
func Example() {
	limits := ldapframe.Limits{Message: 1 << 20, Elements: 10_000, Depth: 20}
	for _, said := range []string{"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", "\x30\x84\x7f\xff\xff\xff", "\x30\x05\x04\x7fabc"} {
		message, err := ldapframe.Read(bytes.NewReader([]byte(said)), limits)
		fmt.Println(len(message), err)
	}
	// Output:
	// 14 <nil>
	// 0 what the directory sends cannot be taken: a message is too long: 2147483647 octets, of 1048576 that are taken
	// 0 what the directory sends cannot be taken: an element has no length that fits
}
