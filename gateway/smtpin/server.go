package smtpin

import (
	"context"
	"errors"
	"net"
)

// ErrCredentials is what an Authenticator's error wraps when user or password are wrong.
var ErrCredentials = errors.New("smtpin: wrong user name or password")

// Server is a set of listeners. Its methods may be called at once.
type Server struct{}

// New checks the options and makes a server; it opens nothing.
func New(o Options) (*Server, error) { return nil, errors.ErrUnsupported }

// Listen binds all listeners, or none.
func (s *Server) Listen() error { return errors.ErrUnsupported }

// Addr is the address a listener is bound to; nil where there is none of that name.
func (s *Server) Addr(name string) net.Addr { return nil }

// Serve takes mail until ctx ends.
func (s *Server) Serve(ctx context.Context) error { return errors.ErrUnsupported }

// Reload takes up new options without dropping a connection.
func (s *Server) Reload(o Options) error { return errors.ErrUnsupported }
