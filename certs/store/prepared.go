package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared asks a database what every message asks, with statements that SQLite read once: that takes longer than to answer them.
type prepared struct {
	*sql.DB

	mu  sync.Mutex
	all map[string]*sql.Stmt // of a few queries, which are constants; they end with the database
}

// QueryContext is that of sql.DB.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// statement is the one of a query. It is prepared without the lock, since it may wait for a connection; of two at once one is kept.
func (p *prepared) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	s := p.all[query]
	p.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := p.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.all[query]; first != nil {
		s.Close()
		return first, nil
	}
	if p.all == nil {
		p.all = map[string]*sql.Stmt{}
	}
	p.all[query] = s
	return s, nil
}
