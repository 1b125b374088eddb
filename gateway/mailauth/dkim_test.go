package mailauth_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/smime/entity"
)

// bodies are contents that canonicalisation is about.
var bodies = map[string]string{
	"empty":       "",
	"a line":      "a\r\n",
	"no end":      "a",
	"blank lines": "\r\n\r\n\r\n",
	"blanks":      " a \t b \r\n\t\r\n \r\n",
	"inside":      "a\r\n\r\n\r\nb\r\n",
	"eight bit":   "Gr\u00fc\u00dfe \xff\r\n",
	"long":        strings.Repeat("0123456789 abcdef\r\n", 5000),
}

func TestSignThenVerify(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		for _, simple := range []bool{false, true} {
			s := signer(t, mailauth.SignerOptions{Key: key, Simple: simple, Expire: time.Hour})
			c := checker(t, dnstest.Start(t, record(t, s)), mailauth.Options{})
			head, _, _ := strings.Cut(letter, "\r\n\r\n")
			for name, body := range bodies {
				signed := sign(t, head+"\r\n\r\n"+body, s)
				got := check(t, c, envelope(t, "", ""), signed).DKIM
				if len(got) != 1 || got[0].Status != mailauth.Pass || got[0].Domain != "firma.example" || got[0].Selector != "s1" {
					t.Errorf("%T, simple %v, %s: %+v", key, simple, name, got)
				}
				if !strings.HasSuffix(signed, head+"\r\n\r\n"+body) {
					t.Errorf("%s: the message has changed", name)
				}
			}
		}
	}
}

