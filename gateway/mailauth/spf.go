package mailauth

import (
	"context"
	"net"
	"strings"

	"blitiri.com.ar/go/spf"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/dns"
)

// checkSPF asks whether the client may send for the domain of the reverse-path, or, where that is null, for the
// name it gave with HELO. The limits of RFC 7208, 4.6.4 are the library's: 10 terms that ask DNS, 2 answers
// without records, 10 names of an MX or PTR.
func (c *Checker) checkSPF(ctx context.Context, env mail.Envelope) (r SPF) {
	client := env.Client.Addr.Unmap().WithZone("")
	r = SPF{Status: None, Client: client, Sender: env.From.String()}
	sender := plainLocal(env.From.Local) + "@"
	r.Domain = env.From.Domain
	helo, err := dns.Name(env.Client.Helo)
	if err != nil || !strings.Contains(helo, ".") {
		helo = "unknown" // for macros
	}
	if env.From.IsNull() {
		r.Helo = true
		r.Domain, sender = helo, "postmaster@" // RFC 7208, 2.4
	}
	name, err := dns.Name(r.Domain)
	if err != nil || !strings.Contains(name, ".") { // RFC 7208, 4.3
		r.Domain, r.Reason = "", "there is no domain to ask"
		return r
	}
	r.Domain = name
	if !client.IsValid() {
		r.Reason = "the address of the client is not known"
		return r
	}
	// The records that the library reads are foreign, and it runs in a goroutine of ours: what it stumbles
	// over must not end the program.
	defer func() {
		if recover() != nil {
			r.Status, r.Reason = PermError, "the record cannot be evaluated"
		}
	}()
	status, err := spf.CheckHostWithSender(net.IP(client.AsSlice()), helo, sender+name,
		spf.WithContext(ctx), spf.WithResolver(c.o.Resolver))
	r.Status = Status(status)
	if status == spf.TempError || status == spf.PermError {
		r.Reason = spfReason(status, err)
	}
	return r
}

// spfReason is why there is no result, in words that betray nothing about our own servers.
func spfReason(status spf.Result, err error) string {
	if status == spf.TempError {
		return "DNS does not answer"
	}
	if _, ok := err.(*net.DNSError); ok || err == nil {
		return "the record cannot be evaluated"
	}
	return plainReason(err.Error())
}

// plainLocal is a local part for the macros of SPF. The library cuts addresses at their first @, and a quoted
// local part may hold one.
func plainLocal(local string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune(`@"\()<>[]:;,`, r) {
			return '_'
		}
		return r
	}, local)
}

// plainReason brings a text of a library to what may stand in a header field between quotation marks.
func plainReason(s string) string {
	const most = 80
	s = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune(" .,:+-_'", r):
			return r
		}
		return '?'
	}, s)
	return s[:min(len(s), most)]
}
