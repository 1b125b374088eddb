package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/siegel-mail/siegel/connectors"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/internal/smtpclient"
)

// connect logs in for a submission.
func (p *Provider) connect(ctx context.Context) (*smtpclient.Client, error) {
	if err := over(ctx); err != nil {
		return nil, err
	}
	s := &p.options.Submission
	if err := p.smtp.pass(&p.options); err != nil {
		return nil, err
	}
	o := smtpclient.Options{Hello: p.options.Hello, TLS: smtpclient.TLSRequired, Handshake: s.TLS, Implicit: !s.StartTLS, Dial: s.Dial}
	if s.User != "" {
		o.Auth = &smtpclient.Auth{User: s.User, Password: s.Password.Reveal}
	}
	client, err := smtpclient.Dial(ctx, s.Address, o)
	if err == nil {
		p.smtp.note(&p.options, nil)
		return client, nil
	}
	said := dialError(ctx, err)
	if e, ok := errors.AsType[*smtpclient.Error](err); ok && e.Stage == smtpclient.StageAuth { // and not what a card has refused
		p.smtp.note(&p.options, said)
	}
	return nil, said
}

// dialError says what kept from a submission. Nothing of a reply is shown but its codes.
func dialError(ctx context.Context, err error) error {
	e, _ := errors.AsType[*smtpclient.Error](err)
	reply, refused := errors.AsType[*smtpclient.Reply](err)
	switch {
	case over(ctx) != nil || e == nil:
		return unsent(ctx, "submission", err)
	case e.Stage == smtpclient.StageAuth && refused && reply.Permanent():
		return &connectors.Error{Class: connectors.ErrLogin, Code: code(*reply), Text: "submission: the server refused user and password", Err: err}
	case errors.Is(err, smtpclient.ErrAuthMechanism):
		return &connectors.Error{Class: connectors.ErrLogin, Text: "submission: the server offers neither AUTH PLAIN nor AUTH LOGIN", Err: err}
	case refused:
		return &connectors.Error{Class: connectors.ErrUnavailable, Code: code(*reply), Text: "submission: refused when " + string(e.Stage), Err: err}
	}
	return unsent(ctx, "submission: when "+string(e.Stage), err)
}

// unsent says where it failed; the end of the context is the cause where that has come.
func unsent(ctx context.Context, text string, err error) error {
	if over := over(ctx); over != nil {
		return over
	}
	return connectors.Unsent(err, text)
}

// code is a reply without its words.
func code(r smtpclient.Reply) string {
	return strings.TrimSpace(fmt.Sprintf("%03d %s", r.Code, r.Enhanced))
}

// Submit hands over a message: one transaction for all recipients, of whom either all are taken or none. The provider gives no identifier of
// its own on this way; that of the receipt is the key.
func (p *Provider) Submit(ctx context.Context, m connectors.Message) (connectors.Receipt, error) {
	if err := m.Check(); err != nil {
		return connectors.Receipt{}, err
	}
	fields, err := m.Options.Fields(m.Key)
	if err != nil {
		return connectors.Receipt{}, &connectors.Error{Class: connectors.ErrRejected, Text: "the options cannot be written as fields", Err: err}
	}
	client, err := p.connect(ctx)
	if err != nil {
		return connectors.Receipt{}, err
	}
	defer client.Close()
	out, err := message(m, demail.NewHeader(fields...).Bytes(), client)
	if err != nil {
		return connectors.Receipt{}, err
	}
	in, err := m.Content.Open()
	if err != nil {
		return connectors.Receipt{}, connectors.Unsent(err, "the content cannot be read")
	}
	defer in.Close()
	out.Body = io.MultiReader(out.Body, in)
	result, err := client.Send(ctx, out)
	if err != nil {
		return connectors.Receipt{}, sendError(ctx, err)
	}
	if result.Data.Positive() {
		return connectors.Receipt{ID: m.Key}, nil
	}
	return connectors.Receipt{}, refusal(m, result)
}

// message is what goes out, with the fields of De-Mail on top; the content is still to follow.
func message(m connectors.Message, fields []byte, client *smtpclient.Client) (smtpclient.Message, error) {
	out := smtpclient.Message{From: m.Sender.String(), Body: bytes.NewReader(fields), Size: int64(len(fields)) + m.Content.Size(), Whole: true}
	for _, r := range m.Recipients.All() {
		out.Recipients = append(out.Recipients, smtpclient.Recipient{Address: r.Address.String()})
	}
	if _, out.Body8Bit = client.Has("8BITMIME"); out.Body8Bit {
		return out, nil
	}
	eight, err := eightBit(m.Content)
	if err == nil && eight {
		err = connectors.Errorf(connectors.ErrRejected, "the provider's server takes no 8-bit content, and the message must not be converted")
	}
	return out, err
}

