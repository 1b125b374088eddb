package protect

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/gateway/policy"
	notice "github.com/siegel-mail/siegel/gateway/report"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime/entity"
)

// keyRecords is DNS with nothing but the keys of signers.
type keyRecords map[string]string

func (r keyRecords) LookupTXT(_ context.Context, name string) ([]string, error) {
	if text, ok := r[strings.TrimSuffix(name, ".")]; ok {
		return []string{text}, nil
	}
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (keyRecords) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (keyRecords) LookupIPAddr(_ context.Context, name string) ([]net.IPAddr, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

func (keyRecords) LookupAddr(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Name: name, IsNotFound: true}
}

// keyring is a set of signers and what DNS says of them.
type keyring struct {
	all mailauth.Signers
	dns keyRecords
}

func newKeyring(t testing.TB, names ...string) keyring {
	t.Helper()
	k := keyring{dns: keyRecords{}}
	for _, name := range names {
		kind := mailauth.Ed25519
		if strings.HasPrefix(name, "rsa.") {
			kind = mailauth.RSA
		}
		key, err := mailauth.NewKey(kind, 2048)
		if err != nil {
			t.Fatal(err)
		}
		k.add(t, name, key, nil)
	}
	return k
}

// add adds the signer SELECTOR.DOMAIN.
func (k *keyring) add(t testing.TB, name string, key crypto.Signer, headers []string) *mailauth.Signer {
	t.Helper()
	selector, domain, _ := strings.Cut(name, ".")
	s, err := mailauth.NewSigner(mailauth.SignerOptions{Domain: domain, Selector: selector, Key: key, Headers: headers})
	if err != nil {
		t.Fatal(err)
	}
	where, text, err := s.Record()
	if err != nil {
		t.Fatal(err)
	}
	k.all, k.dns[where] = append(k.all, s), text
	return s
}

// results are the signatures of a message, each with what came of it: "ed.firma.example=pass".
func (k keyring) results(t testing.TB, content mail.Content) string {
	t.Helper()
	checker, err := mailauth.New(mailauth.Options{Resolver: k.dns})
	if err != nil {
		t.Fatal(err)
	}
	env := mail.Envelope{Client: mail.Client{Addr: netip.MustParseAddr("192.0.2.1"), Helo: "x.example"}}
	r, err := checker.Check(t.Context(), env, content)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range r.DKIM {
		out = append(out, d.Selector+"."+d.Domain+"="+string(d.Status))
	}
	return strings.Join(out, " ")
}

// What leaves is signed by every key of its author's domain, last: over what protection made of it.
func TestDKIM(t *testing.T) {
	keys := newKeyring(t, "rsa.firma.example", "ed.firma.example", "ed.other.example")
	always := policy.Rule{Name: "all", Direction: mail.Outgoing, Settings: policy.Settings{Sign: policy.IfPossible, Encrypt: policy.IfPossible}}
	b := newBench(t, func(o *Options) { o.DKIM = keys.all }, always)
	for name, c := range map[string]struct {
		from, to, body string
		want, note     string
	}{
		"signed and encrypted": {"alice@firma.example", "bob@partner.example", "hello\r\n", "rsa.firma.example=pass ed.firma.example=pass", "signed and encrypted, DKIM by rsa._domainkey.firma.example, ed._domainkey.firma.example"},
		"signed":               {"alice@firma.example", "dora@partner.example", "hello\r\n", "rsa.firma.example=pass ed.firma.example=pass", "signed, DKIM by rsa._domainkey.firma.example, ed._domainkey.firma.example"},
		"unchanged":            {"anna@firma.example", "dora@partner.example", "hello\r\n", "rsa.firma.example=pass ed.firma.example=pass", "unchanged, DKIM by rsa._domainkey.firma.example, ed._domainkey.firma.example"},
		"large":                {"anna@firma.example", "dora@partner.example", strings.Repeat("hello hello\r\n", 100_000), "rsa.firma.example=pass ed.firma.example=pass", ""},
		"no line end":          {"anna@firma.example", "dora@partner.example", "hello", "rsa.firma.example=pass ed.firma.example=pass", ""},
		"to the company":       {"alice@firma.example", "anna@firma.example", "hello\r\n", "", "unchanged"},
		"not permitted":        {"x@other.example", "dora@partner.example", "hello\r\n", "", "unchanged"},
		"two authors":          {"alice@firma.example, anna@firma.example", "dora@partner.example", "hello\r\n", "", "unchanged"},
		"blank lines":          {"anna@firma.example", "dora@partner.example", "hello" + strings.Repeat("\r\n", 200_000) + "x", "", "unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			env := envelope(t, c.to)
			adm := b.admit(t, env, letter("From: "+c.from+"\r\nTo: "+c.to+"\r\nSubject: hello\r\n\r\n"+c.body))
			if len(adm.Entries) != 1 {
				t.Fatalf("%d entries", len(adm.Entries))
			}
			e := adm.Entries[0]
			if got := keys.results(t, e.Content); got != c.want {
				t.Errorf("signatures: %s", got)
			}
			if c.note != "" && e.Note != c.note {
				t.Errorf("note: %s", e.Note)
			}
			read(t, e.Content) // as long as its Size
			events := b.events.Events()
			if last := events[len(events)-1]; c.want != "" && (last.Kind != track.Protected || last.DKIM != "rsa._domainkey.firma.example, ed._domainkey.firma.example") {
				t.Errorf("event %+v", last)
			}
		})
	}
}