// What the signature covers may not change, be added or be left out; what it does not cover may.
func TestTampering(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	c := checker(t, dnstest.Start(t, record(t, s)), mailauth.Options{})
	signed := sign(t, letter, s)
	field, message, _ := strings.Cut(signed, "\r\nFrom:")
	message = "From:" + message
	replace := func(old, by string) string {
		if !strings.Contains(signed, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(signed, old, by, 1)
	}
	for name, k := range map[string]struct {
		message string
		want    mailauth.Status
	}{
		"untouched":          {signed, mailauth.Pass},
		"subject":            {replace("mehr", "weniger"), mailauth.Fail},
		"from":               {replace("alice@", "eve@"), mailauth.Fail},
		"body":               {replace("Hello", "Hallo"), mailauth.Fail},
		"body added":         {signed + "more\r\n", mailauth.Fail},
		"second from":        {"From: eve@evil.example\r\n" + signed, mailauth.Fail},
		"second from below":  {field + "\r\n" + strings.Replace(message, "To:", "From: eve@evil.example\r\nTo:", 1), mailauth.Fail},
		"second subject":     {"Subject: win\r\n" + signed, mailauth.Fail},
		"reply-to added":     {"Reply-To: eve@evil.example\r\n" + signed, mailauth.Fail},
		"content-type added": {"Content-Type: text/html\r\n" + signed, mailauth.Fail},
		"to left out":        {replace("To: bob@partner.example\r\n", ""), mailauth.Fail},
		"other domain":       {replace("d=firma.example", "d=evil.example"), mailauth.PermError},
		"blanks":             {replace("und\r\n mehr", "und \r\n\t mehr"), mailauth.Pass},
		"blank lines at end": {signed + "\r\n\r\n", mailauth.Pass},
		"received added":     {"Received: from x by y\r\n" + signed, mailauth.Pass},
		"sender added":       {"Sender: list@lists.example\r\n" + signed, mailauth.Pass},
		"received changed":   {replace("from a by b", "from c by d"), mailauth.Pass},
		"name in other case": {replace("\r\nSubject:", "\r\nSUBJECT:"), mailauth.Pass},
	} {
		if got := check(t, c, envelope(t, "", ""), k.message).DKIM; len(got) != 1 || got[0].Status != k.want {
			t.Errorf("%s: %+v, want %s", name, got, k.want)
		} else if (got[0].Reason == "") != (k.want == mailauth.Pass) {
			t.Errorf("%s: reason %q", name, got[0].Reason)
		}
	}
}

// Keys and what their records say.
func TestKeys(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	sub := strings.Replace(letter, "\r\nTo:", "\r\nX: y\r\nTo:", 1)
	signed := sign(t, sub, s)
	name, text, _ := s.Record()
	n := new(big.Int).SetBit(big.NewInt(1), 4607, 1) // of the right size, and that is all that matters
	large, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n, E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	small := "v=DKIM1; p=MEgCQQCo9+BpMRYQ/dL3DS2CyJxRF+j6ctbT3/Qp84+KeFhnii7NT7fELilKUSnxS30WAvQCCo2yU1orfgqr41mM70MBAgMBAAE="
	for what, k := range map[string]struct {
		records []string
		options mailauth.Options
		want    mailauth.Status
		reason  string
	}{
		"good":            {[]string{text}, mailauth.Options{}, mailauth.Pass, ""},
		"good for mail":   {[]string{text + "; s=other:email; h=sha1:sha256; n=a note"}, mailauth.Options{}, mailauth.Pass, ""},
		"testing":         {[]string{text + "; t=y"}, mailauth.Options{}, mailauth.Pass, ""},
		"this domain":     {[]string{text + "; t=s"}, mailauth.Options{}, mailauth.Pass, ""},
		"no type":         {[]string{strings.Replace(text, "k=rsa; ", "", 1)}, mailauth.Options{}, mailauth.Pass, ""},
		"revoked":         {[]string{"v=DKIM1; p="}, mailauth.Options{}, mailauth.PermError, "key revoked"},
		"not for mail":    {[]string{text + "; s=other"}, mailauth.Options{}, mailauth.PermError, "inappropriate service"},
		"not this hash":   {[]string{text + "; h=sha1"}, mailauth.Options{}, mailauth.PermError, "inappropriate hash algorithm"},
		"other version":   {[]string{"v=DKIM2; " + text[len("v=DKIM1; "):]}, mailauth.Options{}, mailauth.PermError, "incompatible public key version"},
		"other type":      {[]string{strings.Replace(text, "k=rsa", "k=ed25519", 1)}, mailauth.Options{}, mailauth.PermError, "invalid Ed25519 public key size: 294 bytes"},
		"unknown type":    {[]string{strings.Replace(text, "k=rsa", "k=dilithium", 1)}, mailauth.Options{}, mailauth.PermError, "unsupported key algorithm"},
		"two":             {[]string{text, text + ";"}, mailauth.Options{}, mailauth.PermError, "not exactly one key record"},
		"none":            {nil, mailauth.Options{}, mailauth.PermError, "no key"},
		"garbage":         {[]string{"p=p=p; ; ==;"}, mailauth.Options{}, mailauth.PermError, "the key record is malformed"},
		"not a key":       {[]string{"v=DKIM1; p=AAAA"}, mailauth.Options{}, mailauth.PermError, ""},
		"512 bits":        {[]string{small}, mailauth.Options{}, mailauth.Unacceptable, "the key is too short"},
		"4608 bits":       {[]string{"p=" + base64.StdEncoding.EncodeToString(large)}, mailauth.Options{}, mailauth.Unacceptable, "the key is too long"},
		"our own minimum": {[]string{text}, mailauth.Options{MinBits: 3072}, mailauth.Unacceptable, "the key is too short"},
		"endless":         {[]string{"p=" + strings.Repeat("A", 9000)}, mailauth.Options{}, mailauth.Unacceptable, "the key record is too long"},
	} {
		var zone strings.Builder
		for _, r := range k.records {
			zone.WriteString(txt(name, r))
		}
		c := checker(t, dnstest.Start(t, zone.String()), k.options)
		got := check(t, c, envelope(t, "", ""), signed).DKIM
		if len(got) != 1 || got[0].Status != k.want || k.reason != "" && got[0].Reason != k.reason || got[0].Testing != (what == "testing") {
			t.Errorf("%s: %+v", what, got)
		}
	}
	server := dnstest.Start(t, "")
	server.Fail(name, dnstest.ServFail)
	if got := check(t, checker(t, server, mailauth.Options{}), envelope(t, "", ""), signed).DKIM; got[0].Status != mailauth.TempError {
		t.Errorf("SERVFAIL: %+v", got)
	}
}

// A field for signatures that are made by hand.
const handmade = "DKIM-Signature: v=1; a=rsa-sha256; d=firma.example; s=s1; h=from; bh=AAAA; b=AAAA"

// Signatures that nobody should send.
func TestHostileSignatures(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	server := dnstest.Start(t, record(t, s))
	c := checker(t, server, mailauth.Options{})
	replace := func(old, by string) string { return strings.Replace(handmade, old, by, 1) }
	for name, k := range map[string]struct {
		field string
		want  mailauth.Status
	}{
		"by hand":         {handmade, mailauth.Fail},
		"empty":           {"DKIM-Signature:", mailauth.PermError},
		"no list":         {"DKIM-Signature: hello", mailauth.PermError},
		"tag twice":       {handmade + "; d=firma.example", mailauth.PermError},
		"no version":      {replace("v=1; ", ""), mailauth.PermError},
		"version 2":       {replace("v=1", "v=2"), mailauth.PermError},
		"no domain":       {replace("d=firma.example; ", ""), mailauth.PermError},
		"bad domain":      {replace("d=firma.example", "d=firma..example"), mailauth.PermError},
		"domain literal":  {replace("d=firma.example", "d=192.0.2.1"), mailauth.PermError},
		"no selector":     {replace("s=s1; ", ""), mailauth.PermError},
		"odd selector":    {replace("s=s1", `s=\"(x)`), mailauth.PermError},
		"sha1":            {replace("rsa-sha256", "rsa-sha1"), mailauth.PermError},
		"no algorithm":    {replace("rsa-sha256", "none"), mailauth.PermError},
		"other algorithm": {replace("rsa-sha256", "ed25519-sha256"), mailauth.PermError},
		"from not signed": {replace("h=from", "h=to"), mailauth.PermError},
		"foreign i":       {handmade + "; i=a@evil.example", mailauth.PermError},
		"part of a body":  {handmade + "; l=0", mailauth.Unacceptable},
		"expired":         {handmade + "; x=1", mailauth.PermError},
		"odd time":        {handmade + `; t="\\"`, mailauth.PermError},
		"odd query":       {handmade + "; q=http", mailauth.PermError},
		"odd c":           {handmade + "; c=nofws/relaxed", mailauth.PermError},
		"odd base64":      {replace("bh=AAAA", "bh=!"), mailauth.PermError},
		"many names":      {replace("h=from", "h=from"+strings.Repeat(":a", 3000)), mailauth.Unacceptable},
		"long":            {handmade + "; z=" + strings.Repeat("x", 20000), mailauth.Unacceptable},
		"many tags":       {handmade + tags(200), mailauth.PermError},
	} {
		got := check(t, c, envelope(t, "", ""), k.field+"\r\n"+letter).DKIM
		if len(got) != 1 || got[0].Status != k.want || got[0].Reason == "" {
			t.Errorf("%s: %+v, want %s", name, got, k.want)
		}
	}
	if n := server.Asked("s1._domainkey.192.0.2.1", ""); n > 0 {
		t.Error("asked for what is no name")
	}
}

func tags(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "; x%d=%d", i, i)
	}
	return b.String()
}

