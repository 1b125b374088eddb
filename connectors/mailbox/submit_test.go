package mailbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/connectortest"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/secret"
)

// desk is an SMTP server that says what a test wants: the key is how a line begins, "." the end of the message.
type desk map[string]string

func (d desk) serve(c net.Conn, said *[]string) {
	defer c.Close()
	usual := desk{"EHLO": "250-mail.example\r\n250-AUTH LOGIN PLAIN\r\n250 8BITMIME\r\n", "AUTH": "334 VXNlcjo=\r\n", "dQ==": "334 UGFzcw==\r\n", "cA==": "235 in\r\n",
		"DATA": "354 go\r\n", "QUIT": "221 bye\r\n", "greeting": "220 mail.example ESMTP\r\n", "RCPT": "250 ok\r\n", "MAIL": "250 ok\r\n", "RSET": "250 ok\r\n", ".": "250 taken\r\n"}
	answer := func(line string) string {
		for _, from := range []desk{d, usual} {
			for k, v := range from {
				if strings.HasPrefix(line, k) {
					return v
				}
			}
		}
		return "500 what\r\n"
	}
	r := bufio.NewReader(c)
	body := false
	for line := "greeting"; ; {
		if !body {
			text, cut := strings.CutSuffix(answer(line), "CUT")
			if _, err := io.WriteString(c, text); err != nil || cut {
				return
			}
			body = strings.HasPrefix(text, "354")
		}
		next, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(next, "\r\n")
		*said = append(*said, line)
		body = body && line != "."
	}
}

// submit hands over a message to two recipients.
func (d desk) submit(t *testing.T, content connectors.Content) (said []string, err error) {
	t.Helper()
	o := good()
	done := make(chan struct{})
	o.Submission.TLS = func(_ context.Context, raw net.Conn, _ string) (net.Conn, tls.ConnectionState, error) {
		return raw, tls.ConnectionState{}, nil
	}
	o.Submission.User, o.Submission.Password = "u", secret.New("p")
	o.Submission.Dial = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() { d.serve(far, &said); close(done) }()
		return near, nil
	}
	_, err = provider(t, o).Submit(t.Context(), letter(t, content))
	<-done
	return said, err
}

func letter(t *testing.T, content connectors.Content) connectors.Message {
	return connectors.Message{
		Key: "k-1", Sender: address(t, "office@firma.de-mail.de"), Options: demail.Options{Dispatch: true, Private: true, Retrieve: true}, Content: content,
		Recipients: demail.Recipients{To: []demail.Mailbox{{Address: address(t, "amt@stadt.de-mail.de")}}, Bcc: []demail.Mailbox{{Address: address(t, "rat@stadt.de-mail.de")}}},
	}
}

const text = "Subject: geheim\r\n\r\nhunter\r\n"

// What is said goes with one transaction, and the fields on top are those of the options.
func TestSubmission(t *testing.T) {
	said, err := desk{}.submit(t, connectortest.Content(text))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(said, "DATA")
	want := "x-de-mail-authoritative: no\nx-de-mail-confirmation-of-dispatch: yes\nx-de-mail-confirmation-of-receipt: no\nx-de-mail-confirmation-of-retrieve: yes\n" +
		"x-de-mail-private-id: k-1\nx-de-mail-private: yes\nSubject: geheim\n\nhunter\n."
	head := fmt.Sprint(said[:at])
	if !strings.Contains(head, "MAIL FROM:<office@firma.de-mail.de> BODY=8BITMIME RCPT TO:<amt@stadt.de-mail.de> RCPT TO:<rat@stadt.de-mail.de>") {
		t.Error(head)
	}
	body := said[at+1 : len(said)-1]
	if slices.Sort(body[:6]); strings.Join(body, "\n") != want {
		t.Errorf("%q", body)
	}
}

