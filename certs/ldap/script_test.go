package ldap

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siegel-mail/siegel/internal/ldapframe"
	"github.com/siegel-mail/siegel/internal/secret"
)

// peer is the server's end of a connection. What it says is written by hand, since slapd says nothing that is wrong.
type peer struct {
	net.Conn
	in *bufio.Reader
}

// next is the identifier of the next request, as an element, and the tag of what it asks for; the tag is 0 where there is no more.
func (p *peer) next() (id []byte, tag byte) {
	m, err := ldapframe.Read(p.in, messageLimits())
	if err != nil || len(m) < 6 {
		return nil, 0
	}
	octets, _, _ := ldapframe.Header(m)
	end := octets + 2 + int(m[octets+1])
	return m[octets:end], m[end]
}

func (p *peer) say(parts ...[]byte) error {
	for _, b := range parts {
		if _, err := p.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// The answers, by their tags.
const (
	bindRequest, bindResponse = 0x60, 0x61
	searchRequest, searchDone = 0x63, 0x65
)

func octets(s string) []byte { return element(4, []byte(s)) }

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func result(id []byte, tag, code byte, said string, more ...[]byte) []byte {
	return sequence(id, element(tag, join([]byte{10, 1, code}, octets(""), octets(said), join(more...))))
}

func oneEntry(id []byte, attribute string, values ...string) []byte {
	var all []byte
	for _, v := range values {
		all = append(all, octets(v)...)
	}
	return sequence(id, element(0x64, join(octets("cn=x"), element(0x30, element(0x30, join(octets(attribute), element(0x31, all)))))))
}

func reference(id []byte, url string) []byte {
	return sequence(id, element(0x73, octets(url)))
}

// serve answers logins and has the search, by its number from 1, answered by f, until f returns false.
func serve(f func(p *peer, id []byte, n int) bool) func(*peer) {
	return func(p *peer) {
		for n := 0; ; {
			id, tag := p.next()
			switch tag {
			case bindRequest:
				p.say(result(id, bindResponse, 0, ""))
			case searchRequest:
				if n++; !f(p, id, n) {
					return
				}
			default:
				return
			}
		}
	}
}

// found answers a search with one entry.
func found(p *peer, id []byte, _ int) bool {
	return p.say(oneEntry(id, "mail", "alice@firma.example"), result(id, searchDone, 0, "")) == nil
}

// scripted is a directory whose servers are these scripts, by the names s1, s2 and so on. dials counts connections.
func scripted(t *testing.T, change func(*Options), scripts ...func(*peer)) (d *Directory, dials []*atomic.Int32) {
	t.Helper()
	var all sync.WaitGroup
	dials = make([]*atomic.Int32, len(scripts))
	o := Options{
		Name: "company", Method: Simple, DN: "cn=gateway", Password: secret.New("planted"), Filter: "(mail={mail})", All: "(mail=*)",
		Addresses: []string{"mail"}, Certificates: []string{"userCertificate"},
	}
	for i := range scripts {
		dials[i] = new(atomic.Int32)
		o.Servers = append(o.Servers, "ldap://127.0.0."+string(rune('1'+i)))
	}
	o.Dial = func(_ context.Context, _, address string) (net.Conn, error) {
		i := int(address[len("127.0.0.")] - '1')
		dials[i].Add(1)
		if scripts[i] == nil {
			return nil, errors.New("connection refused")
		}
		ours, theirs := net.Pipe()
		all.Go(func() {
			defer theirs.Close()
			scripts[i](&peer{theirs, bufio.NewReader(theirs)})
		})
		return ours, nil
	}
	if change != nil {
		change(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Close()
		all.Wait()
	})
	return d, dials
}

// hang says nothing until the other side goes.
func hang(p *peer) {
	for _, err := p.in.ReadByte(); err == nil; _, err = p.in.ReadByte() {
	}
}

func known(t *testing.T, d *Directory) (bool, error) {
	t.Helper()
	return d.Exists(t.Context(), "alice@firma.example")
}

// fails holds that a question has no answer, because of want, and after how long.
func fails(t *testing.T, d *Directory, want string, after time.Duration) {
	t.Helper()
	start := time.Now()
	ok, err := known(t, d)
	if ok || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted") {
		t.Errorf("%v, %v, want %q", ok, err, want)
	}
	if took := time.Since(start); took != after {
		t.Errorf("it took %v, want %v", took, after)
	}
}

func succeeds(t *testing.T, d *Directory) {
	t.Helper()
	if ok, err := known(t, d); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

// A directory that says nothing is waited for as long as is set, and then left alone for a moment: who asks meanwhile is told at once.
func TestHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, dials := scripted(t, nil, hang)
		fails(t, d, "did not take us in within 3s", 3*time.Second)
		fails(t, d, "did not take us in within 3s", 0)
		time.Sleep(awayTime)
		fails(t, d, "did not take us in", 3*time.Second)
		if n := dials[0].Load(); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
	synctest.Test(t, func(t *testing.T) { // after a login that went well
		d, _ := scripted(t, nil, serve(func(p *peer, _ []byte, _ int) bool { hang(p); return false }))
		fails(t, d, "did not answer in time", 10*time.Second)
		fails(t, d, "did not answer in time", 0)
	})
	synctest.Test(t, func(t *testing.T) { // a byte a second
		d, _ := scripted(t, nil, serve(func(p *peer, _ []byte, _ int) bool {
			for p.say([]byte{0x30, 0x83, 0x01}) == nil {
				time.Sleep(time.Second)
			}
			return false
		}))
		fails(t, d, "did not answer in time", 10*time.Second)
	})
	synctest.Test(t, func(t *testing.T) { // whoever waits for room waits no longer than that
		d, _ := scripted(t, func(o *Options) { o.Connections = 1 }, serve(func(p *peer, _ []byte, _ int) bool { hang(p); return false }))
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if _, err := known(t, d); err == nil {
					t.Error("an answer")
				}
			})
		}
		start := time.Now()
		all.Wait()
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// The next server is asked where one does not take us in, and goes on being asked while that one rests.
func TestServersInOrder(t *testing.T) {
	for name, first := range map[string]func(*peer){
		"refuses":   nil,
		"hangs":     hang,
		"ends":      func(*peer) {},
		"no LDAP":   func(p *peer) { p.say([]byte("220 mail ESMTP\r\n")); hang(p) },
		"busy":      func(p *peer) { id, _ := p.next(); p.say(result(id, bindResponse, 51, "")); hang(p) },
		"nonsense":  func(p *peer) { p.next(); p.say([]byte{0x30, 3, 1, 1, 0}); p.Close() },
		"wrong tag": func(p *peer) { id, _ := p.next(); p.say(sequence(id, element(0x04, nil))); hang(p) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, dials := scripted(t, nil, first, serve(found))
				succeeds(t, d)
				succeeds(t, d)
				d.Close()
				succeeds(t, d) // a new connection
				if a, b := dials[0].Load(), dials[1].Load(); a != 1 || b != 2 {
					t.Errorf("%d and %d connections", a, b)
				}
				time.Sleep(downTime)
				succeeds(t, d)
				if a := dials[0].Load(); a != 2 {
					t.Errorf("the first server was tried %d times", a)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // none
		d, _ := scripted(t, nil, nil, nil)
		fails(t, d, "ldap://127.0.0.1: connection refused\nldap://127.0.0.2: connection refused", 0)
		if st := d.State(); st.Err == nil || st.Failed != 1 || st.Since.IsZero() {
			t.Errorf("%+v", st)
		}
	})
}

// Connections are used again; one that breaks, or that something on the way has forgotten, is replaced once.
func TestBrokenConnection(t *testing.T) {
	for name, c := range map[string]struct {
		second func(*peer, []byte)
		after  time.Duration
	}{
		"ends":     {func(*peer, []byte) {}, 0},
		"forgets":  {func(p *peer, _ []byte) { hang(p) }, 5 * time.Second},
		"nonsense": {func(p *peer, _ []byte) { p.say([]byte("nonsense")); hang(p) }, 0},
		"shutdown": {func(p *peer, id []byte) { p.say(result(id, searchDone, 52, "shutting down")) }, 0},
		"cut": {func(p *peer, id []byte) {
			p.say(oneEntry(id, "mail", "bob@firma.example"), result(id, searchDone, 0, "")[:5])
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, dials := scripted(t, nil, serve(func(p *peer, id []byte, n int) bool {
					if n < 3 {
						return found(p, id, n)
					}
					c.second(p, id)
					return false
				}))
				succeeds(t, d)
				succeeds(t, d)
				if n := dials[0].Load(); n != 1 {
					t.Errorf("%d connections for two questions", n)
				}
				start := time.Now()
				succeeds(t, d)
				if took := time.Since(start); took != c.after || dials[0].Load() != 2 {
					t.Errorf("it took %v and %d connections", took, dials[0].Load())
				}
				time.Sleep(idleTime)
				succeeds(t, d)
				if n := dials[0].Load(); n != 3 {
					t.Errorf("a connection that idled was used: %d", n)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // a broken answer is none: nobody is unknown because of it
		d, dials := scripted(t, nil, serve(func(*peer, []byte, int) bool { return false }))
		fails(t, d, "ldap://127.0.0.1", 0)
		if n := dials[0].Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// Answers that are too much end the question, and the connection where more would come.
func TestTooMuch(t *testing.T) {
	endless := func(message func(id []byte) []byte) func(*peer) {
		return serve(func(p *peer, id []byte, _ int) bool {
			for p.say(message(id)) == nil {
			}
			return false
		})
	}
	ask := func(name, want string, script func(*peer)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := scripted(t, nil, script)
				fails(t, d, want, 0)
				if st := d.State(); st.Connected != 0 {
					t.Errorf("the connection is kept: %+v", st)
				}
			})
		})
	}
	ask("entries", "more entries than are taken", endless(func(id []byte) []byte { return oneEntry(id, "mail", "bob@firma.example") }))
	ask("references", "more than was asked for", endless(func(id []byte) []byte { return reference(id, "ldap://elsewhere.example") }))
	ask("answers to others", "more than was asked for", endless(func(id []byte) []byte { return oneEntry([]byte{2, 1, 99}, "mail", "bob@firma.example") }))
	ask("a value of 50 MB", "a message is too long: 524", serve(func(p *peer, id []byte, _ int) bool {
		p.say([]byte{0x30, 0x84, 0x03, 0x20, 0, 0}, id)
		hang(p)
		return false
	}))
	ask("large entries", "more than was asked for", endless(func(id []byte) []byte { return oneEntry(id, "mail", strings.Repeat("x", 1<<20)) }))
	synctest.Test(t, func(t *testing.T) { // what was asked for is among the first entries
		d, _ := scripted(t, nil, endless(func(id []byte) []byte { return oneEntry(id, "mail", "alice@firma.example") }))
		succeeds(t, d)
	})
	page := func(cookie string) []byte { // the control of RFC 2696
		return element(0xa0, element(0x30, join(octets("1.2.840.113556.1.4.319"), element(4, element(0x30, join([]byte{2, 1, 0}, octets(cookie)))))))
	}
	list := func(name, want string, script func(*peer)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := scripted(t, nil, script)
				all, err := d.Addresses(t.Context())
				if err == nil || all != nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%d addresses, %v", len(all), err)
				}
			})
		})
	}
	list("a list without end", "more than was asked for", endless(func(id []byte) []byte { return oneEntry(id, "mail", "bob@firma.example") }))
	list("pages without end", "its pages do not end", serve(func(p *peer, id []byte, _ int) bool {
		done := element(searchDone, join([]byte{10, 1, 0}, octets(""), octets("")))
		return p.say(sequence(id, done, page("more"))) == nil
	}))
	list("half a list", "ldap://127.0.0.1", serve(func(p *peer, id []byte, _ int) bool {
		p.say(oneEntry(id, "mail", "bob@firma.example"))
		return false
	}))
}

