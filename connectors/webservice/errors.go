package webservice

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Class is what kind of failure an Error is. Profiles use the same words.
type Class string

// The classes.
const (
	Unavailable    Class = "unavailable"     // may pass by itself; the provider did not act
	Rejected       Class = "rejected"        // the provider will not do this, now or later
	NoSuchAddress  Class = "no-such-address" // a recipient does not exist, or cannot be reached as asked
	NotEntitled    Class = "not-entitled"    // the account may not do this
	OverQuota      Class = "over-quota"      // the account may not do this any more for a while
	TooLarge       Class = "too-large"       // the message is larger than the provider takes
	LoginFailed    Class = "login-failed"    // the provider does not accept who we say we are
	SessionExpired Class = "session-expired" // a login is needed again; the client sees to it once
	NotFound       Class = "not-found"       // no such message
	InDoubt        Class = "in-doubt"        // the provider may have acted, or not: its answer was lost or makes no sense
)

// classes are those that a profile may give to a code.
var classes = []Class{Unavailable, Rejected, NoSuchAddress, NotEntitled, OverQuota, TooLarge, LoginFailed, SessionExpired, NotFound, InDoubt}

// Error is a call that failed. Its text holds nothing that was sent, and of what the provider said only the code.
type Error struct {
	Class     Class
	Operation Operation
	// Code is the provider's own, where the profile finds one: letters, digits and .:-_ only, at most 64.
	Code string
	// Status is that of HTTP; 0 where no answer came.
	Status int
	// Reason says what happened, and to an administrator what to do.
	Reason string
	// Addresses are those of the call that the provider's refusal names, where the profile finds any.
	Addresses []string
	// After is when the provider wants to be asked again; zero where nobody says.
	After time.Duration
	cause error
}

// Error is one line.
func (e *Error) Error() string {
	text := fmt.Sprintf("web service: %s: %s", e.Operation, e.Class)
	if e.Code != "" {
		text += " (code " + e.Code + ")"
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Status != 0 && e.Status != 200 {
		text += fmt.Sprintf(" (HTTP status %d)", e.Status)
	}
	return text
}

// Unwrap gives the cause: what the connection, the context or the handler said.
func (e *Error) Unwrap() error { return e.cause }

// ClassOf is the class of an error of this package, and empty for any other.
func ClassOf(err error) Class {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Class
	}
	return ""
}

// safeCode is a code as it may be printed: it is empty where it has not the form of one, or repeats a secret.
func safeCode(code string, secrets ...string) string {
	code = strings.TrimSpace(code)
	if len(code) > 64 {
		return ""
	}
	for _, c := range code {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune(".:-_", c)) {
			return ""
		}
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return s != "" && strings.Contains(code, s) }) {
		return ""
	}
	return code
}

// Problem is one thing that is wrong with a profile.
type Problem struct {
	File string
	Line int    // from 1; 0 where none can be named
	Key  string // as in "operations.submit.request"
	Text string
}

// String is "FILE:LINE: KEY: TEXT".
func (p Problem) String() string {
	text := p.Text
	if p.Key != "" {
		text = p.Key + ": " + text
	}
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, text)
	}
	return p.File + ": " + text
}

// ProfileError is all that is wrong with a profile, in the order of the file.
type ProfileError struct{ Problems []Problem }

// Error has a line for each problem.
func (e *ProfileError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
