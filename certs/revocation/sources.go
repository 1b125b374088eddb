package revocation

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// sources remembers who failed, so that nobody is asked again at once, and tells an operator.
type sources struct {
	log logrus.FieldLogger

	mu     sync.Mutex
	by     *inForce            // settings: a failure under others says nothing
	failed map[string]*trouble // by source, and by the key of a job
	cache  string              // what is wrong with the cache
}

// trouble is a source that failed the last time it was asked.
type trouble struct {
	source       string
	err          error
	since, until time.Time // it is not asked before
	times        int
	isSource     bool
	last         time.Time
}

const (
	firstPause  = time.Minute
	longPause   = 30 * time.Minute
	maxTroubles = 20_000
	forgotten   = 24 * time.Hour // after the last attempt
)

func newSources(log logrus.FieldLogger) *sources {
	return &sources{log: log, failed: map[string]*trouble{}}
}

// failing is why a source or a job is not asked at present; nil where it is.
func (s *sources) failing(name string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.failed[name]; t != nil && now.Before(t.until) {
		return t.err
	}
	return nil
}

// waits notes that a job waits for its source.
func (s *sources) waits(key, source string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.failed[source]
	if t == nil || s.failed[key] != nil && s.failed[key].until.After(t.until) || len(s.failed) >= maxTroubles {
		return
	}
	s.failed[key] = &trouble{source: source, err: err, since: t.since, until: t.until, last: t.last}
}

// ended notes how a fetch under some settings ended.
func (s *sources) ended(j job, by *inForce, err error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && by != s.by {
		return
	}
	if err == nil {
		s.healed(j.key, now)
		s.healed(j.source, now)
		return
	}
	s.note(j.key, j, err, now, false)
	if isPassing(err) {
		s.note(j.source, j, err, now, true)
	} else {
		s.healed(j.source, now) // it answers
	}
}

func (s *sources) note(name string, j job, err error, now time.Time, isSource bool) {
	t := s.failed[name]
	if t == nil {
		if len(s.failed) >= maxTroubles {
			return
		}
		t = &trouble{source: j.source, since: now, isSource: isSource}
		s.failed[name] = t
	}
	if t.isSource == isSource && t.times == 0 && (isSource || j.isList && !isPassing(err)) {
		s.log.WithField("source", j.source).WithError(err).Warn("whether certificates are revoked cannot be learned from this source; see that the gateway reaches it, or list it in certificates.revocation.allowed where it stands inside")
	}
	t.times++
	t.err, t.last = err, now
	t.until = now.Add(min(firstPause<<min(t.times-1, 10), longPause))
}

func (s *sources) healed(name string, now time.Time) {
	t := s.failed[name]
	if t == nil {
		return
	}
	delete(s.failed, name)
	if t.isSource {
		s.log.WithField("source", t.source).WithField("after", now.Sub(t.since).Round(time.Second).String()).Info("the source tells again whether certificates are revoked")
		for key, other := range s.failed { // what waited for it
			if other.source == t.source && other.times == 0 {
				delete(s.failed, key)
			}
		}
	}
}

// forget lets everybody be asked again at once, under settings from now on.
func (s *sources) forget(by *inForce) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = by
	for _, t := range s.failed {
		t.until = time.Time{}
	}
}

// tidy lets go of what was not asked for long.
func (s *sources) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, t := range s.failed {
		if now.Sub(t.last) > forgotten {
			delete(s.failed, name)
		}
	}
}

// cacheFault logs what is wrong with the cache, once for each change.
func (s *sources) cacheFault(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != s.cache && text != "" {
		s.log.WithError(err).Warn("answers about revocation cannot be kept over a restart")
	}
	s.cache = text
}

// maxNamed bounds the sources that an error names.
const maxNamed = 5

// fault names the sources that fail; nil where none does.
func (s *sources) fault() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	bySource := map[string]*trouble{}
	for _, t := range s.failed {
		if old := bySource[t.source]; t.times > 0 && (old == nil || t.isSource || !old.isSource && t.since.Before(old.since)) {
			bySource[t.source] = t
		}
	}
	all := make([]*trouble, 0, len(bySource))
	for _, t := range bySource {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b *trouble) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.source, b.source)) })
	var errs []error
	for i, t := range all {
		if i == maxNamed {
			errs = append(errs, fmt.Errorf("and %d more", len(all)-i))
			break
		}
		errs = append(errs, fmt.Errorf("%s fails since %s: %w", t.source, day(t.since), t.err))
	}
	return errors.Join(errs...)
}

// count is how many sources fail.
func (s *sources) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	hosts := map[string]bool{}
	for _, t := range s.failed {
		if t.times > 0 {
			hosts[t.source] = true
		}
	}
	return len(hosts)
}