// A password that is refused is presented once, whoever asks and however often, and not to the other servers, until half an hour is over.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 775, v4563\x00"
		logins := 0
		d, dials := scripted(t, nil, func(p *peer) {
			id, _ := p.next()
			logins++
			p.say(result(id, bindResponse, 49, said))
			hang(p)
		}, serve(found))
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if _, err := known(t, d); err == nil {
					t.Error("an answer")
				}
			})
		}
		all.Wait()
		fails(t, d, "refuses the password of cn=gateway, or does not know the name: the account is locked; so that the account is not locked it is not tried again before", 0)
		time.Sleep(refusal - time.Second)
		fails(t, d, "the account is locked", 0)
		if logins != 1 || dials[1].Load() != 0 {
			t.Errorf("%d logins, and %d connections to the other server", logins, dials[1].Load())
		}
		time.Sleep(time.Second)
		fails(t, d, "the account is locked", 0)
		if logins != 2 {
			t.Errorf("%d logins after half an hour", logins)
		}
	})
}

// Who asks and goes away says nothing of the server.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, dials := scripted(t, nil, serve(func(p *peer, id []byte, n int) bool {
			time.Sleep(4 * time.Second)
			return found(p, id, n)
		}))
		for _, wait := range []time.Duration{0, time.Second} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(wait, cancel)
			start := time.Now()
			if _, err := d.Exists(ctx, "alice@firma.example"); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if took := time.Since(start); took != wait {
				t.Errorf("it took %v", took)
			}
		}
		succeeds(t, d)
		if n := dials[0].Load(); n > 3 {
			t.Errorf("%d connections", n)
		}
	})
}

