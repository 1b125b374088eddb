package mailbox

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/internal/secret"
)

func noTLS(context.Context, net.Conn, string) (net.Conn, tls.ConnectionState, error) {
	return nil, tls.ConnectionState{}, net.ErrClosed
}

func good() Options {
	s := Server{Address: "mail.provider.example:465", User: "u", Password: secret.New("p"), TLS: noTLS}
	return Options{Submission: s, Retrieval: s, Hello: "gw.firma.example", Domains: []string{"firma.de-mail.de"}}
}

// What cannot work is refused when a provider is made, in the words of who configures it.
func TestOptions(t *testing.T) {
	p := provider(t, good())
	if p.options.Folder != DefaultFolder || p.options.Timeout != DefaultTimeout || p.options.Now == nil || p.options.Submission.Dial == nil {
		t.Errorf("%+v", p.options)
	}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"no address":           {func(o *Options) { o.Retrieval.Address = "" }, "retrieval: the address must be HOST:PORT"},
		"no port":              {func(o *Options) { o.Submission.Address = "mail.provider.example" }, "submission: the address must be"},
		"no TLS":               {func(o *Options) { o.Submission.TLS = nil }, "without TLS"},
		"no password":          {func(o *Options) { o.Submission.Password = secret.String{} }, "a user has a password"},
		"no user":              {func(o *Options) { o.Retrieval.User = "" }, "a user has a password"},
		"a line in the name":   {func(o *Options) { o.Retrieval.User = "a\nb" }, "cannot be sent"},
		"NUL in the password":  {func(o *Options) { o.Retrieval.Password = secret.New("a\x00b") }, "cannot be sent"},
		"no domain":            {func(o *Options) { o.Domains = nil }, "De-Mail domains"},
		"no such domain":       {func(o *Options) { o.Domains = []string{"a b"} }, "De-Mail domains"},
		"no name":              {func(o *Options) { o.Hello = "" }, "EHLO"},
		"a bad name":           {func(o *Options) { o.Hello = "a b" }, "EHLO"},
		"a negative time":      {func(o *Options) { o.Timeout = -1 }, "not negative"},
		"always, nowhere":      {func(o *Options) { o.SentAlways = true }, "name of the folder"},
		"moved to where it is": {func(o *Options) { o.Done = "INBOX" }, "different ones"},
		"sent to where it is":  {func(o *Options) { o.Sent = "INBOX" }, "different ones"},
		"a line in a folder":   {func(o *Options) { o.Done = "a\r\nb" }, "folder's name"},
		"a long folder":        {func(o *Options) { o.Sent = strings.Repeat("x", 201) }, "folder's name"},
	} {
		o := good()
		c.change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "a\x00b") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
