package mailbox

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/siegel-mail/siegel/connectors/connectortest"
)

// proxy stands before a server with TLS, and does what a broken way or provider would.
type proxy struct {
	tb     testing.TB
	target string
	imap   bool
	fault  func() connectortest.Fault
	hung   chan<- struct{}
}

// start listens, and gives the address.
func (p *proxy) start(config *tls.Config) string {
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		p.tb.Fatal(err)
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	p.tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wait.Wait()
	})
	wait.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wait.Go(func() { p.serve(c) })
		}
	})
	return l.Addr().String()
}

// serve relays one connection.
func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	switch p.fault() {
	case connectortest.Dropped:
		_ = c.(*tls.Conn).Handshake()
		return
	case connectortest.Unavailable:
		if p.imap {
			fmt.Fprint(c, "* BYE [UNAVAILABLE] out of service\r\n")
		} else {
			fmt.Fprint(c, "421 4.3.2 out of service\r\n")
		}
		return
	}
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		p.tb.Error(err)
		return
	}
	defer s.Close()
	w := &way{proxy: p, client: c, server: s}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.answers()
		c.Close()
		s.Close()
	}()
	w.commands()
	s.Close()
	<-done
}

// way is one connection through the proxy.
type way struct {
	*proxy
	client, server net.Conn

	mu      sync.Mutex // what is written to the client, and swallow
	swallow string     // the answer that the fault befalls: a tag, or "dot"
}

func (w *way) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = io.WriteString(w.client, text)
}

func (w *way) befall(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.swallow = what
}

// wrong replaces user and password of an initial response.
func wrong(line string) string {
	return regexp.MustCompile(`PLAIN \S+`).ReplaceAllLiteralString(line, "PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00someone\x00else")))
}

// commands relays what the client says.
func (w *way) commands() {
	r := bufio.NewReader(w.client)
	body := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		forward := true
		switch {
		case w.imap:
			forward = w.imapCommand(&line)
		case body:
			if line == ".\r\n" {
				body = false
				w.strike("dot")
			}
		default:
			body = line == "DATA\r\n"
			forward = w.smtpCommand(&line)
		}
		if forward {
			if _, err := io.WriteString(w.server, line); err != nil {
				return
			}
		}
	}
}

// strike lets the fault befall the answer to what is forwarded now, if it is of that kind.
func (w *way) strike(what string) {
	switch w.fault() {
	case connectortest.Lost, connectortest.Garbled, connectortest.Hangs, connectortest.Huge:
		w.befall(what)
	}
}

func (w *way) smtpCommand(line *string) bool {
	refusals := map[connectortest.Fault]string{
		connectortest.Refused: "554 5.6.0 no such thing here, Number 0", connectortest.Unentitled: "550 5.7.1 not you", connectortest.Large: "552 5.3.4 too much",
	}
	switch f := w.fault(); {
	case strings.HasPrefix(*line, "AUTH ") && f == connectortest.Login:
		*line = wrong(*line)
	case strings.HasPrefix(*line, "MAIL ") && refusals[f] != "":
		w.say(refusals[f] + "\r\n")
		return false
	case *line == "RSET\r\n":
		w.strike("dot")
	}
	return true
}

func (w *way) imapCommand(line *string) bool {
	words := strings.Fields(*line)
	if len(words) < 2 {
		return true
	}
	tag, command := words[0], strings.ToUpper(words[1])
	if command == "UID" {
		command = strings.ToUpper(words[2])
	}
	switch command {
	case "AUTHENTICATE":
		if w.fault() == connectortest.Login {
			*line = wrong(*line)
		}
	case "CAPABILITY", "LOGIN", "LOGOUT":
	case "MOVE", "EXPUNGE", "COPY", "STORE":
		if w.fault() == connectortest.KeepsAll {
			w.say(tag + " NO [CANNOT] kept\r\n")
			return false
		}
		w.strike(tag)
	default:
		w.strike(tag)
	}
	return true
}

var literal = regexp.MustCompile(`BODY\[.*\{(\d+)\}\r\n$`)

// answers relays what the server says.
func (w *way) answers() {
	r := bufio.NewReader(w.server)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		w.mu.Lock()
		befallen := w.swallow
		w.mu.Unlock()
		if befallen != "" {
			if w.imap && strings.HasPrefix(line, befallen+" ") || !w.imap && line[3] == ' ' {
				w.fall()
				return
			}
			continue
		}
		w.say(line)
		if m := literal.FindStringSubmatch(line); w.imap && m != nil {
			n, _ := strconv.ParseInt(m[1], 10, 64)
			if w.fault() == connectortest.Cut && n > 1 {
				_, _ = io.CopyN(w.client, r, n/2)
				return
			}
			w.mu.Lock()
			_, err := io.CopyN(w.client, r, n)
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	}
}

// fall is what comes in place of an answer.
func (w *way) fall() {
	switch w.fault() {
	case connectortest.Garbled:
		w.say("\x01 Number 0, garbled\r\n")
	case connectortest.Huge:
		filler := strings.Repeat("x", 900)
		for err := error(nil); err == nil; {
			if w.imap {
				_, err = fmt.Fprintf(w.client, "* OK %s\r\n", filler)
			} else {
				_, err = fmt.Fprintf(w.client, "250-%s\r\n", filler)
			}
		}
	case connectortest.Hangs:
		w.hung <- struct{}{}
		_, _ = io.Copy(io.Discard, w.server) // until the client has gone
	}
}
