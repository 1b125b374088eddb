package gateway

import (
	"context"
	"sync"

	"github.com/siegel-mail/siegel/gateway/admin"
)

// Companion is what the settings rest on and what has work of its own to do meanwhile: a vault, whose login is to be kept alive.
type Companion struct {
	Check admin.Check               // whether it does its part; without Run: nobody asks
	Run   func(ctx context.Context) // works until ctx ends; nil: it has nothing to do
}

// beside runs the companions of the settings in force.
type beside struct {
	mu   sync.Mutex
	list []Companion
	ctx  context.Context // of the gateway, once it runs
	end  func()          // ends those that run, and returns when they have
}

// run runs companions, and those that replace them, until ctx ends.
func (b *beside) run(ctx context.Context, list []Companion) error {
	b.mu.Lock()
	if b.list == nil { // a reload may have come first
		b.list = list
	}
	b.ctx = ctx
	b.start()
	b.mu.Unlock()
	<-ctx.Done()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	b.ctx = nil
	return nil
}

// replace ends the companions that were, once the new ones work.
func (b *beside) replace(list []Companion) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append([]Companion{}, list...)
	if b.ctx == nil {
		return
	}
	old := b.end
	b.start()
	old()
}

func (b *beside) start() {
	ctx, cancel := context.WithCancel(b.ctx)
	var all sync.WaitGroup
	for _, c := range b.list {
		if c.Run != nil {
			all.Go(func() { c.Run(ctx) })
		}
	}
	b.end = func() { cancel(); all.Wait() }
}

// companionChecks are the checks of the companions in force. Before the gateway runs there are none.
func (g *Gateway) companionChecks() []admin.Check {
	g.beside.mu.Lock()
	defer g.beside.mu.Unlock()
	var all []admin.Check
	for _, c := range g.beside.list {
		if c.Check.Run != nil {
			all = append(all, c.Check)
		}
	}
	return append(all, g.inboxChecks()...)
}
