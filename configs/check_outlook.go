package configs

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/gateway/addin/token"
	"github.com/siegel-mail/siegel/gateway/exchange"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// outlook holds that the add-in can be served, and that it is clear who may ask what.
func (k *checker) outlook() {
	o := &k.Config.Outlook
	o.origin = ""
	if !o.Enabled() {
		if o.URL != "" || o.TLS.Certificate != "" {
			k.warn("outlook.listen", "nothing is served without an address, so the rest of outlook counts for nothing; write one, or remove it")
		}
		return
	}
	if _, port, ok := splitAddress(o.Listen); !ok {
		k.fail("outlook.listen", "this must be an address and a port, as in 10.0.0.5:8443 or :8443")
	} else if !k.options.CanBind(port) {
		k.warn("outlook.listen", "the user this runs as may not open port %d; the gateway needs the capability CAP_NET_BIND_SERVICE, which siegel.service gives it", port)
	}
	host := ""
	if o.origin, host = originOf(o.URL); o.origin == "" {
		k.fail("outlook.url", "this must be where Outlook reaches the add-in: https:// and a name, as in https://siegel.firma.example, with no path")
	}
	k.outlookTLS(&o.TLS, host)
	o.Entra.origin = o.origin
	k.outlookEntra(&o.Entra)
	k.outlookExchange(&o.Exchange)
	k.outlookNetworks(o)
	k.outlookUsers(o)
	for i, frame := range o.Frames {
		if origin, _ := originOf(frame); origin == "" {
			k.failMember("outlook.frames", i, "this must be https:// and a name, as in https://owa.firma.example, with no path")
		}
	}
	if !o.Entra.Enabled() && len(o.Exchange.Hosts) == 0 && len(o.Networks) == 0 {
		k.warn("outlook", "nobody is known, so the add-in cannot show what a message will get; set entra, exchange or networks")
	}
}

// originOf is an address as a browser writes the origin of a page (RFC 6454, 6.1), and the name in it; empty where it is not one of HTTPS, or more.
func originOf(text string) (origin, host string) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#") {
		return "", ""
	}
	host = strings.ToLower(u.Hostname())
	if badHost(host) != "" {
		return "", ""
	}
	at, port := host, u.Port()
	if strings.Contains(host, ":") {
		at = "[" + host + "]"
	}
	switch n, err := strconv.ParseUint(port, 10, 16); {
	case port == "" && strings.HasSuffix(u.Host, ":"), port != "" && (err != nil || n == 0):
		return "", ""
	case port != "" && n != 443:
		at += ":" + strconv.FormatUint(n, 10)
	}
	return "https://" + at, host
}

// outlookTLS reads the certificate of the pages, and holds it against its profile and its name.
func (k *checker) outlookTLS(t *OutlookTLS, host string) {
	const at = "outlook.tls"
	t.pair = nil
	if t.Certificate == "" {
		k.fail(at+".certificate", "Outlook loads add-ins by HTTPS alone; give certificate and key")
		return
	}
	t.policy = k.profile(at+".profile", t.Profile)
	if t.policy.ClientCertificate == tlspolicy.ClientRequired {
		k.fail(at+".profile", "the profile %s wants clients to show a certificate, and Outlook shows none; name another profile", shorten(t.policy.Name))
	}
	if t.pair = k.pair(t.Certificate, t.Key, at+"."); t.pair == nil {
		return
	}
	k.validity(t.pair.Leaf, at+".certificate")
	k.serves(at, t.policy, *t.pair)
	if host != "" && t.pair.Leaf.VerifyHostname(host) != nil {
		k.warn(at+".certificate", "this certificate does not name %s, so Outlook will not load the add-in from there; get one for the name in outlook.url", host)
	}
}

