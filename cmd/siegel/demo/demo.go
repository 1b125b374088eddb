// Package demo shows the gateway at work on real mail, between two simulated mail servers in one process.
package demo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/cms"
	"github.com/siegel-mail/siegel/smime/entity"
)

// Options say how the demo runs.
type Options struct {
	Once bool      // end after the two messages
	Keep string    // directory for messages, keys and certificates; empty: nothing is kept
	Out  io.Writer // what happens, for people
}

// patience is how long one message may take from the first hop to the last.
const patience = 2 * time.Minute

// Run sends a message from Alice to Bob and Bob's reply back, and shows each hop. Without Once it then
// stays up until ctx ends. An error means that the demo did not show what it should.
func Run(ctx context.Context, o Options) error {
	n := &narrator{out: o.Out, events: track.NewMemory(0)}
	n.say("Siegel demo. Everything runs in this process on loopback. The company's mail server, the partner's")
	n.say("mail server and the certification authority are simulated; the gateway between them is the real one.\n")
	w, err := newWorld(ctx, n)
	if err != nil {
		return fmt.Errorf("starting the demo: %w", err)
	}
	defer w.close()
	n.introduce(w)
	s := &story{world: w, narrator: n}
	return o.play(ctx, s)
}

// play is one story that the demo tells.
type play interface {
	tell(ctx context.Context) error
	keep(dir string) error
	stay(ctx context.Context) error // until ctx ends
}

// play tells a story as the options want it.
func (o Options) play(ctx context.Context, p play) error {
	if err := p.tell(ctx); err != nil {
		return err
	}
	if o.Keep != "" {
		if err := p.keep(o.Keep); err != nil {
			return fmt.Errorf("keeping the messages: %w", err)
		}
	}
	if o.Once {
		return nil
	}
	return p.stay(ctx)
}

func (n *narrator) introduce(w *world) {
	n.say("   company    %s, mail server %s", alice, w.company.addr())
	n.say("   gateway    listener %q %s, listener %q %s", "company", w.gateway.Addr("company"), "internet", w.gateway.Addr("internet"))
	n.say("   partner    %s, mail server %s\n", bob, w.partner.addr())
}

// story is the course of the two messages.
type story struct {
	*world
	*narrator
	sent, outgoing, incoming, delivered text
}

func (s *story) tell(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing came within %s", patience))
	defer cancel()
	if err := s.out(ctx); err != nil {
		return fmt.Errorf("the message to Bob: %w", err)
	}
	if err := s.back(ctx); err != nil {
		return fmt.Errorf("the reply to Alice: %w", err)
	}
	s.say("\nDone: one message left signed and encrypted, its reply came back decrypted and verified.")
	return nil
}

// out takes Alice's message to Bob.
func (s *story) out(ctx context.Context) error {
	s.sent = offer(time.Now())
	s.say("1. Alice writes to Bob, as she always does: plain, with an attachment, %d bytes.", len(s.sent))
	if _, err := s.submit(ctx, s.roots, "company", alice, bob, s.sent); err != nil {
		return err
	}
	got, err := s.partner.wait(ctx)
	if err != nil {
		return err
	}
	s.outgoing = got.body
	if err := s.settled(ctx, bob); err != nil {
		return err
	}
	s.say("   partner    received %d bytes over %s: %s", len(got.body), got.tls, contentType(got.body))
	if bytes.Contains(got.body, []byte("confidential")) {
		return errors.New("the message arrived readable")
	}
	return s.bobReads(ctx)
}

// settled waits until the gateway knows that a message was delivered, so that the story is told in order.
func (s *story) settled(ctx context.Context, to string) error {
	_, err := s.events.Wait(ctx, func(e track.Event) bool {
		return e.Kind == track.Delivered && slices.Contains(e.To, to)
	})
	return err
}

// bobReads decrypts what the partner's server received with Bob's key, and compares it with what Alice sent.
func (s *story) bobReads(ctx context.Context) error {
	opened, err := smime.Open(ctx, s.outgoing, smime.OpenOptions{
		Keys: keysOf(s.bob), Judge: s.judge, Scratch: scratch, Now: time.Now(),
	})
	if err != nil {
		return err
	}
	defer opened.Close()
	var b bytes.Buffer
	if _, err := opened.WriteTo(&b); err != nil {
		return err
	}
	if opened.Verdict != smime.Valid {
		return fmt.Errorf("the partner's program finds the signature %s", opened.Verdict)
	}
	if !bytes.Contains(b.Bytes(), []byte(base64Lines(attachment())[:70])) {
		return errors.New("the attachment did not arrive as it was sent")
	}
	s.say("   partner    Bob's program decrypts it: signature %s, by %s; the attachment is intact.\n", opened.Verdict, alice)
	return nil
}