// Every refusal has its class; its words are not shown.
func TestRefusals(t *testing.T) {
	amt, rat := "amt@stadt.de-mail.de", "rat@stadt.de-mail.de"
	for name, c := range map[string]struct {
		desk  desk
		class error
		about string // addresses
	}{
		"greeting":                    {desk{"greeting": "554 hunter\r\n"}, connectors.ErrUnavailable, ""},
		"password":                    {desk{"cA==": "535 5.7.8 hunter\r\n"}, connectors.ErrLogin, ""},
		"login later":                 {desk{"cA==": "454 4.7.0 hunter\r\n"}, connectors.ErrUnavailable, ""},
		"no such login":               {desk{"EHLO": "250-mail.example\r\n250 AUTH XOAUTH2\r\n"}, connectors.ErrLogin, ""},
		"no login":                    {desk{"EHLO": "250 mail.example\r\n"}, connectors.ErrLogin, ""},
		"sender":                      {desk{"MAIL": "553 5.7.1 hunter\r\n"}, connectors.ErrNotEntitled, ""},
		"sender unknown":              {desk{"MAIL": "550 5.1.8 hunter\r\n"}, connectors.ErrNotEntitled, ""},
		"sender, old":                 {desk{"MAIL": "550 hunter\r\n"}, connectors.ErrNotEntitled, ""},
		"size":                        {desk{"MAIL": "552 5.3.4 hunter\r\n"}, connectors.ErrTooLarge, ""},
		"size told":                   {desk{"EHLO": "250-m\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 10\r\n", "AUTH": "235 in\r\n"}, connectors.ErrTooLarge, ""},
		"options":                     {desk{"MAIL": "555 5.5.4 hunter\r\n"}, connectors.ErrRejected, ""},
		"login needed":                {desk{"MAIL": "530 5.7.0 hunter\r\n"}, connectors.ErrLogin, ""},
		"sender later":                {desk{"MAIL": "451 4.3.0 hunter\r\n"}, connectors.ErrUnavailable, ""},
		"recipient":                   {desk{"RCPT TO:<rat": "550 5.1.1 hunter\r\n"}, connectors.ErrNoSuchAddress, rat},
		"recipients":                  {desk{"RCPT": "550 hunter\r\n"}, connectors.ErrNoSuchAddress, amt + " " + rat},
		"relay":                       {desk{"RCPT": "554 5.7.1 hunter\r\n"}, connectors.ErrNotEntitled, amt + " " + rat},
		"full":                        {desk{"RCPT TO:<amt": "552 5.2.2 hunter\r\n"}, connectors.ErrRejected, amt},
		"too many":                    {desk{"RCPT TO:<rat": "452 4.5.3 hunter\r\n"}, connectors.ErrRejected, rat},
		"one later, one never":        {desk{"RCPT TO:<amt": "451 hunter\r\n", "RCPT TO:<rat": "550 5.1.1 hunter\r\n"}, connectors.ErrNoSuchAddress, rat},
		"one later":                   {desk{"RCPT TO:<amt": "451 hunter\r\n"}, connectors.ErrUnavailable, amt},
		"one for another reason":      {desk{"RCPT TO:<amt": "554 5.6.0 hunter\r\n", "RCPT TO:<rat": "550 5.1.1 hunter\r\n"}, connectors.ErrNoSuchAddress, rat},
		"DATA":                        {desk{"DATA": "554 hunter\r\n"}, connectors.ErrRejected, amt + " " + rat},
		"DATA later":                  {desk{"DATA": "451 hunter\r\n"}, connectors.ErrUnavailable, amt + " " + rat},
		"gone before DATA":            {desk{"DATA": "CUT"}, connectors.ErrUnavailable, ""},
		"the message":                 {desk{".": "554 5.6.0 hunter\r\n"}, connectors.ErrRejected, ""},
		"the message, not entitled":   {desk{".": "550 5.7.1 hunter\r\n"}, connectors.ErrNotEntitled, ""},
		"the message, large":          {desk{".": "552 hunter\r\n"}, connectors.ErrTooLarge, ""},
		"the message later":           {desk{".": "452 4.3.1 hunter\r\n"}, connectors.ErrUnavailable, ""},
		"the message, out of service": {desk{".": "421 hunter\r\n"}, connectors.ErrUnavailable, ""},
		"no answer":                   {desk{".": "CUT"}, connectors.ErrInDoubt, ""},
		"half an answer":              {desk{".": "250 hunCUT"}, connectors.ErrInDoubt, ""},
		"garbage":                     {desk{".": "hunter\r\n"}, connectors.ErrInDoubt, ""},
		"go on":                       {desk{".": "354 hunter\r\n"}, connectors.ErrInDoubt, ""},
	} {
		said, err := c.desk.submit(t, connectortest.Content(text))
		var addresses []string
		if e, ok := errors.AsType[*connectors.Error](err); ok {
			for _, a := range e.Addresses {
				addresses = append(addresses, a.String())
			}
		}
		if connectors.Class(err) != c.class || strings.Join(addresses, " ") != c.about || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v of %q", name, err, addresses)
		}
		if got := slices.Contains(said, "Subject: geheim"); got && connectors.Class(err) != connectors.ErrInDoubt && !strings.HasPrefix(name, "the message") {
			t.Errorf("%s: the message was sent", name)
		}
	}
}

// broken is a content that cannot be opened, or not be read, or not a second time.
type broken struct {
	connectortest.Content
	opens *int
	from  int // which time of opening fails
	read  bool
}