// A strict key is for its own domain only.
func TestStrictKey(t *testing.T) {
	_, text, _ := signer(t, mailauth.SignerOptions{}).Record()
	c := checker(t, dnstest.Start(t, txt("s1._domainkey.firma.example", text+"; t=y:s")), mailauth.Options{})
	for identity, want := range map[string]mailauth.Status{
		"; i=a@sub.firma.example": mailauth.PermError, "; i=@firma.example": mailauth.Fail, "": mailauth.Fail, "; i=a@firma.example": mailauth.Fail,
	} {
		got := check(t, c, envelope(t, "", ""), handmade+identity+"\r\n"+letter).DKIM
		if got[0].Status != want || !got[0].Testing {
			t.Errorf("%q: %+v", identity, got)
		}
	}
}

// Several signatures: of two keys at once, one over the other, a bad one among good ones, too many.
func TestSeveralSignatures(t *testing.T) {
	one := signer(t, mailauth.SignerOptions{})
	two := signer(t, mailauth.SignerOptions{Selector: "ed", Key: edKey()})
	list := signer(t, mailauth.SignerOptions{Domain: "lists.example", Headers: append(mailauth.DefaultHeaders(), "Sender")})
	c := checker(t, dnstest.Start(t, record(t, one)+record(t, two)+record(t, list)), mailauth.Options{})
	statuses := func(message string) (s []string, unseen int) {
		r := check(t, c, envelope(t, "", ""), message)
		for _, k := range r.DKIM {
			s = append(s, k.Selector+"@"+k.Domain+"="+string(k.Status))
		}
		return s, r.Unseen
	}
	both := sign(t, letter, one, two)
	relayed := sign(t, "Sender: l@lists.example\r\n"+both, list)
	for want, message := range map[string]string{
		"[s1@firma.example=pass ed@firma.example=pass] 0":                                                                          both,
		"[s1@lists.example=pass s1@firma.example=pass ed@firma.example=pass] 0":                                                    relayed,
		"[s1@firma.example=fail s1@firma.example=pass ed@firma.example=pass] 0":                                                    handmade + "\r\n" + both,
		"[s1@firma.example=pass ed@firma.example=pass s1@firma.example=fail] 0":                                                    both[:strings.Index(both, "\r\nFrom:")+2] + handmade + "\r\n" + letter,
		"[" + strings.Repeat("s1@firma.example=fail ", 7) + "s1@firma.example=fail] 2":                                             strings.Repeat(handmade+"\r\n", 8) + both,
		"[" + strings.TrimSpace(strings.Repeat("s1@firma.example=fail ", 6)+"s1@firma.example=pass ed@firma.example=pass") + "] 0": strings.Repeat(handmade+"\r\n", 6) + both,
	} {
		if s, unseen := statuses(message); fmt.Sprint(s, " ", unseen) != want {
			t.Errorf("%v %d, want %s", s, unseen, want)
		}
	}
}

