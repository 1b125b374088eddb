package stand

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sync"
)

// Log keeps what a process writes and lets others wait for it. The zero Log is ready; its methods may be
// called at once.
type Log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return l.text.Write(p)
}

// String is everything that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// look returns the text after the first from bytes, and a channel that is closed when there is more.
func (l *Log) look(from int) (string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.text.String()[from:], l.changed
}

// Size is the number of bytes written so far: a place to wait from.
func (l *Log) Size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Len()
}

// Wait waits until what was written after the first from bytes matches. ended, which may be nil, is closed
// when nothing more will come.
func (l *Log) Wait(ctx context.Context, from int, pattern *regexp.Regexp, ended <-chan struct{}) error {
	for {
		text, more := l.look(from)
		if pattern.MatchString(text) {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("%w; no %q in the log:\n%s", context.Cause(ctx), pattern, text)
		case <-ended:
			if text, _ = l.look(from); pattern.MatchString(text) {
				return nil
			}
			return fmt.Errorf("the process ended; no %q in its log:\n%s", pattern, text)
		}
	}
}
