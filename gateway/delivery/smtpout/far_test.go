package smtpout_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/tlsrpt"
	"github.com/siegel-mail/siegel/internal/tlstest"
)

const (
	domain = "partner.example"
	mxHost = "mx.partner.example"
)

// far is a mail server on loopback, or somebody on the way to one.
type far struct {
	pair   tls.Certificate
	strips bool // STARTTLS is not in the answer to EHLO
	denies bool // 454 to STARTTLS
	breaks bool // the connection ends at the handshake

	addr string // where it listens; empty: at a free port
	mu   sync.Mutex
	got  []string // for each message: the version of TLS, or "plain"
}

func (f *far) start(t *testing.T) {
	t.Helper()
	at := f.addr
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
}

func (f *far) serve(c net.Conn) {
	defer func() { c.Close() }()
	c.SetDeadline(time.Now().Add(time.Minute))
	r, over, data := bufio.NewReader(c), "plain", false
	fmt.Fprint(c, "220 "+mxHost+"\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb := strings.ToUpper(strings.TrimSpace(strings.SplitN(line, " ", 2)[0]))
		switch {
		case data && line != ".\r\n":
		case data:
			data = false
			f.mu.Lock()
			f.got = append(f.got, over)
			f.mu.Unlock()
			fmt.Fprint(c, "250 2.0.0 taken\r\n")
		case verb == "EHLO" && over == "plain" && !f.strips:
			fmt.Fprint(c, "250-"+mxHost+"\r\n250 STARTTLS\r\n")
		case verb == "EHLO":
			fmt.Fprint(c, "250 "+mxHost+"\r\n")
		case verb == "STARTTLS" && f.denies:
			fmt.Fprint(c, "454 4.7.0 not now\r\n")
		case verb == "STARTTLS":
			fmt.Fprint(c, "220 go on\r\n")
			if f.breaks {
				return
			}
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{f.pair}})
			if s.Handshake() != nil {
				return
			}
			over = tls.VersionName(s.ConnectionState().Version)
			c, r = s, bufio.NewReader(s)
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return
		default:
			fmt.Fprint(c, "250 2.0.0 yes\r\n")
		}
	}
}

func (f *far) messages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

// ends are the far ends of the table, by column.
type ends struct {
	ca    *tlstest.CA
	all   map[string]*far
	good  *x509.Certificate
	names []string
}

func newEnds(t *testing.T) ends {
	ca := tlstest.NewCA(t, tlstest.P256)
	stranger := tlstest.NewCA(t, tlstest.P256)
	good := ca.Issue(tlstest.P256, nil, mxHost).Certificate
	old := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	e := ends{ca: ca, good: good.Leaf, names: strings.Fields("good other stranger expired strips denies breaks"), all: map[string]*far{
		"good":     {pair: good},
		"other":    {pair: ca.Issue(tlstest.P256, nil, "mx.other.example").Certificate},
		"stranger": {pair: stranger.Issue(tlstest.P256, nil, mxHost).Certificate},
		"expired":  {pair: ca.Issue(tlstest.P256, old, mxHost).Certificate},
		"strips":   {pair: good, strips: true},
		"denies":   {pair: good, denies: true},
		"breaks":   {pair: good, breaks: true},
	}}
	for _, f := range e.all {
		f.start(t)
	}
	return e
}

// known is MTA-STS policies that are given.
type known struct {
	answer    mtasts.Answer
	err       error
	mu        sync.Mutex
	rechecked int
}

// Lookup implements smtpout.Policies.
func (k *known) Lookup(context.Context, string) (mtasts.Answer, error) { return k.answer, k.err }

// Recheck implements smtpout.Policies.
func (k *known) Recheck(string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rechecked++
}

func held(t *testing.T, mode mtasts.Mode, mx string) mtasts.Answer {
	t.Helper()
	p, err := mtasts.Parse("version: STSv1\nmode: " + string(mode) + "\nmx: " + mx + "\nmax_age: 86400\n")
	if err != nil {
		t.Fatal(err)
	}
	return mtasts.Answer{Held: &mtasts.Held{Policy: p, Domain: domain, ID: "1", Fetched: time.Now()}}
}

// noted is the outcomes that were reported.
type noted struct {
	mu  sync.Mutex
	all []tlsrpt.Outcome
}

// Note implements tlsrpt.Noter.
func (n *noted) Note(o tlsrpt.Outcome) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, o)
}

// take is what was reported since the last call, in words.
func (n *noted) take() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var words []string
	for _, o := range n.all {
		result := string(o.Result)
		if result == "" {
			result = "success"
		}
		words = append(words, string(o.Policy.Type)+":"+result)
	}
	n.all = nil
	slices.Sort(words)
	return strings.Join(words, " ")
}
