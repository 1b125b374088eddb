package mailauth_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/smime/entity"
)

// fixed is DNS with one answer for every TXT record.
type fixed struct {
	mailauth.Resolver
	text string
}

// Whatever signatures, key records and bodies say, there is a result for each signature that is looked at, with
// a reason where it is no pass; nothing passes that does not cover From, by a key of the right size; and the
// results fit into a field.
func FuzzVerify(f *testing.F) {
	s := signer(f, mailauth.SignerOptions{Key: edKey()})
	_, key, _ := s.Record()
	signed := sign(f, letter, s)
	f.Add(signed, key)
	f.Add(handmade+"\r\n"+signed, "v=DKIM1; k=rsa; p=AAAA")
	f.Add(handmade+"; i=@firma.example; q=dns/txt; x=99999999999; c=relaxed/simple\r\n"+letter, "p=;t=y:s;h=sha256;s=*")
	f.Add("DKIM-Signature: v=1;a=;b=;bh=;d=;h=;s=\r\n"+signed, "")
	f.Add(strings.Repeat(handmade+"\r\n", 12)+"\r\n", key+"; t=s")
	f.Add("DKIM-Signature:"+strings.Repeat(";", 500)+"\r\nFrom: a@b.example\r\n x\r\n\tx\r\n\r\n\r\n \t\r", key)
	f.Fuzz(func(t *testing.T, message, record string) {
		c, err := mailauth.New(mailauth.Options{Resolver: fixed{text: record}, MaxSignatures: 4})
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Check(t.Context(), envelope(t, "", ""), content(message))
		if err != nil {
			t.Skip(err)
		}
		h, _, err := entity.Read(strings.NewReader(message), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(h.Values("DKIM-Signature")); len(r.DKIM)+r.Unseen != n || len(r.DKIM) > 4 {
			t.Errorf("%d results, %d unseen, %d signatures", len(r.DKIM), r.Unseen, n)
		}
		for _, k := range r.DKIM {
			if (k.Reason == "") != (k.Status == mailauth.Pass) {
				t.Errorf("%+v", k)
			}
			if k.Status == mailauth.Pass && (len(h.Values("From")) == 0 || k.Domain == "" || k.Bits != 0 && k.Bits < 1024) {
				t.Errorf("%+v passes", k)
			}
		}
		checkField(t, r)
		before := len(h.Fields())
		if n := mailauth.DropBroken(&h, h, false); len(h.Fields())+n != before {
			t.Errorf("%d fields of %d, %d removed", len(h.Fields()), before, n)
		}
	})
}

func (f fixed) LookupTXT(_ context.Context, name string) ([]string, error) {
	if strings.HasPrefix(name, "_dmarc.") {
		return nil, &net.DNSError{IsNotFound: true}
	}
	return []string{f.text}, nil
}