// Open fails as it should.
func (b broken) Open() (io.ReadCloser, error) {
	if *b.opens++; *b.opens < b.from {
		return b.Content.Open()
	}
	if b.read {
		return io.NopCloser(io.MultiReader(strings.NewReader("Subject: geheim\r\n\r\n"), iotest.ErrReader(errors.New("hunter")))), nil
	}
	return nil, errors.New("hunter")
}

// A message that cannot be read, or not be sent as it is, is not sent in part.
func TestUnreadable(t *testing.T) {
	seven := desk{"EHLO": "250-mail.example\r\n250 AUTH PLAIN\r\n", "AUTH": "235 in\r\n"}
	for name, c := range map[string]struct {
		desk    desk
		content connectors.Content
		class   error
	}{
		"not to be opened":    {desk{}, broken{connectortest.Content(text), new(int), 1, false}, connectors.ErrUnavailable},
		"not to be read":      {desk{}, broken{connectortest.Content(text), new(int), 1, true}, connectors.ErrUnavailable},
		"looked at in vain":   {seven, broken{connectortest.Content(text), new(int), 1, false}, connectors.ErrUnavailable},
		"half looked at":      {seven, broken{connectortest.Content(text), new(int), 1, true}, connectors.ErrUnavailable},
		"not a second time":   {seven, broken{connectortest.Content(text), new(int), 2, false}, connectors.ErrUnavailable},
		"a bare line end":     {desk{}, connectortest.Content("Subject: geheim\n\r\n"), connectors.ErrRejected},
		"umlauts":             {seven, connectortest.Content("Subject: x\r\n\r\nä\r\n"), connectors.ErrRejected},
		"umlauts, not UTF-8":  {seven, connectortest.Content("Subject: x\r\n\r\n\xe4\r\n"), connectors.ErrRejected},
		"seven bits":          {seven, connectortest.Content(text), nil},
		"umlauts are welcome": {desk{}, connectortest.Content("Subject: x\r\n\r\nä\r\n"), nil},
	} {
		said, err := c.desk.submit(t, c.content)
		if connectors.Class(err) != c.class || err != nil && strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
		if slices.Contains(said, ".") != (c.class == nil) {
			t.Errorf("%s: %q", name, said)
		}
	}
}

// A login that was refused is not tried again so soon, on the way where it was; what a card refuses is no such login.
func TestLoginGap(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := good()
	dials := map[string]int{}
	way := func(s *Server, name string, serve func(net.Conn)) {
		s.TLS = func(_ context.Context, raw net.Conn, _ string) (net.Conn, tls.ConnectionState, error) {
			return raw, tls.ConnectionState{}, nil
		}
		s.Dial = func(context.Context, string, string) (net.Conn, error) {
			dials[name]++
			near, far := net.Pipe()
			go serve(far)
			return near, nil
		}
	}
	way(&o.Submission, "smtp", func(c net.Conn) { desk{"cA==": "535 no\r\n"}.serve(c, new([]string)) })
	way(&o.Retrieval, "imap", func(c net.Conn) { sound().with("AUTHENTICATE", "$ NO no\r\n").serve(c, new([]string)) })
	o.Now, o.Sent = func() time.Time { return now }, "Sent"
	p := provider(t, o)
	ask := func() {
		_, err := p.Submit(t.Context(), letter(t, connectortest.Content(text)))
		_, found := p.Find(t.Context(), "k")
		_, domains := p.Domains(t.Context())
		fetched := p.Fetch(t.Context(), nil)
		for _, err := range []error{err, found, domains, fetched} {
			if connectors.Class(err) != connectors.ErrLogin || connectors.OutcomeOf(err) != connectors.Mend {
				t.Error(err)
			}
		}
	}
	ask()
	now = now.Add(DefaultLoginGap - time.Second)
	ask()
	if dials["smtp"] != 1 || dials["imap"] != 1 {
		t.Error("tried again:", dials)
	}
	now = now.Add(2 * time.Second)
	ask()
	if dials["smtp"] != 2 || dials["imap"] != 2 {
		t.Error("not tried again:", dials)
	}
	for _, s := range []*Server{&o.Submission, &o.Retrieval} {
		s.TLS = func(context.Context, net.Conn, string) (net.Conn, tls.ConnectionState, error) {
			return nil, tls.ConnectionState{}, fmt.Errorf("card: %w", connectors.ErrLogin)
		}
	}
	p = provider(t, o)
	ask()
	ask()
	if dials["smtp"] != 4 || dials["imap"] != 8 {
		t.Error("a card's refusal is not a server's:", dials)
	}
}
