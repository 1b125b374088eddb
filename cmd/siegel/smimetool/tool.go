// Package smimetool signs, encrypts and opens single messages for siegel smime; it applies no policy.
package smimetool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/safetext"
	"github.com/siegel-mail/siegel/smime"
)

// Tool is what the commands work with. It is for one command.
type Tool struct {
	Ctx context.Context
	In  io.Reader // the message, where no file is named
	Out io.Writer // the result
	Err io.Writer // remarks for people; nil: nobody reads them
	Now func() time.Time
	// Temp is the folder for scratch files, which are encrypted under a key that ends with the process; empty: that
	// of the system.
	Temp string

	mu    sync.Mutex // of dir
	dir   string
	spool *atrest.Spool
	said  []string
}

// The exit codes beside 0.
const (
	exitNot   = 1 // the verdict is not valid, or what was asked for could not be done with this message
	exitUsage = 2 // it was not clear what was asked for, or the file is no message
)

// failure is an error with an exit code. One without an inner error says nothing: the output has said it.
type failure struct {
	code int
	err  error
}

// Error is empty where everything has been said. What strangers wrote in it cannot move the cursor.
func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	lines := strings.Split(f.err.Error(), "\n")
	for i, l := range lines {
		lines[i] = safetext.Line(l, 0)
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the inner error.
func (f *failure) Unwrap() error { return f.err }

// ExitCode is what the process ends with.
func (f *failure) ExitCode() int { return f.code }

func usage(format string, args ...any) error { return &failure{exitUsage, fmt.Errorf(format, args...)} }

func not(format string, args ...any) error { return &failure{exitNot, fmt.Errorf(format, args...)} }

// scratch is the spool for what rests on the way.
func (t *Tool) scratch() (*atrest.Spool, error) {
	if t.spool != nil {
		return t.spool, nil
	}
	dir, err := os.MkdirTemp(t.Temp, "siegel-smime-")
	if err != nil {
		return nil, fmt.Errorf("there is no place for scratch files: %w", err)
	}
	t.mu.Lock()
	t.dir = dir
	t.mu.Unlock()
	if t.spool, err = atrest.NewSpool(dir, atrest.NewKey(), 0); err != nil {
		return nil, err
	}
	return t.spool, nil
}

// Close removes what rested. It may be called more than once, and at any time by a process that ends.
func (t *Tool) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.dir == "" {
		return nil
	}
	dir := t.dir
	t.dir = ""
	return os.RemoveAll(dir)
}

// remark says something that changes nothing, once.
func (t *Tool) remark(text string) {
	if t.Err == nil || slices.Contains(t.said, text) {
		return
	}
	t.said = append(t.said, text)
	fmt.Fprintf(t.Err, "siegel: remark: %s\n", safetext.Line(text, 0))
}

// now is the time of the command.
func (t *Tool) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// file is a message in a file.
type file struct {
	path string
	size int64
}

// Open implements smime.Source.
func (f file) Open() (io.ReadCloser, error) { return os.Open(f.path) }

// Size implements smime.Source.
func (f file) Size() int64 { return f.size }

// message is the one in the file, or where none or "-" is named the one on standard input.
func (t *Tool) message(path string) (smime.Source, error) {
	in := t.In
	if path != "" && path != "-" {
		info, err := os.Stat(path)
		if err != nil {
			return nil, usage("the message cannot be read: %w", err)
		}
		if info.IsDir() {
			return nil, usage("the message cannot be read: %s is a folder", path)
		}
		if info.Mode().IsRegular() {
			return checked(file{path, info.Size()})
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("the message cannot be read: %w", err)
		}
		defer f.Close()
		in = f
	}
	spool, err := t.scratch()
	if err != nil {
		return nil, err
	}
	b := spool.Create()
	if _, err := io.Copy(b, in); err != nil {
		return nil, fmt.Errorf("the message cannot be read: %w", err)
	}
	return checked(b)
}

// checked refuses what is no message: one begins with a header field (RFC 5322, 2.2).
func checked(src smime.Source) (smime.Source, error) {
	r, err := src.Open()
	if err != nil {
		return nil, usage("the message cannot be read: %w", err)
	}
	defer r.Close()
	const enough = 1024
	start := make([]byte, enough)
	n, err := io.ReadFull(r, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the message cannot be read: %w", err)
	}
	// QUIRK: mail programs that keep mbox files, and mutt where it pipes, put a line before the header (RFC 4155).
	if line := bytes.IndexByte(start[:n], '\n') + 1; bytes.HasPrefix(start[:n], []byte("From ")) && beginsWithField(start[line:n]) {
		return after{src, int64(line)}, nil
	}
	if !beginsWithField(start[:n]) {
		return nil, usage("this is no message: it does not begin with a header field such as From; give a mail with its header, as .eml files hold it")
	}
	return src, nil
}

// after is a source without its first bytes.
type after struct {
	src smime.Source
	n   int64
}

// Size implements smime.Source.
func (a after) Size() int64 { return a.src.Size() - a.n }

// Open implements smime.Source.
func (a after) Open() (io.ReadCloser, error) {
	r, err := a.src.Open()
	if err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r, a.n); err != nil {
		r.Close()
		return nil, err
	}
	return struct { // without Seek, which would count the line
		io.Reader
		io.Closer
	}{r, r}, nil
}

func beginsWithField(b []byte) bool {
	colon := slices.Index(b, ':')
	if colon < 1 {
		return false
	}
	name := b[:colon]
	for len(name) > 0 && (name[len(name)-1] == ' ' || name[len(name)-1] == '\t') { // RFC 5322, 4.5
		name = name[:len(name)-1]
	}
	return len(name) > 0 && !slices.ContainsFunc(name, func(c byte) bool { return c <= ' ' || c > '~' })
}

// FailJSON writes what verify and inspect print with --json where they could not do their work: a message that is not
// there has no signature.
func FailJSON(w io.Writer, err error) {
	out := struct {
		Verdict smime.Verdict `json:"verdict"`
		Layers  []smime.Layer `json:"layers"`
		Error   string        `json:"error"`
	}{smime.Unsigned, []smime.Layer{}, err.Error()}
	safetext.JSON(w, out) // the error is on its way already
}

// WantsJSON reports whether a command line that could not be read asks for an answer in JSON.
func WantsJSON(args []string) bool {
	return len(args) > 1 && args[0] == "smime" && (args[1] == "verify" || args[1] == "inspect") && slices.Contains(args, "--json")
}
