// Package keyring holds the certificates of one listener, gives each client the one for the name that it asks for, and follows the files. It
// judges no client.
package keyring

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Interval is how often the files are looked at.
const Interval = 10 * time.Second

// maxFile bounds a file: a chain and a key are some kilobytes.
const maxFile = 1 << 20

// File is a certificate with its chain, and its key: two PEM files, or one.
type File struct {
	Certificate, Key string
}

// Options of a Ring.
type Options struct {
	// Name of the listener, for the log.
	Name  string
	Files []File // the first is shown to clients that ask for no name, or for one that no certificate bears
	// Judge says why a certificate cannot serve here; nil: all can.
	Judge func(tls.Certificate) error
	Log   logrus.FieldLogger
	Now   func() time.Time // nil: time.Now
}

// Ring is the certificates of one listener. It may be used from many goroutines.
type Ring struct {
	o       Options
	current atomic.Pointer[[]tls.Certificate]

	mu   sync.Mutex
	held []held // in the order of Options.Files
}

// held is what is in force of one File.
type held struct {
	pair    tls.Certificate
	sum     [sha256.Size]byte // of the files as they were read last, whether they could be used or not
	trouble string            // that keeps them from being used
	told    string            // the trouble that was told
}

// New reads the files. It fails where any cannot be used.
func New(o Options) (*Ring, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if len(o.Files) == 0 {
		return nil, errors.New("keyring: a listener with TLS needs a certificate")
	}
	r := &Ring{o: o, held: make([]held, len(o.Files))}
	for i := range o.Files {
		h := &r.held[i]
		pair, sum, err := r.load(o.Files[i])
		if err != nil {
			return nil, err
		}
		h.pair, h.sum = pair, sum
	}
	r.publish()
	return r, nil
}

// Get returns the certificate for a client, as tls.Config.GetCertificate does: the first that bears the name it asks for and has a key that it
// can check; else the first whose key it can check.
func (r *Ring) Get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	all := *r.current.Load()
	for i := range all {
		if hello.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	any := *hello
	any.ServerName = ""
	for i := range all {
		if any.SupportsCertificate(&all[i]) == nil {
			return &all[i], nil
		}
	}
	return &all[0], nil // the handshake fails, and says why
}

// Certificates returns those in force, in the order of the files.
func (r *Ring) Certificates() []tls.Certificate { return slices.Clone(*r.current.Load()) }

// Run looks at the files until ctx ends.
func (r *Ring) Run(ctx context.Context) {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.Look()
		}
	}
}

// Look reads the files. What has changed and can be used comes into force. What cannot leaves the old certificate in force, and is told once it
// has been so at two looks: a file and its key are seldom replaced in the same instant.
func (r *Ring) Look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	for i := range r.held {
		changed = r.look(i) || changed
	}
	if changed {
		r.publish()
	}
}

func (r *Ring) look(i int) (changed bool) {
	h, f := &r.held[i], r.o.Files[i]
	log := r.o.Log.WithFields(logrus.Fields{"listener": r.o.Name, "file": f.Certificate})
	pair, sum, err := r.load(f)
	if err == nil && sum == h.sum && h.trouble == "" {
		return false
	}
	if err != nil {
		if text := err.Error(); text == h.trouble && text != h.told {
			log.Warn("TLS certificate: " + text + "; the certificate of before stays in force until " + h.pair.Leaf.NotAfter.UTC().Format(time.DateOnly) + ": put the file right")
			h.told = text
		}
		h.trouble, h.sum = err.Error(), sum
		return false
	}
	again := slices.EqualFunc(pair.Certificate, h.pair.Certificate, slices.Equal[[]byte])
	h.pair, h.sum, h.trouble, h.told = pair, sum, "", ""
	if again {
		return true
	}
	log.Infof("TLS certificate: a new one is in force, valid until %s", pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	return true
}

// publish puts what is held into force. r.mu is held, or nobody else knows r.
func (r *Ring) publish() {
	all := make([]tls.Certificate, len(r.held))
	for i := range r.held {
		all[i] = r.held[i].pair
	}
	r.current.Store(&all)
}

// Check reports what an administrator should look at: files that cannot be used, certificates that have ended.
func (r *Ring) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs []error
	for i, h := range r.held {
		if h.told != "" {
			errs = append(errs, fmt.Errorf("%s: %s; the certificate of before is in force", r.o.Files[i].Certificate, h.told))
		}
		if leaf := h.pair.Leaf; r.o.Now().After(leaf.NotAfter) {
			errs = append(errs, fmt.Errorf("%s: the certificate ended on %s: renew it", r.o.Files[i].Certificate, leaf.NotAfter.UTC().Format(time.DateOnly)))
		}
	}
	return errors.Join(errs...)
}

// load reads a certificate and its key. The sum is that of what was read, also where it cannot be used.
func (r *Ring) load(f File) (pair tls.Certificate, sum [sha256.Size]byte, err error) {
	certificate, err := read(f.Certificate)
	if err != nil {
		return pair, sum, err
	}
	key, err := certificate, nil
	if f.Key != f.Certificate {
		if key, err = read(f.Key); err != nil {
			return pair, sum, err
		}
	}
	sum = sha256.Sum256(slices.Concat(certificate, []byte{0}, key))
	if pair, err = tls.X509KeyPair(certificate, key); err != nil {
		return pair, sum, errors.New(strings.Replace(err.Error(), "tls: ", "the certificate and its key cannot be used: ", 1))
	}
	if r.o.Judge != nil {
		err = r.o.Judge(pair)
	}
	return pair, sum, err
}

// read reads a file of a size that can be meant.
func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is too large for a certificate", name)
	}
	return text, err
}