// outlookEntra holds that a token of another tenant or application is not believed by accident.
func (k *checker) outlookEntra(e *OutlookEntra) {
	const at = "outlook.entra"
	if !e.Enabled() {
		if e.ClientID != "" {
			k.fail(at+".tenant", "whose users may ask? set the tenant ID of the company, which the Entra admin center shows under Overview")
		}
		return
	}
	k.tenant(&ExchangeOnline{Tenant: e.Tenant}, at+".tenant")
	if _, err := exchange.ParseTenant(e.ClientID); err != nil {
		k.fail(at+".client_id", "this is no application ID, which looks like 0c9d8e7f-6a5b-4c3d-9e2f-1a0b9c8d7e6f; the Entra admin center shows it in the registration of the add-in")
	}
	for i, id := range e.Clients {
		if _, err := exchange.ParseTenant(id); err != nil {
			k.failMember(at+".clients", i, "this is no application ID, which looks like d3590ed6-52b3-4102-aeff-aad2292ab01c")
		}
		e.Clients[i] = strings.ToLower(id)
	}
	e.Tenant, e.ClientID = strings.ToLower(e.Tenant), strings.ToLower(e.ClientID)
	if e.Audience != "" && !strings.Contains(strings.ToLower(e.Audience), e.ClientID) {
		k.warn(at+".audience", "this does not hold the application ID; make sure that it is the identifier URI of this registration and of no other")
	}
	if strings.ContainsAny(e.Scope, " \t") || e.Scope == "" {
		k.fail(at+".scope", "this must be the name of one scope, as in access_as_user")
	}
	if origin, _ := originOf(e.Authority); origin == "" {
		k.fail(at+".authority", "this must be https:// and the name of a server, as in https://login.microsoftonline.com, without the tenant")
	} else {
		e.Authority = origin
	}
	e.roots, e.policy = nil, tlspolicy.Profile{}
	if e.KeysFile != "" {
		if text := k.file(at+".keys_file", e.KeysFile); text != nil {
			if _, err := token.ParseKeySet(text); err != nil {
				k.fail(at+".keys_file", "%s; get it from %s", err, token.KeysURL(e.Authority, e.Tenant))
			}
		}
		return
	}
	e.policy = k.clientPolicy(at+".profile", e.Profile, false)
	if e.CA != "" {
		e.roots = k.roots(at+".ca", e.CA)
	}
}

func (k *checker) outlookExchange(e *OutlookExchange) {
	const at = "outlook.exchange"
	e.roots, e.policy = nil, tlspolicy.Profile{}
	if len(e.Hosts) == 0 {
		return
	}
	for i, host := range e.Hosts {
		name, port, err := net.SplitHostPort(host)
		if err != nil {
			name, port = host, "443"
		}
		n, portErr := strconv.ParseUint(port, 10, 16)
		if badHost(name) != "" || portErr != nil || n == 0 {
			k.failMember(at+".hosts", i, "this must be the name of a server, as in mail.firma.example or mail.firma.example:8443")
		}
	}
	e.policy = k.clientPolicy(at+".profile", e.Profile, false)
	if e.CA != "" {
		e.roots = k.roots(at+".ca", e.CA)
	}
}

// outlookNetworks holds that who may ask without a token is somebody inside.
func (k *checker) outlookNetworks(o *Outlook) {
	for i, n := range o.Networks {
		switch {
		case n.Bits() < 8:
			k.failMember("outlook.networks", i, "%s is the internet: anybody could learn what certificates are known; list the company's own networks", n)
		case overlapsAny(n, exchangeOnline()):
			k.failMember("outlook.networks", i, "%s is of Exchange Online, which all its tenants share; users of Microsoft 365 are known by outlook.entra", n)
		case isWide(n):
			k.warnMember("outlook.networks", i, "%s is a large part of the internet: whoever is in it can learn what certificates are known; list the company's own networks", n)
		}
	}
	if len(o.Networks) == 0 {
		if len(o.NetworksSpeakFor) > 0 {
			k.fail("outlook.networks_speak_for", "this counts for networks, and there are none; set outlook.networks, or remove it")
		}
		return
	}
	if len(o.NetworksSpeakFor) == 0 {
		k.fail("outlook.networks_speak_for", "for whom may be asked from these networks? list the company's domains here or under domains")
	}
	for i, p := range o.NetworksSpeakFor {
		if p.String() == "*" {
			k.failMember("outlook.networks_speak_for", i, "* would speak for the whole internet; list the company's domains")
		}
	}
}

// outlookTable reads the users file.
func (k *checker) outlookTable(o *Outlook) {
	o.users = nil
	if o.UsersFile == "" {
		return
	}
	text := k.file("outlook.users_file", o.UsersFile)
	if text == nil {
		return
	}
	table, faults := addin.ParseTable(string(text))
	for _, f := range faults {
		k.report.add(Problem{Error, Origin{File: o.UsersFile.String(), Line: f.Line, Column: 1}, "outlook.users_file", f.Text})
	}
	o.users = table
}

// outlookUsers holds that users can be found where the configuration says that they are.
func (k *checker) outlookUsers(o *Outlook) {
	k.outlookTable(o)
	for dotted, name := range map[string]string{"outlook.entra.attribute": o.Entra.Attribute, "outlook.exchange.attribute": o.Exchange.Attribute} {
		if name != "" && ldap.CheckAttribute(name) != nil {
			k.fail(dotted, "this is no name of an attribute, as in msExchMailboxGuid")
		}
	}
	if o.Directory != "" {
		if why := k.companyDirectory(o.Directory); why != "" {
			k.fail("outlook.directory", "%s", why)
		}
		return
	}
	if o.Entra.Attribute != "" {
		k.fail("outlook.entra.attribute", "an attribute of which directory? set outlook.directory")
	}
	if len(o.Exchange.Hosts) > 0 && o.UsersFile == "" {
		k.fail("outlook.exchange", "a token of Exchange has an ID and no address; set outlook.directory, which knows whose it is, or outlook.users_file")
	}
}
