package admin

import (
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// toldPerMinute is how many handshakes that failed are told of in a minute: whoever reaches the address can cause them at will.
const toldPerMinute = 10

// pagesLog takes what net/http has to say of the pages. A handshake that failed is somebody's configuration, or somebody who looks at ports;
// the former is told, within bounds.
type pagesLog struct {
	serverLog
	now func() time.Time

	mu    sync.Mutex
	since time.Time
	told  int
}

// Write logs one line.
func (l *pagesLog) Write(line []byte) (int, error) {
	why, ok := strings.CutPrefix(strings.TrimSuffix(string(line), "\n"), "http: TLS handshake error ")
	if !ok {
		return l.serverLog.Write(line)
	}
	text := "admin: a TLS handshake failed, " + safetext.Line(why, 1024)
	if strings.HasSuffix(why, ": EOF") || !l.room() {
		l.log.Debug(text)
	} else {
		l.log.Info(text)
	}
	return len(line), nil
}

// room reports whether one more is to be told of.
func (l *pagesLog) room() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.since) >= time.Minute || now.Before(l.since) {
		l.since, l.told = now, 0
	}
	l.told++
	if l.told == toldPerMinute+1 {
		l.log.Info("admin: further TLS handshakes failed; for a minute they are told at the level debug alone")
	}
	return l.told <= toldPerMinute
}
