// Package connectortest holds every connectors.Provider to its contract. It does not test how a member talks to its provider.
package connectortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
)

// Fault is something that the provider behind a connector does to every request from now on.
type Fault int

// The faults. What concerns a message does so when it is submitted, and leaves other requests alone.
const (
	None        Fault = iota
	Down              // nobody answers at the address
	Dropped           // the connection ends before the request is looked at
	Lost              // the request is carried out, and the connection ends before the answer
	Garbled           // the request is carried out, and the answer makes no sense
	Hangs             // the request is carried out, and no answer comes
	Huge              // the request is carried out, and the answer has no end, or is larger than the contract allows
	Refused           // the message is refused for good
	Unentitled        // the account may not
	Large             // the message is larger than the provider takes
	Login             // the account is not let in
	Unavailable       // the provider says that it is out of service
	KeepsAll          // what is acknowledged is not forgotten, and the acknowledgement fails
	Cut               // the connection ends within a message that is fetched
)

// String names the fault.
func (f Fault) String() string {
	return [...]string{"none", "down", "dropped", "lost", "garbled", "hangs", "huge", "refused", "unentitled", "large", "login", "unavailable", "keeps-all", "cut"}[f]
}

// Back is the provider behind a connector, in the hands of a test. It is safe for concurrent use.
type Back interface {
	// Fault begins one and ends the one before.
	Fault(f Fault) error
	// Taken are the messages that were taken, in their order.
	Taken() ([]Taken, error)
	// Put lays a message into the account's mailbox.
	Put(content []byte) error
	// Waiting is how many lie there.
	Waiting() (int, error)
	// Hung receives a value for each request that Hangs keeps without an answer.
	Hung() <-chan struct{}
}

// Taken is a message as the provider got it.
type Taken struct {
	Key        string
	Sender     demail.Address
	Recipients []demail.Address // to, cc, bcc
	Options    demail.Options
	Content    []byte
}

// Stand is a connector with the provider behind it.
type Stand struct {
	Provider  connectors.Provider
	Back      Back
	Sender    demail.Address // of the account
	Recipient demail.Address // one that exists
	Missing   demail.Address // one that does not
	Secrets   []string       // what no error may hold: passwords, keys, PINs
	// What this way to a provider cannot do.
	NoDirectory bool // Lookup is unsupported
	Forgets     bool // Find is in doubt always
}

// Check is one part of the contract. Run returns nil where a stand, which is new and used for nothing else, keeps it.
type Check struct {
	Name string
	Run  func(ctx context.Context, s Stand) error
}

// Checks are all parts.
func Checks() []Check {
	checks := []Check{
		{"Domains", domains}, {"Submit", submit}, {"SubmitMany", submitMany}, {"SubmitUnfit", submitUnfit}, {"SubmitNowhere", submitNowhere}, {"Find", find}, {"Lookup", lookup},
		{"Fetch", fetch}, {"FetchStops", fetchStops}, {"FetchLeaves", fetchLeaves}, {"FetchCut", fetchCut}, {"FetchUnacknowledged", fetchUnacknowledged},
		{"FetchEndless", fetchEndless}, {"Canceled", canceled}, {"CanceledBefore", canceledBefore}, {"NoAnswer", noAnswer}, {"Secrets", secrets},
	}
	for _, f := range []struct {
		fault Fault
		taken bool
		class []error
	}{
		{Down, false, []error{connectors.ErrUnavailable}},
		{Unavailable, false, []error{connectors.ErrUnavailable}},
		{Dropped, false, []error{connectors.ErrUnavailable, connectors.ErrInDoubt}}, // whether anybody looked at it cannot be told from here
		{Lost, true, []error{connectors.ErrInDoubt}},
		{Garbled, true, []error{connectors.ErrInDoubt}},
		{Huge, true, []error{connectors.ErrInDoubt}},
		{Refused, false, []error{connectors.ErrRejected}},
		{Unentitled, false, []error{connectors.ErrNotEntitled}},
		{Large, false, []error{connectors.ErrTooLarge}},
		{Login, false, []error{connectors.ErrLogin}},
	} {
		checks = append(checks, Check{"Submit/" + f.fault.String(), submitFault(f.fault, f.taken, f.class)})
	}
	for _, f := range []Fault{Down, Dropped, Lost, Garbled, Huge, Unavailable, Login} {
		checks = append(checks, Check{"Ask/" + f.String(), askFault(f)})
	}
	return checks
}

// Run tests a connector. The stand makes what each check needs.
func Run(t *testing.T, stand func(t *testing.T) Stand) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), stand(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Content is a message in memory.
type Content []byte

// Open reads it.
func (c Content) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c)), nil }

// Size is its length.
func (c Content) Size() int64 { return int64(len(c)) }

// Words that no error may hold: the subject and the body of what is sent.
const (
	subject = "Kuendigung des Herrn Geheimrat"
	body    = "Das bleibt unter uns.\r\n.\r\n..\r\nFrom here on =3D\tit is odd. \r\n\r\n\r\n"
)

// found makes sure that Find says what is so, or that it cannot tell.
func (s Stand) found(ctx context.Context, key string, taken bool) error {
	r, err := s.Provider.Find(ctx, key)
	switch {
	case s.Forgets:
		return is(err, connectors.ErrInDoubt)
	case !taken:
		if err := is(err, connectors.ErrNotFound); err != nil {
			return fmt.Errorf("what was not taken is looked for: %w", err)
		}
	case err != nil || r.ID == "":
		return fmt.Errorf("what was taken is not found: %+v, %w", r, err)
	}
	return nil
}

// message is one to the recipient of the stand.
func (s Stand) message(key string) connectors.Message {
	return connectors.Message{
		Key: key, Sender: s.Sender, Options: demail.Options{Dispatch: true, Receipt: true},
		Recipients: demail.Recipients{To: []demail.Mailbox{{Name: "Poststelle, Rathaus", Address: s.Recipient}}},
		Content: Content("From: " + s.Sender.String() + "\r\nTo: " + s.Recipient.String() + "\r\nSubject: " + subject + "\r\n folded \r\n" +
			"Message-ID: <" + key + "@firma.example>\r\nDate: Thu, 26 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n" +
			"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body),
	}
}

// incoming is a message as providers lay it down.
func incoming(n int) []byte {
	return fmt.Appendf(nil, "From: amt@stadt.de-mail.de\r\nSubject: number %d\r\nx-de-mail-message-type: normal\r\n\r\nNumber %d\r\n.\r\n\r\n", n, n)
}
