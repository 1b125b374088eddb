package gateway_test

import (
	"bytes"
	"sync"
)

// diary is a log that may be read while a gateway writes it.
type diary struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is io.Writer's.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

// String is what was written so far.
func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}
