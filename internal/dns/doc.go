// Package dns looks names up as mail needs it, through recursive resolvers; it validates no signature itself.
//
// A [Resolver] asks the servers it was given over UDP with EDNS, and over TCP where an answer was cut. It keeps
// answers, and refusals too, as long as their TTL allows, and asks once for what several callers want at once.
// Names are absolute: neither the search list of resolv.conf nor /etc/hosts is looked at.
package dns

import (
	"errors"
	"fmt"
)

// The classes of failure. Every error of a look-up is exactly one of these by errors.Is, and is an [*Error].
var (
	// ErrNotFound: there is no such name, or it has no record of the type. Asking again is of no use.
	ErrNotFound = errors.New("no such record")
	// ErrTemporary: no server gave a usable answer in time. Ask again later.
	ErrTemporary = errors.New("no answer from DNS")
	// ErrBogus: a validating resolver found the answer forged or its zone badly signed. It is no answer at
	// all; it may pass when the zone is mended, so treat it as temporary where mail is concerned.
	ErrBogus = errors.New("the answer fails DNSSEC validation")
	// ErrName: the text is no name that DNS could hold. Nothing was asked.
	ErrName = errors.New("not a domain name")
	// ErrNullMX: the domain says that it takes no mail (RFC 7505).
	ErrNullMX = errors.New("the domain takes no mail (null MX)")
	// ErrNoHost: the domain has MX records and none of them names a usable host (RFC 5321, 5.1).
	ErrNoHost = errors.New("no MX record of the domain names a usable host")
)

// ErrOptions is the error of [New] where the options cannot work.
var ErrOptions = errors.New("dns: unusable options")

// Error says which look-up failed and why.
type Error struct {
	Name   string // what was asked for
	Type   string // "MX", "A", "TXT"
	Class  error  // one of the classes above
	Server string // who answered last; empty where nobody did
	// NoName tells, where Class is ErrNotFound, that the name itself does not exist (NXDOMAIN).
	NoName bool
	// Authentic tells that a trusted resolver has validated the denial: see [Options.TrustAD].
	Authentic bool
	Err       error // the cause, for the log; may be nil
}

// Error names the look-up, the class and the cause. It is for the log: it may hold addresses of servers.
func (e *Error) Error() string {
	s := fmt.Sprintf("dns: looking up %s of %.300q: %v", e.Type, e.Name, e.Class)
	if e.Server != "" {
		s += " (asked " + e.Server + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the class and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Err}
}

// Temporary reports whether a later look-up may succeed.
func (e *Error) Temporary() bool { return e.Class == ErrTemporary || e.Class == ErrBogus }