// back takes Bob's signed and encrypted reply to Alice.
func (s *story) back(ctx context.Context) error {
	var b bytes.Buffer
	err := smime.Protect(&b, reply(time.Now()), smime.ProtectOptions{
		Signers:   []smime.Signer{{Certificate: s.bob.Certificate, Key: s.bob.Key}},
		EncryptTo: []cms.Recipient{{Certificate: s.alice.Certificate}}, Time: time.Now(),
	})
	if err != nil {
		return err
	}
	s.incoming = b.Bytes()
	s.say("2. Bob replies, signed and encrypted by his own program, %d bytes: %s", len(s.incoming), contentType(s.incoming))
	if _, err := s.submit(ctx, s.roots, "internet", bob, alice, s.incoming); err != nil {
		return err
	}
	got, err := s.company.wait(ctx)
	if err != nil {
		return err
	}
	s.delivered = got.body
	if err := s.settled(ctx, alice); err != nil {
		return err
	}
	s.say("   company    received %d bytes over %s; what Alice's mail server sees:", len(got.body), got.tls)
	return s.show(got.body)
}

// show prints the result fields and the text, and fails where they are not as they should be.
func (s *story) show(message []byte) error {
	h, _, err := entity.Read(bytes.NewReader(message), 1<<20)
	if err != nil {
		return err
	}
	for _, f := range h.Fields() {
		if f.HasPrefix("X-Siegel-") || f.Is("From") || f.Is("Subject") || f.Is("Content-Type") {
			s.say("      %s: %s", f.Name, f.Value())
		}
	}
	if verdict, _ := h.Get("X-Siegel-Verdict"); verdict != string(smime.Valid) {
		return fmt.Errorf("the gateway finds the signature %q", verdict)
	}
	if !bytes.Contains(message, []byte("we accept.")) {
		return errors.New("the text did not arrive")
	}
	s.say("      …\n      we accept.")
	return nil
}

// stay keeps everything running and tells how to send more.
func (s *story) stay(ctx context.Context) error {
	s.say("\nThe gateway stays up; Ctrl-C ends it. Send more, for example:\n")
	s.say("   swaks --server %s --from %s --to %s --tls --header 'Subject: hello'", s.gateway.Addr("company"), alice, bob)
	s.say("   swaks --server %s --from mallory@elsewhere.example --to %s --body 'to the company'", s.gateway.Addr("internet"), alice)
	s.say("   swaks --server %s --from mallory@elsewhere.example --to %s      # refused: nobody relays\n", s.gateway.Addr("internet"), bob)
	for {
		select {
		case l := <-s.partner.letters:
			s.say("   partner    received %d bytes for %v: %s", len(l.body), l.to, contentType(l.body))
		case l := <-s.company.letters:
			s.say("   company    received %d bytes for %v: %s", len(l.body), l.to, contentType(l.body))
		case <-ctx.Done():
			return nil
		}
	}
}

// judge is the partner's view of a certificate: it trusts the demo's CA.
func (s *story) judge(ctx context.Context, leaf *x509.Certificate, chain []*x509.Certificate, at time.Time) (smime.Verdict, []string) {
	v := certs.NewValidator([]*x509.Certificate{s.ca.Certificate()}, nil)
	r := v.Validate(ctx, leaf, chain, certs.Sign, "", at)
	return smime.Verdict(r.Status), r.Reasons
}

func scratch() smime.Buffer { return new(buffer) }

// keysOf offers one identity for decryption.
func keysOf(id certs.Identity) cms.KeyFinder {
	return func([]cms.RecipientID) []cms.Key {
		return []cms.Key{{Certificate: id.Certificate, Decrypter: id.Key.(crypto.Decrypter)}}
	}
}

// contentType is the Content-Type field of a message, for people.
func contentType(message []byte) string {
	h, _, err := entity.Read(bytes.NewReader(message), 1<<20)
	if err != nil {
		return err.Error()
	}
	value, ok := h.Get("Content-Type")
	if !ok {
		return "text/plain"
	}
	return value
}