// A signature over another signature covers the one below it.
func TestSignatureOverSignature(t *testing.T) {
	one := signer(t, mailauth.SignerOptions{})
	server := dnstest.Start(t, record(t, one))
	c := checker(t, server, mailauth.Options{})
	inner := sign(t, letter, one)
	var b bytes.Buffer
	if err := dkim.Sign(&b, strings.NewReader(inner), &dkim.SignOptions{
		Domain: "firma.example", Selector: "s1", Signer: rsaKey(), HeaderKeys: []string{"From", "DKIM-Signature"},
	}); err != nil {
		t.Fatal(err)
	}
	outer := b.String()
	got := check(t, c, envelope(t, "", ""), outer).DKIM
	if len(got) != 2 || got[0].Status != mailauth.Pass || got[1].Status != mailauth.Pass {
		t.Errorf("%+v", got)
	}
	// One more on top, as a later server adds: the second still means the third.
	got = check(t, c, envelope(t, "", ""), sign(t, outer, one)).DKIM
	for i, k := range got {
		if k.Status != mailauth.Pass || len(got) != 3 {
			t.Errorf("%d: %+v", i, k)
		}
	}
}

// What would take the library minutes and all memory is refused early.
func TestWildBodies(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	c := checker(t, dnstest.Start(t, record(t, s)), mailauth.Options{})
	for _, blank := range []string{"\r\n", " \r\n", "\t\t\r\n"} {
		for _, canon := range []string{"", "; c=relaxed/relaxed"} {
			message := handmade + canon + "\r\n" + letter + strings.Repeat(blank, 20<<20/len(blank)) + "x"
			started := time.Now()
			got := check(t, c, envelope(t, "", ""), message).DKIM
			if len(got) != 1 || got[0].Status != mailauth.Unacceptable {
				t.Errorf("%q %s: %+v", blank, canon, got)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("%q %s: %v", blank, canon, took)
			}
		}
	}
	// What programs make of tables, and a text that stays just within the limit all along, are no trouble.
	for _, body := range []string{strings.Repeat(strings.Repeat(" ", 60)+"\r\n", 5000), strings.Repeat(strings.Repeat("\r\n", 8000)+"x", 500)} {
		for _, simple := range []bool{false, true} {
			signed := sign(t, letter+body, signer(t, mailauth.SignerOptions{Simple: simple}))
			if got := check(t, c, envelope(t, "", ""), signed).DKIM; got[0].Status != mailauth.Pass {
				t.Errorf("%.3q, simple %v: %+v", body, simple, got)
			}
		}
	}
	if err := mailauth.Sign(t.Context(), io.Discard, content(letter+strings.Repeat("\r\n", 1<<20)), s); !errors.Is(err, mailauth.ErrBlankBody) {
		t.Error(err)
	}
}

