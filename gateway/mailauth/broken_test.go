package mailauth_test

import (
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mailauth"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/smime/entity"
)

func header(t testing.TB, text string) entity.Header {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// DropBroken removes exactly the signatures that a verifier finds broken after the change.
func TestDropBroken(t *testing.T) {
	relaxed := signer(t, mailauth.SignerOptions{Domain: "relaxed.example"})
	simple := signer(t, mailauth.SignerOptions{Domain: "simple.example", Simple: true})
	fromOnly := signer(t, mailauth.SignerOptions{Domain: "from.example", Headers: []string{"From", "X-Siegel-Sign"}})
	c := checker(t, dnstest.Start(t, record(t, relaxed)+record(t, simple)+record(t, fromOnly)), mailauth.Options{})
	signed := sign(t, "X-Siegel-Sign: yes\r\nBcc: x@firma.example\r\n"+letter, relaxed, simple, fromOnly)
	_, body, _ := strings.Cut(signed, "\r\n\r\n")
	for what, k := range map[string]struct {
		change func(h *entity.Header)
		want   string
	}{
		"nothing":            {func(*entity.Header) {}, "relaxed.example simple.example from.example"},
		"Bcc is removed":     {func(h *entity.Header) { h.Del("Bcc") }, "relaxed.example simple.example from.example"},
		"the wish is gone":   {func(h *entity.Header) { h.DelPrefix("X-Siegel-") }, "relaxed.example simple.example"},
		"Received is added":  {func(h *entity.Header) { h.InsertTop("Received", "from x by y") }, "relaxed.example simple.example from.example"},
		"the subject":        {func(h *entity.Header) { h.Replace("Subject", "other") }, "from.example"},
		"another subject":    {func(h *entity.Header) { h.InsertTop("Subject", "other") }, "from.example"},
		"subject folds":      {func(h *entity.Header) { v, _ := h.Get("Subject"); h.Replace("Subject", v) }, "relaxed.example from.example"},
		"reply-to is added":  {func(h *entity.Header) { h.Add("Reply-To", "x@firma.example") }, "from.example"},
		"From":               {func(h *entity.Header) { h.Replace("From", "x@firma.example") }, ""},
		"Subject in capital": {func(h *entity.Header) { recase(h) }, "relaxed.example from.example"},
	} {
		after, before := header(t, signed), header(t, signed)
		k.change(&after)
		n := mailauth.DropBroken(&after, before, false)
		var left []string
		for _, d := range check(t, c, envelope(t, "", ""), string(after.Bytes())+"\r\n"+body).DKIM {
			left = append(left, d.Domain)
			if d.Status != mailauth.Pass {
				t.Errorf("%s: a broken one is left: %+v", what, d)
			}
		}
		if got := strings.Join(left, " "); got != k.want || n != 3-len(left) {
			t.Errorf("%s: %q, %d removed; want %q", what, got, n, k.want)
		}
	}
}

func recase(h *entity.Header) {
	v, _ := h.Get("Subject")
	h.Replace("SUBJECT", v)
}

// Every signature covers the body.
func TestDropBrokenBody(t *testing.T) {
	text := "DKIM-Signature: nonsense\r\ndkim-signature : v=1\r\nFrom: a@b.example\r\n\r\n"
	h := header(t, text)
	if n := mailauth.DropBroken(&h, header(t, text), false); n != 0 || string(h.Bytes())+"\r\n" != text {
		t.Errorf("%d removed from what did not change: %q", n, h.Bytes())
	}
	if n := mailauth.DropBroken(&h, header(t, text), true); n != 2 || string(h.Bytes()) != "From: a@b.example\r\n" {
		t.Errorf("%d removed: %q", n, h.Bytes())
	}
	many := header(t, "DKIM-Signature: h=a"+strings.Repeat(":a", 5000)+"\r\nFrom: a@b.example\r\n\r\n")
	if n := mailauth.DropBroken(&many, many, false); n != 1 {
		t.Errorf("%d", n)
	}
}
