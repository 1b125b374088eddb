package dmda

import (
	"bytes"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Session is somebody who has logged in.
type Session struct {
	provider *Simulated
	account  *account
	level    demail.Level
	how      string
	fate     Fate
}

// Fate is how a message ends that is sent, whatever its recipients are like.
type Fate string

// The fates. Each is told by a notification, or by a confirmation of malware, since the provider has taken the message.
const (
	Delivered     Fate = ""
	Nowhere       Fate = "nowhere"        // no recipient's address exists
	Shut          Fate = "shut"           // every recipient's account is closed
	Full          Fate = "full"           // every recipient's mailbox is full
	Infected      Fate = "infected"       // the sender's provider finds malware
	InfectedThere Fate = "infected-there" // the recipient's provider does
)

// Doom makes the messages of the session end so from now on.
func (s *Session) Doom(f Fate) {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	s.fate = f
}

// Login lets the holder of an address in, at a level; how is what X-de-mail-auth-mechanism says of it. Whoever calls has seen the password or
// the card. Messages whose retrieve is to be confirmed are confirmed now, at level high. The error is connectors.ErrLogin.
func (p *Simulated) Login(a demail.Address, level demail.Level, how string) (*Session, error) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	at, c := p.net.find(a)
	if c == nil || at != p || level != demail.LevelNormal && (level != demail.LevelHigh || c.Highest != demail.LevelHigh) {
		return nil, connectors.Errorf(connectors.ErrLogin, "no such account, or not at this level")
	}
	s := &Session{provider: p, account: c, level: level, how: how}
	if level == demail.LevelHigh {
		for _, l := range slices.Clone(c.letters) {
			if r := l.retrieve; r != nil {
				l.retrieve = nil
				if err := p.confirm(demail.TypeRetrieve, r, true); err != nil {
					return nil, err
				}
			}
		}
	}
	return s, nil
}

// Domains are the domains of the account.
func (s *Session) Domains() []string {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	return s.account.domains()
}

// Find tells of a message that the account has sent under a private id. The error is connectors.ErrNotFound.
func (s *Session) Find(privateID string) (connectors.Receipt, error) {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	if m, ok := s.account.sent[privateID]; ok {
		return connectors.Receipt{ID: m.id, Time: m.at}, nil
	}
	return connectors.Receipt{}, connectors.Errorf(connectors.ErrNotFound, "")
}

// Lookup asks the directory of the network. The error is connectors.ErrNoSuchAddress.
func (s *Session) Lookup(a demail.Address) (connectors.Entry, error) {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	_, c := s.provider.net.find(a)
	if c == nil || c.Closed {
		return connectors.Entry{}, &connectors.Error{Class: connectors.ErrNoSuchAddress, Addresses: []demail.Address{a}}
	}
	return connectors.Entry{Address: a, Level: c.Highest}, nil
}

// Letter is a message in the mailbox.
type Letter struct {
	ID      string
	Mailbox demail.Address // whom it was for
	Content []byte
}

// Waiting is a message that lies in the mailbox.
type Waiting struct {
	ID      string
	Mailbox demail.Address // whom it was for
	Size    int64          // of its Content
	Arrived time.Time
}

// List tells what lies in the mailbox and may be read at the level of the session, the oldest first.
func (s *Session) List() []Waiting {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	var all []Waiting
	for _, l := range s.account.letters {
		if s.may(l) {
			all = append(all, Waiting{ID: l.id, Mailbox: l.to, Size: int64(len(l.header.Bytes()) + 2 + len(l.body)), Arrived: l.arrived})
		}
	}
	return all
}

// may: what is private is for level high (TR-01201 3.1, 3.3.1).
func (s *Session) may(l *letter) bool { return !l.private || s.level == demail.LevelHigh }

// Get reads a message; it stays where it is.
func (s *Session) Get(id string) (Letter, error) {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	i := s.index(id)
	if i < 0 {
		return Letter{}, connectors.Errorf(connectors.ErrRejected, "no such message in the mailbox")
	}
	l := s.account.letters[i]
	return Letter{ID: l.id, Mailbox: l.to, Content: slices.Concat(l.header.Bytes(), []byte("\r\n"), l.body)}, nil
}

// Acknowledge takes a message out of the mailbox. One that is not there, or not any more, is no error.
func (s *Session) Acknowledge(id string) {
	s.provider.net.mu.Lock()
	defer s.provider.net.mu.Unlock()
	if i := s.index(id); i >= 0 {
		s.provider.net.stored -= len(s.account.letters[i].body)
		s.account.letters = slices.Delete(s.account.letters, i, i+1)
	}
}

func (s *Session) index(id string) int {
	return slices.IndexFunc(s.account.letters, func(l *letter) bool { return l.id == id && s.may(l) })
}

// infected tells a message that scanners of malware are tried with: the text that all of them find.
func infected(body []byte) bool {
	return bytes.Contains(body, []byte("EICAR-STANDARD-"+"ANTIVIRUS-TEST-FILE"))
}
