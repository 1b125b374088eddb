package pkcs11

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// module is one in this process. Its goroutine makes all calls to it, one after the other, on one thread.
type module struct {
	path string
	o    Options
	jobs chan func()
	quit chan struct{} // closed by Wallet.Close
	done chan struct{} // closed when the goroutine has ended
	end  error         // of finalising; read after done

	mu    sync.Mutex
	stuck chan struct{} // closed while a job takes longer than the timeout

	// By the goroutine.
	lib       cryptoki
	live      bool // initialised
	conns     map[*Token]*connection
	restarted time.Time
}

func newModule(path string, o Options) *module {
	m := &module{path: path, o: o, jobs: make(chan func()), quit: make(chan struct{}), done: make(chan struct{}), stuck: make(chan struct{}),
		conns: map[*Token]*connection{}}
	go m.work()
	return m
}

// work does the jobs. They are taken in the order in which they were offered: the runtime keeps senders to a channel in a queue.
func (m *module) work() {
	runtime.LockOSThread() // modules keep things by thread; the thread ends with the goroutine
	defer close(m.done)
	for {
		select {
		case <-m.quit:
			m.end = m.shut()
			return
		case job := <-m.jobs:
			m.run(job)
		}
	}
}

// run does a job, and says meanwhile that the module hangs when it does.
func (m *module) run(job func()) {
	watchdog := time.AfterFunc(m.o.Timeout, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		close(m.stuck)
	})
	job()
	if watchdog.Stop() {
		return
	}
	<-m.hung() // the watchdog is at it
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stuck = make(chan struct{})
}

// hung is closed while the module hangs.
func (m *module) hung() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stuck
}

// call lets f speak to the module when it is its turn, and returns what f does; or an error when the context ends before. Then f goes on
// alone, and what it returns is lost: so nothing that it shares with its caller but through its result.
func call[T any](ctx context.Context, m *module, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	job := func() {
		var r result
		defer func() {
			// The binding trusts lengths that a module returns, and Go's checks find those that cannot be.
			if p := recover(); p != nil {
				r.err = fmt.Errorf("%w: the module's answer makes no sense: %v", ErrTrouble, p)
			}
			done <- r
		}()
		if r.err = ctx.Err(); r.err == nil {
			r.value, r.err = f()
		}
	}
	var none T
	select {
	case <-m.quit:
		return none, errClosed
	default:
	}
	select {
	case m.jobs <- job:
	case <-m.quit:
		return none, errClosed
	case <-m.hung():
		return none, ErrHung
	case <-ctx.Done():
		return none, &waitError{ctx.Err()}
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return none, ctx.Err()
		}
		return none, fmt.Errorf("%w: %w", ErrHung, ctx.Err())
	}
}

// ready loads and initialises the module, where it is not.
func (m *module) ready() error {
	if m.lib == nil {
		lib, err := m.o.load(m.path)
		if err != nil {
			return err
		}
		m.lib = lib
	}
	if m.live {
		return nil
	}
	// One that is initialised already is not used: who has done that calls it too, and we have said that nobody does at the same time.
	if err := m.lib.initialize(); err != nil {
		return fmt.Errorf("%w (%w)", ErrStart, err)
	}
	m.live = true
	return nil
}

// shut closes the sessions and finalises the module. It stays loaded: modules do not bear to be unloaded.
func (m *module) shut() error {
	for t, c := range m.conns {
		c.close()
		delete(m.conns, t)
	}
	if !m.live {
		return nil
	}
	m.live = false
	if err := m.lib.finalize(); err != nil && !is(err, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED) {
		return fmt.Errorf("%s: %w", m.path, err)
	}
	return nil
}

// again is how long a module is left in peace after it was initialised anew.
const again = 10 * time.Second

// restart finalises the module and initialises it anew: some learn only then of tokens and services that have come back. It does so only
// where no token of the module is in use, and not often; ok tells whether it did.
func (m *module) restart() (ok bool, err error) {
	now := m.o.Now()
	if !m.restarted.IsZero() && now.Sub(m.restarted) < again {
		return false, nil
	}
	for t, c := range m.conns {
		if l, err := c.login(); err == nil && trim(l.token.serial) == c.token.serial && trim(l.token.label) == c.token.label {
			return false, nil
		}
		delete(m.conns, t)
	}
	m.restarted = now
	return true, errors.Join(m.shut(), m.ready())
}
