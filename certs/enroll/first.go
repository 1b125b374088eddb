package enroll

import (
	"errors"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/certs"
)

// firsts counts certificates by first use.
type firsts struct {
	hour        time.Time // since when all and tagged are counted
	all, tagged int
	day         time.Time      // since when bases are
	bases       map[string]int // addresses with a mark, by the one without
}

// taggedPart is the part of those of an hour that addresses with marks may have.
const taggedPart = 4

var errFirsts = errors.New("more addresses ask for their first certificate than certificates.issue.per_hour allows")

// begin begins another hour, or day, where the one before is over, or the clock was set back.
func (f *firsts) begin(now time.Time) {
	if now.Sub(f.hour).Abs() >= time.Hour {
		f.hour, f.all, f.tagged = now, 0, 0
	}
	if now.Sub(f.day).Abs() >= 24*time.Hour {
		f.day, f.bases = now, map[string]int{}
	}
}

// admit counts a first use, or says why it is not the time for it: a *certs.UnavailableError, or for too many marks of one address a *RefusedError.
func (e *Enroller) admit(address string, now time.Time) error {
	o := e.o()
	base := baseOf(address, o.Tag)
	e.mu.Lock()
	defer e.mu.Unlock()
	f := &e.first
	f.begin(now)
	tagged := base != address
	switch {
	case tagged && f.bases[base] >= o.PerBase:
		return &RefusedError{address, "other addresses of " + printable(base) + " with a mark have got as many certificates today as they may; write without the mark, or have one issued by siegel certs issue"}
	case f.all >= o.PerHour, tagged && f.tagged >= max(1, o.PerHour/taggedPart):
		return &certs.UnavailableError{Source: Source, Err: errFirsts}
	}
	f.all++
	if tagged {
		f.tagged++
		f.bases[base]++
	}
	return nil
}

// baseOf is an address without its mark: what stands before the first one of the local part.
func baseOf(address, tag string) string {
	at := strings.LastIndexByte(address, '@')
	local := address[:at]
	for _, mark := range []string{"+", tag} {
		if before, _, found := strings.Cut(local, mark); mark != "" && found && before != "" {
			local = before
		}
	}
	return local + address[at:]
}
