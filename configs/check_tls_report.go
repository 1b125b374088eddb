package configs

import (
	"net/netip"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
)

// tlsReport holds that reports about TLS can be sent, and will be believed.
func (k *checker) tlsReport() {
	const at = "tls.report"
	r := &k.Config.TLS.Report
	if r.From == "" {
		if r.Contact != "" || r.Organization != "" || len(r.SendingIPs) > 0 {
			k.warn(at+".from", "nobody is told anything without a sender; write an address of the company, or remove this section")
		}
		return
	}
	from, ok := k.reportAddress(at+".from", r.From)
	if ok && !k.Domains.Match(from) {
		k.fail(at+".from", "%s is none of the company's own addresses (domains), in whose name reports are sent", shorten(r.From))
	}
	if r.Contact != "" {
		contact, known := k.reportAddress(at+".contact", r.Contact)
		if ok && known && contact.Domain != from.Domain {
			k.fail(at+".contact", "this must be an address of %s as from is: the signature of the mail has to be that of the contact's domain (RFC 8460, 3 and 5.3)", from.Domain)
		}
	}
	if len([]rune(r.Organization)) > 200 {
		k.fail(at+".organization", "this may have 200 letters")
	}
	k.sendingIPs(at+".sending_ips", r.SendingIPs)
	if ok && !k.signsDKIM(from) {
		k.warn(at+".from", "no key under dkim signs for %s; who gets reports without a DKIM signature ignores them (RFC 8460, 3)", from.Domain)
	}
}

// sendingIPs holds that the ends of sessions can be told: others see no address inside, and of each family there is but one to choose.
func (k *checker) sendingIPs(dotted string, all []string) {
	carriers := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598
	var four, six bool
	for i, text := range all {
		a, err := netip.ParseAddr(text)
		a = a.Unmap()
		switch {
		case err != nil || !a.IsGlobalUnicast() || a.IsPrivate() || carriers.Contains(a):
			k.failMember(dotted, i, "this is no address of the internet; write the one that mail of the gateway comes from there")
			continue
		case a.Is4() && four, a.Is6() && six:
			k.failMember(dotted, i, "there is one of this family already, and which one a session has is not known here")
		}
		four, six = four || a.Is4(), six || a.Is6()
	}
}

func (k *checker) reportAddress(dotted, text string) (mail.Address, bool) {
	a, err := mail.ParseAddress(text)
	if err != nil {
		k.fail(dotted, "this is no address%s", strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
		return a, false
	}
	if !a.IsASCII() || strings.HasPrefix(a.Domain, "[") {
		k.fail(dotted, "write an address of ASCII letters in a domain: servers that know no other get reports, too")
		return a, false
	}
	return a, true
}

// signsDKIM reports whether mail of an author is signed.
func (k *checker) signsDKIM(author mail.Address) bool {
	for _, d := range k.DKIM {
		if len(d.Signers().For(author)) > 0 {
			return true
		}
	}
	return false
}
