// Package discover is an empty stand-in: the test server never auto-joins.
package discover

import (
	"errors"
	"log"
)

type Provider interface {
	Addrs(args map[string]string, l *log.Logger) ([]string, error)
	Help() string
}

var Providers = map[string]Provider{}

type Discover struct{}
type Option func(*Discover) error

func New(...Option) (*Discover, error)         { return &Discover{}, nil }
func WithProviders(map[string]Provider) Option { return func(*Discover) error { return nil } }
func WithUserAgent(string) Option              { return func(*Discover) error { return nil } }
func (*Discover) Addrs(string, *log.Logger) ([]string, error) {
	return nil, errors.New("discover: not built in")
}