// What a server answers is put into words that say what to do.
func TestWords(t *testing.T) {
	for code, want := range map[byte]string{
		32: `nothing under the base ""; set base`, 50: "right to read", 8: "right to read", 1: "set bind", 13: "use ldaps or starttls",
		3: "have an index made", 11: "have an index made", 34: "does not know base", 51: "is busy", 53: "result 53 (Unwilling To Perform); it says: in its own\\nwords",
		10: "list the other one under referrals",
	} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := scripted(t, nil, serve(func(p *peer, id []byte, _ int) bool {
				return p.say(result(id, searchDone, code, "in its own\nwords")) == nil
			}))
			fails(t, d, want, 0)
		})
	}
}

// An entry of which a directory gives a part of the addresses has the one it was found by, also where that is not among them.
func TestPartialEntry(t *testing.T) {
	for name, want := range map[string]bool{"proxyAddresses": false, "proxyAddresses;range=0-1499": true, "ProxyAddresses;Range=0-0": true} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := scripted(t, func(o *Options) { o.Addresses = []string{"mail", "proxyAddresses"} }, serve(func(p *peer, id []byte, _ int) bool {
				return p.say(oneEntry(id, name, "smtp:other@firma.example"), result(id, searchDone, 0, "")) == nil
			}))
			if ok, err := known(t, d); ok != want || err != nil {
				t.Errorf("%s: %v, %v", name, ok, err)
			}
		})
	}
}

// startTLS reads the answer and no more: what stands behind it, said by somebody on the way, is not taken for the server's.
func TestStartTLS(t *testing.T) {
	for name, c := range map[string]struct {
		script func(*peer)
		want   string
	}{
		"refused":  {func(p *peer) { id, _ := p.next(); p.say(result(id, 0x78, 52, "no TLS")); hang(p) }, "does not offer TLS (result 52)"},
		"nonsense": {func(p *peer) { p.next(); p.say([]byte{0x30, 3, 2, 1, 1}); hang(p) }, "cannot be taken"},
		"injected": {func(p *peer) {
			id, _ := p.next()
			p.say(result(id, 0x78, 0, ""))
			go p.say(result([]byte{2, 1, 2}, bindResponse, 0, ""))
			hang(p)
		}, "TLS: "},
		"hangs": {hang, "did not take us in within 3s"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := scripted(t, func(o *Options) { o.StartTLS = true }, c.script)
				if _, err := known(t, d); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			})
		})
	}
}