// eightBit looks for bytes beyond ASCII.
func eightBit(c connectors.Content) (bool, error) {
	r, err := c.Open()
	if err != nil {
		return false, connectors.Unsent(err, "the content cannot be read")
	}
	defer r.Close()
	block := make([]byte, 32<<10)
	for {
		n, err := r.Read(block)
		if bytes.ContainsFunc(block[:n], func(r rune) bool { return r > '~'+1 }) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, connectors.Unsent(err, "the content cannot be read")
		}
	}
}

// sendError: whoever has the final dot may have the message (RFC 5321, 4.5.3.2.6).
func sendError(ctx context.Context, err error) error {
	e, ok := errors.AsType[*smtpclient.Error](err)
	switch {
	case ok && e.Stage != smtpclient.StageEnd && errors.Is(err, smtpclient.ErrBody):
		return connectors.Unsent(err, "the content cannot be read")
	case ok && e.Stage != smtpclient.StageEnd:
		return unsent(ctx, "submission: when "+string(e.Stage), err)
	}
	return connectors.Lost(err, "submission: the message was handed over, and no answer came that makes sense")
}

// refusal says why nobody got the message.
func refusal(m connectors.Message, result smtpclient.Result) error {
	if result.Data.Code != 0 {
		return said(classOf(result.Data, connectors.ErrRejected), result.Data, "the message")
	}
	if result.Mail.Code != 0 && !result.Mail.Positive() {
		return said(senderClass(result.Mail), result.Mail, "the sender's address")
	}
	worst := &connectors.Error{Class: connectors.ErrUnavailable, Text: "submission: no recipient was accepted"}
	rank := -1
	for i, r := range m.Recipients.All() {
		reply := result.Recipients[i]
		class := recipientClass(reply)
		n := severity(class)
		if reply.Positive() || reply.Local && reply.Temporary() || n < rank { // it is because of another one
			continue
		}
		if n > rank {
			rank, worst = n, said(class, reply, "a recipient")
		}
		if !reply.Local {
			worst.Addresses = append(worst.Addresses, r.Address)
		}
	}
	return worst
}

// severity says which of many refusals tells the sender most.
func severity(class error) int {
	for i, c := range []error{connectors.ErrUnavailable, connectors.ErrTooLarge, connectors.ErrRejected, connectors.ErrNotEntitled, connectors.ErrNoSuchAddress, connectors.ErrLogin} {
		if class == c { //nolint:errorlint // the classes themselves
			return i
		}
	}
	return 0
}

// said is a refusal. The words of this client are shown, of the server's only the codes: they may repeat what was sent.
func said(class error, r smtpclient.Reply, what string) *connectors.Error {
	e := &connectors.Error{Class: class, Code: code(r), Text: "submission: the server refused " + what}
	if r.Local {
		e.Text = "submission: " + r.Text
	}
	return e
}

// classOf is what codes mean that mean the same everywhere; otherwise for the rest of what is permanent.
func classOf(r smtpclient.Reply, otherwise error) error {
	_, detail, _ := strings.Cut(r.Enhanced, ".")
	switch {
	case !r.Permanent():
		return connectors.ErrUnavailable
	case detail == "3.4" || detail == "2.3" || r.Code == 552 && r.Enhanced == "":
		return connectors.ErrTooLarge
	case r.Code == 530 || r.Code == 535:
		return connectors.ErrLogin
	case strings.HasPrefix(detail, "7."):
		return connectors.ErrNotEntitled
	}
	return otherwise
}

// senderClass: what is said to MAIL. An address that the account may not use is the usual reason.
func senderClass(r smtpclient.Reply) error {
	_, detail, _ := strings.Cut(r.Enhanced, ".")
	if !r.Local && (strings.HasPrefix(detail, "1.") || r.Enhanced == "" && (r.Code == 550 || r.Code == 553)) {
		return classOf(r, connectors.ErrNotEntitled)
	}
	return classOf(r, connectors.ErrRejected)
}

// recipientClass: what is said to RCPT.
func recipientClass(r smtpclient.Reply) error {
	_, detail, _ := strings.Cut(r.Enhanced, ".")
	switch {
	case detail == "5.3": // too many recipients: later there are no fewer
		return connectors.ErrRejected
	case strings.HasPrefix(detail, "1.") || detail == "2.1" || r.Enhanced == "" && (r.Code == 550 || r.Code == 551 || r.Code == 553):
		return classOf(r, connectors.ErrNoSuchAddress)
	}
	return classOf(r, connectors.ErrRejected)
}