// opened is content whose reading can be made to fail.
type opened struct {
	content
	open func() (io.ReadCloser, error)
}

func (o opened) Open() (io.ReadCloser, error) { return o.open() }

// Trouble of our own is an error, not a result.
func TestReadingFails(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	c := checker(t, dnstest.Start(t, record(t, s)), mailauth.Options{})
	signed := sign(t, letter, s)
	broken := errors.New("disk on fire")
	for _, after := range []int{0, 1, len(signed) - 5} {
		reads := func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(signed[:after]), iotest.ErrReader(broken))), nil
		}
		if _, err := c.Check(t.Context(), envelope(t, "", ""), opened{content(signed), reads}); !errors.Is(err, broken) {
			t.Errorf("after %d: %v", after, err)
		}
		if err := mailauth.Sign(t.Context(), io.Discard, opened{content(signed), reads}, s); !errors.Is(err, broken) {
			t.Errorf("signing, after %d: %v", after, err)
		}
	}
	if _, err := c.Check(t.Context(), envelope(t, "", ""), content("X: "+strings.Repeat("x", 300<<10)+"\r\n\r\n")); !errors.Is(err, entity.ErrLimit) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Check(ctx, envelope(t, "", ""), content(signed)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := mailauth.Sign(ctx, io.Discard, content(letter), s); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// When the time is up, what is not known is a temporary error, and there is a result.
func TestTimeIsUp(t *testing.T) {
	s := signer(t, mailauth.SignerOptions{})
	name, _, _ := s.Record()
	server := dnstest.Start(t, record(t, s))
	for _, silent := range []string{name, "firma.example", "_dmarc.firma.example"} {
		server.Fail(silent, dnstest.Silent)
	}
	c := checker(t, server, mailauth.Options{Timeout: 100 * time.Millisecond})
	r := check(t, c, envelope(t, "alice@firma.example", "192.0.2.1"), sign(t, letter, s))
	if r.SPF.Status != mailauth.TempError || r.DKIM[0].Status != mailauth.TempError || r.DMARC.Status != mailauth.TempError {
		t.Errorf("%+v", r)
	}
}

func TestNewNeedsResolver(t *testing.T) {
	if _, err := mailauth.New(mailauth.Options{}); !errors.Is(err, mailauth.ErrOptions) {
		t.Error(err)
	}
}