// A signature of somebody else goes where our change breaks it, and stays where it still holds.
func TestDKIMOfOthers(t *testing.T) {
	keys := newKeyring(t)
	key, err := mailauth.NewKey(mailauth.Ed25519, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := keys.add(t, "all.list.example", key, nil)
	some := keys.add(t, "some.list.example", key, []string{"From", "To"})
	ours := newKeyring(t, "ed.firma.example")
	for where, text := range ours.dns {
		keys.dns[where] = text
	}
	b := newBench(t, func(o *Options) { o.DKIM = ours.all })
	for name, c := range map[string]struct{ from, subject, want string }{
		"nothing changes":      {"anna@firma.example", "hello", "ed.firma.example=pass all.list.example=pass some.list.example=pass"},
		"the tag is removed":   {"alice@firma.example", "hello [sign]", "ed.firma.example=pass"},
		"the header changes":   {"anna@firma.example", "hello", "ed.firma.example=pass some.list.example=pass"},
		"a foreign, lone From": {"list@list.example", "hello", "all.list.example=pass some.list.example=pass"},
	} {
		t.Run(name, func(t *testing.T) {
			message := "From: " + c.from + "\r\nTo: dora@partner.example\r\nSubject: " + c.subject + "\r\n\r\nhello\r\n"
			var signed bytes.Buffer
			if err := mailauth.Sign(t.Context(), &signed, letter(message), all, some); err != nil {
				t.Fatal(err)
			}
			text := signed.String()
			if name == "the header changes" { // a signature that covers the absence of the wish
				covers := keys.add(t, "all.list.example", key, []string{"From", "X-Siegel-Sign"})
				signed.Reset()
				if err := mailauth.Sign(t.Context(), &signed, letter("X-Siegel-Sign: no\r\n"+message), covers, some); err != nil {
					t.Fatal(err)
				}
				text = signed.String()
			}
			adm := b.admit(t, envelope(t, "dora@partner.example"), letter(text))
			if got := keys.results(t, adm.Entries[0].Content); got != c.want {
				t.Errorf("%s\n%s", got, read(t, adm.Entries[0].Content))
			}
		})
	}
}

// A key that fails is our own trouble: the message is not taken without the signature.
func TestDKIMKeyFails(t *testing.T) {
	key, err := mailauth.NewKey(mailauth.Ed25519, 0)
	if err != nil {
		t.Fatal(err)
	}
	keys := newKeyring(t)
	keys.add(t, "ed.firma.example", away{key}, nil)
	b := newBench(t, func(o *Options) { o.DKIM = keys.all })
	env := envelope(t, "dora@partner.example")
	_, err = b.Admit(t.Context(), env, letter("From: anna@firma.example\r\n\r\nhello\r\n"))
	if !errors.Is(err, errAway) {
		t.Error(err)
	}
}

// away is a key that cannot be used now.
type away struct{ crypto.Signer }

var errAway = errors.New("the key is away")

func (away) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, errAway }

// Reports of the gateway itself are signed for its own domain.
func TestSignReport(t *testing.T) {
	keys := newKeyring(t, "ed.firma.example", "ed.other.example")
	b := newBench(t, func(o *Options) { o.DKIM = keys.all })
	failed := envelope(t, "nobody@firma.example")
	_, content := notice.New(nil, failed.Received, "gateway.firma.example", notice.Original{Envelope: failed}, []notice.Recipient{{
		Recipient: failed.Recipients[0], Action: notice.Failed, Status: "5.1.1",
	}})
	signed, err := b.SignReport(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	if got := keys.results(t, signed); got != "ed.firma.example=pass" {
		t.Errorf("%s", got)
	}
	if h, _, err := entity.Read(bytes.NewReader(read(t, signed)), 0); err != nil || !h.Fields()[0].Is("DKIM-Signature") {
		t.Errorf("%v, %s", err, h.Bytes())
	}
	more, err := b.SignReport(t.Context(), content, "X-More")
	if err != nil || keys.results(t, more) != "ed.firma.example=pass" || !strings.Contains(string(read(t, more)), ":X-More;") {
		t.Errorf("%v, %s", err, read(t, more))
	}
	if _, err := b.SignReport(t.Context(), content, "a:b"); err == nil {
		t.Error("a field that is none is signed")
	}
	plain, err := newBench(t, nil).SignReport(t.Context(), content)
	if err != nil || !bytes.Equal(read(t, plain), read(t, content)) {
		t.Errorf("without keys: %v, %v", plain, err)
	}
}
