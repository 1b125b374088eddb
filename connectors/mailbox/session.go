package mailbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/siegel-mail/siegel/connectors"
)

// Bounds of what a server may answer to one command, beside the content it was asked for.
const (
	answerSize = 128 << 10
	window     = 5000 // messages that are listed with one command
	most       = 1 << 20
)

// quit is how long a server has to answer LOGOUT.
const quit = 2 * time.Second

// session is a connection to the IMAP server, logged in. It is used by one goroutine at a time, and ends with its context.
type session struct {
	ctx    context.Context
	p      *Provider
	conn   *guarded
	client *imapclient.Client
	stop   func() bool
	broken bool
}

// open connects and logs in.
func (p *Provider) open(ctx context.Context) (*session, error) {
	if err := over(ctx); err != nil {
		return nil, err
	}
	if err := p.imap.pass(&p.options); err != nil {
		return nil, err
	}
	conn, err := secure(ctx, &p.options.Retrieval, p.options.Timeout)
	if err != nil {
		return nil, unsent(ctx, "retrieval: the server cannot be reached", err)
	}
	s := &session{ctx: ctx, p: p, conn: conn}
	conn.allow(answerSize, time.Now().Add(p.options.Timeout))
	s.client = imapclient.New(conn, nil)
	s.stop = context.AfterFunc(ctx, func() { conn.raw.Close() })
	err = s.login(&p.options.Retrieval)
	conn.rest()
	p.imap.note(&p.options, err)
	if err != nil {
		s.drop()
		return nil, err
	}
	return s, nil
}

// drop ends the connection without a word.
func (s *session) drop() {
	s.stop()
	_ = s.client.Close()
}

// close says LOGOUT, where the connection is sound.
func (s *session) close() {
	if !s.broken && s.ctx.Err() == nil {
		s.conn.allow(answerSize, time.Now().Add(min(quit, s.p.options.Timeout)))
		_ = s.client.Logout().Wait()
	}
	s.drop()
}

// ask does one command within the limits: extra is what its answer may have beyond the usual.
func (s *session) ask(what string, extra int64, command func() error) error {
	if err := over(s.ctx); err != nil {
		return err
	}
	s.conn.allow(answerSize+extra, time.Now().Add(s.p.options.Timeout))
	err := command()
	s.conn.rest()
	return s.fail(what, err)
}

// fail says what did not work. Nothing of an answer is shown but its kind: it may repeat what was sent.
func (s *session) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	if _, refused := errors.AsType[*imap.Error](err); !refused {
		s.broken = true
	}
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return e
	}
	if e := over(s.ctx); e != nil {
		return e
	}
	why := s.conn.ended()
	switch {
	case errors.Is(err, errFlood), errors.Is(why, errFlood):
		what += ": " + errFlood.Error()
	case errors.Is(why, os.ErrDeadlineExceeded):
		what += ": the server did not answer in time"
	}
	return &connectors.Error{Class: connectors.ErrUnavailable, Code: word(err), Text: "retrieval: " + what, Err: errors.Join(err, why)}
}

// word is the kind of a refusal: NO, BAD or BYE, and its code where it is one of RFC 5530, 3.
func word(err error) string {
	e, ok := errors.AsType[*imap.Error](err)
	if !ok {
		return ""
	}
	known := []imap.ResponseCode{
		imap.ResponseCodeUnavailable, imap.ResponseCodeAuthenticationFailed, imap.ResponseCodeAuthorizationFailed, imap.ResponseCodeExpired,
		imap.ResponseCodePrivacyRequired, imap.ResponseCodeContactAdmin, imap.ResponseCodeNoPerm, imap.ResponseCodeInUse, imap.ResponseCodeCorruption,
		imap.ResponseCodeServerBug, imap.ResponseCodeClientBug, imap.ResponseCodeCannot, imap.ResponseCodeLimit, imap.ResponseCodeOverQuota,
		imap.ResponseCodeNonExistent, imap.ResponseCodeTryCreate,
	}
	if slices.Contains(known, e.Code) {
		return string(e.Type) + " " + string(e.Code)
	}
	return string(e.Type)
}

// login authenticates by what the server offers.
func (s *session) login(server *Server) error {
	if err := s.client.WaitGreeting(); err != nil {
		return s.fail("the server's greeting is none", err)
	}
	if s.client.State() == imap.ConnStateAuthenticated { // PREAUTH: the certificate was enough
		return nil
	}
	caps := s.client.Caps()
	var err error
	switch {
	case caps == nil:
		return s.fail("the server does not say what it offers", errFlood)
	case server.User == "" && caps.Has(imap.AuthCap(sasl.External)):
		err = s.client.Authenticate(sasl.NewExternalClient(""))
	case server.User == "":
		return connectors.Errorf(connectors.ErrLogin, "retrieval: the client certificate alone does not log in here: the server does not offer AUTHENTICATE EXTERNAL")
	case caps.Has(imap.AuthCap(sasl.Plain)):
		err = s.client.Authenticate(sasl.NewPlainClient("", server.User, server.Password.Reveal()))
	case !caps.Has(imap.CapLoginDisabled):
		err = s.client.Login(server.User, server.Password.Reveal()).Wait()
	default:
		return connectors.Errorf(connectors.ErrLogin, "retrieval: the server offers neither AUTHENTICATE PLAIN nor LOGIN")
	}
	if e, ok := errors.AsType[*imap.Error](err); ok && !slices.Contains([]imap.ResponseCode{imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeServerBug, imap.ResponseCodeLimit}, e.Code) {
		return &connectors.Error{Class: connectors.ErrLogin, Code: word(err), Text: "retrieval: the server refused the login", Err: err}
	}
	return s.fail("the login was not answered", err)
}

