package tlstest

import (
	"bytes"
	"sync"
)

// log keeps what a program writes, and tells once something stands in it.
type log struct {
	mu    sync.Mutex
	text  bytes.Buffer
	want  string
	found func()
	hit   bool
}

// bound is the most of a program's output that is kept.
const bound = 1 << 20

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.add(string(p))
	return len(p), nil
}

func (l *log) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() < bound {
		l.text.WriteString(s)
	}
	if l.want != "" && !l.hit && bytes.Contains(l.text.Bytes(), []byte(l.want)) {
		l.hit = true
		if l.found != nil {
			l.found()
		}
	}
}

// String is all that was written.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) seen() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hit
}
