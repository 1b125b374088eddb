package providers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/connectors"
)

// How often a provider is asked for the domains of an account.
const (
	learnEvery = 6 * time.Hour
	learnTime  = 5 * time.Minute // of one question
)

// learnSteps are the waits where it did not answer; the last one repeats.
func learnSteps() []time.Duration {
	return []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
}

// Learn asks the provider for the domains of the account, now and again until ctx ends, and tells of them. Where the login was refused it
// is not tried again soon: providers lock accounts.
func Learn(ctx context.Context, p connectors.Provider, tell func([]string)) {
	failed := 0
	for {
		wait := learnEvery
		asking, cancel := context.WithTimeout(ctx, learnTime)
		domains, err := p.Domains(asking)
		cancel()
		switch steps := learnSteps(); {
		case err == nil:
			failed = 0
			tell(domains)
		case !errors.Is(connectors.Class(err), connectors.ErrLogin):
			wait = steps[min(failed, len(steps)-1)]
			failed++
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// maxDomains bounds the file of a Memory.
const maxDomains = 4 << 20

// Memory keeps which domains providers named, in a file, so that they are known while a provider is away: mail to them must not leave
// by SMTP. Its methods may be called at once.
type Memory struct {
	mu   sync.Mutex
	path string
	all  map[string][]string // by account
	// unsaved is that the file is not as all is, since it could not be written.
	unsaved bool
}

// OpenMemory reads what was kept in a file; one that is not there is an empty one.
func OpenMemory(path string) (*Memory, error) {
	m := &Memory{path: path, all: map[string][]string{}}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil
	case err != nil:
		return nil, fmt.Errorf("providers: the domains that providers named: %w", err)
	case info.Size() > maxDomains:
		return nil, fmt.Errorf("providers: %s is not a list of domains; remove it, and the providers are asked anew", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("providers: the domains that providers named: %w", err)
	}
	var read map[string][]string
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("providers: %s is not a list of domains; remove it, and the providers are asked anew", path)
	}
	for account, domains := range read {
		if m.all[account], err = connectors.CheckDomains(domains); err != nil {
			return nil, fmt.Errorf("providers: %s is not a list of domains; remove it, and the providers are asked anew", path)
		}
	}
	return m, nil
}

// Domains returns what the provider of an account named last.
func (m *Memory) Domains(account string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[account]
}

// Keep keeps what the provider of an account names now.
func (m *Memory) Keep(account string, domains []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if slices.Equal(m.all[account], domains) && !m.unsaved {
		return nil
	}
	m.all[account], m.unsaved = append([]string{}, domains...), true
	text, err := json.MarshalIndent(m.all, "", "  ")
	if err != nil {
		return err
	}
	err = replace(m.path, append(text, '\n'))
	m.unsaved = err != nil
	return err
}

// replace writes a file whole, or leaves the one that was.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