// box is a folder that is in use.
type box struct {
	validity uint32
	messages uint32
}

// use opens a folder.
func (s *session) use(folder string, only bool) (box, error) {
	var b box
	err := s.ask("the folder "+folder+" cannot be opened; it has to exist, and the account to have it", 0, func() error {
		data, err := s.client.Select(folder, &imap.SelectOptions{ReadOnly: only}).Wait()
		b = box{data.UIDValidity, data.NumMessages}
		return err
	})
	if err == nil && b.validity == 0 {
		err = connectors.Errorf(connectors.ErrUnavailable, "retrieval: the folder %s has no UIDVALIDITY: its messages cannot be told apart", folder)
	}
	return b, err
}

// able makes sure, before anything is fetched, that what was stored can be taken out of the folder.
func (s *session) able(done string) error {
	var caps imap.CapSet
	if err := s.ask("the server does not say what it offers", 0, func() error {
		if caps = s.client.Caps(); caps == nil {
			return errFlood
		}
		return nil
	}); err != nil {
		return err
	}
	// Plain EXPUNGE takes away whatever somebody has marked, also what was never fetched.
	if !caps.Has(imap.CapUIDPlus) && (done == "" || !caps.Has(imap.CapMove)) {
		return connectors.Errorf(connectors.ErrUnavailable, "retrieval: the server offers no UIDPLUS: one message cannot be deleted without others")
	}
	if done == "" {
		return nil
	}
	return s.ask("there is no folder "+done+" for what was stored: make it at the provider", 0, func() error {
		_, err := s.client.Status(done, &imap.StatusOptions{NumMessages: true}).Wait()
		return err
	})
}

// list gives the UIDs of what lies in the folder that is in use, the oldest first.
func (s *session) list(n uint32) ([]imap.UID, error) {
	if n > most {
		return nil, connectors.Errorf(connectors.ErrUnavailable, "retrieval: the folder has more than %d messages: take out the old ones", most)
	}
	var uids []imap.UID
	for from := uint32(1); from <= n; from += window {
		var seq imap.SeqSet
		seq.AddRange(from, min(n, from+window-1))
		page, err := s.search(&imap.SearchCriteria{SeqNum: []imap.SeqSet{seq}})
		if err != nil {
			return nil, err
		}
		uids = append(uids, page...)
	}
	slices.Sort(uids)
	return slices.Compact(uids), nil
}

// search gives UIDs, not more than a window has. A server may answer with ranges, of which no more is believed than that.
func (s *session) search(criteria *imap.SearchCriteria) ([]imap.UID, error) {
	var all imap.NumSet
	err := s.ask("the messages cannot be listed", 0, func() error {
		data, err := s.client.UIDSearch(criteria, nil).Wait()
		all = data.All
		return err
	})
	if err != nil {
		return nil, err
	}
	set, _ := all.(imap.UIDSet)
	var uids []imap.UID
	for _, r := range set {
		if r.Start == 0 || r.Stop < r.Start || uint64(r.Stop-r.Start)+uint64(len(uids)) >= window {
			s.broken = true
			return nil, connectors.Errorf(connectors.ErrUnavailable, "retrieval: the list of messages makes no sense")
		}
		for n := uint64(r.Start); n <= uint64(r.Stop); n++ {
			uids = append(uids, imap.UID(n))
		}
	}
	return uids, nil
}

// forget takes a message out of the folder: into another one, or away.
func (s *session) forget(uid imap.UID, done string) error {
	set := imap.UIDSetNum(uid)
	const what = "a message that was stored cannot be taken out of the folder; it comes again"
	if done != "" && s.client.Caps().Has(imap.CapMove) {
		return s.ask(what, 0, func() error { _, err := s.client.Move(set, done).Wait(); return err })
	}
	if done != "" {
		if err := s.ask(what, 0, func() error { _, err := s.client.Copy(set, done).Wait(); return err }); err != nil {
			return err
		}
	}
	flags := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := s.ask(what, 0, func() error { return s.client.Store(set, flags, nil).Close() }); err != nil {
		return err
	}
	return s.ask(what, 0, func() error { return s.client.UIDExpunge(set).Close() })
}

// id names a message for ever (RFC 9051, 2.3.1.1).
func id(folder string, b box, uid imap.UID) string {
	return strings.Join([]string{folder, fmt.Sprint(b.validity), fmt.Sprint(uid)}, "/")
}
