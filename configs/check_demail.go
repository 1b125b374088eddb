package configs

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs/ldap"
	"github.com/siegel-mail/siegel/connectors/demail"
	"github.com/siegel-mail/siegel/gateway/mail"
)

// demail judges what is said of De-Mail. It comes after cards, vaults, directories and groups.
func (k *checker) demail() {
	d := &k.Config.DeMail
	k.demailDomains("demail.domains", d.Domains)
	unique := k.unique("accounts")
	for i := range d.Accounts {
		a := &d.Accounts[i]
		dotted := entryKey("demail.accounts", a.Name, i)
		if why := badName(a.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(a.Name, dotted)
		k.demailAccount(a, dotted)
	}
	k.demailSenders()
	d.anchors = nil
	for i, file := range d.Anchors {
		d.anchors = append(d.anchors, k.certificatesMember("demail.anchors", i, file)...)
	}
	k.demailIncoming()
	k.demailTimestamp()
	if len(d.Accounts) == 0 {
		if len(d.Senders) > 0 {
			k.warn("demail.accounts", "without an account nothing is sent as De-Mail, and mail to De-Mail addresses is refused; add one")
		}
		return
	}
	if len(d.Anchors) == 0 {
		k.warn("demail.anchors", "without the certification authorities of De-Mail no message and no confirmation counts as verified; get their certificates from the provider")
	}
}

// demailDomains holds that domains can be those of De-Mail, and are not those that mail by SMTP goes to.
func (k *checker) demailDomains(dotted string, list []string) {
	for i, text := range list {
		domain, err := demail.ParseDomain(text)
		switch {
		case err != nil:
			k.failMember(dotted, i, "this is no domain; write it as in stadt.example: what is below it is meant, too")
		case k.Config.Domains.Match(mail.Address{Local: "postmaster", Domain: domain}):
			k.failMember(dotted, i, "%s is one of the company's domains, whose mail comes by SMTP; a domain is one of De-Mail or not", shorten(text))
		case dotted == "demail.domains" && (domain == demail.CommonDomain || strings.HasSuffix(domain, "."+demail.CommonDomain)):
			k.warnMember(dotted, i, "what is below %s is De-Mail always; remove it", demail.CommonDomain)
		}
	}
}

func (k *checker) demailAccount(a *DeMailAccount, dotted string) {
	switch a.Connector {
	case ConnectorWebService:
		k.demailService(a, dotted)
	case ConnectorMailbox:
		k.demailMailbox(a, dotted)
	}
	if a.User == "" && !a.Password.IsZero() {
		k.fail(dotted+".user", "there is a password but no user; give both")
	}
	k.demailTLS(a, dotted+".tls")
	k.demailDomains(dotted+".domains", a.Domains)
	retry, expire := a.Retry, a.Expire
	if len(retry) == 0 {
		retry = k.Queue.Retry
	}
	if expire > 0 {
		k.tries(dotted+".expire", retry, expire)
	}
	if o := DeMailOptions(a.Entitled); a.Level != demail.LevelHigh && (o.Retrieve || o.Authoritative || o.Private) {
		k.fail(dotted+".entitled", "retrieve, authoritative and private are for accounts that are logged in at the level high; set level, if that is so, or remove them")
	}
	if a.Fetch.Every == 0 {
		k.warn(dotted+".fetch", "nothing is fetched: no De-Mail comes in by this account, and no confirmation")
	}
	k.people(dotted+".fetch.tell", a.Fetch.Tell)
	if !slices.ContainsFunc(k.Config.DeMail.Senders, func(s DeMailSender) bool { return s.Account == a.Name }) {
		k.warn(dotted, "no sender uses this account, so nothing is sent by it; add one under demail.senders")
	}
}

// demailService judges what the connector webservice needs.
func (k *checker) demailService(a *DeMailAccount, dotted string) {
	a.profile = nil
	if a.Profile == "" {
		k.fail(dotted+".profile", "name the profile of the provider's web service; siegel demail profile check FILE tells whether it can be used")
	} else {
		a.profile = k.serviceProfile(dotted+".profile", a.Profile)
	}
	u, err := url.Parse(a.URL)
	switch {
	case a.URL == "":
		k.fail(dotted+".url", "say where the web service is, as https://gateway.provider.example")
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || badHost(u.Hostname()) != "":
		k.fail(dotted+".url", "this must be https:// and a host, with a port where it is another than 443")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		k.fail(dotted+".url", "this must end with the host; paths are part of the profile")
	}
	if m := a.Mailbox; m.Submission != "" || m.IMAP != "" {
		k.fail(dotted+".mailbox", "this is of the connector mailbox, and the connector is webservice; remove one of the two")
	}
}

// demailMailbox judges what the connector mailbox needs.
func (k *checker) demailMailbox(a *DeMailAccount, dotted string) {
	for key, given := range map[string]bool{"profile": a.Profile != "", "url": a.URL != "", "account": a.Account != ""} {
		if given {
			k.fail(dotted+"."+key, "this is of the connector webservice, and the connector is mailbox; remove one of the two")
		}
	}
	for key, place := range map[string]string{"submission": a.Mailbox.Submission, "imap": a.Mailbox.IMAP} {
		host, port, err := net.SplitHostPort(place)
		n, wrong := strconv.ParseUint(port, 10, 16)
		switch {
		case place == "":
			k.fail(dotted+".mailbox."+key, "name the provider's server, as smtp.provider.example:465 or imap.provider.example:993")
		case err != nil || wrong != nil || n == 0 || badHost(host) != "":
			k.fail(dotted+".mailbox."+key, "this must be a host and a port, as smtp.provider.example:465")
		case n == smtpPort:
			k.fail(dotted+".mailbox."+key, "on port 25 mail servers talk to each other; the provider's submission is on 465 or 587")
		}
	}
	m := &a.Mailbox
	m.whose = demail.Address{}
	if m.Address != "" {
		var why string
		if m.whose, why = demailAddress(m.Address); why != "" {
			k.fail(dotted+".mailbox.address", "%s", why)
		}
	}
	switch {
	case m.SentAlways && m.Sent == "":
		k.fail(dotted+".mailbox.sent_always", "name the folder as sent, or remove this")
	case m.Sent != "" && m.Sent == m.Folder || m.Done != "" && (m.Done == m.Folder || m.Done == m.Sent):
		k.fail(dotted+".mailbox", "folder, done and sent are three folders; give each its own name")
	}
	if len(a.Domains) == 0 {
		k.fail(dotted+".domains", "no server of this way tells the De-Mail domains of the account; list them, as [firma.de-mail.de]")
	}
	if strings.TrimSpace(a.Mailbox.Folder) == "" {
		k.fail(dotted+".mailbox.folder", "this must be the name of a folder, as INBOX")
	}
}

// people holds that who is to be told is inside: what was fetched may be quoted to them.
func (k *checker) people(dotted string, list []string) {
	for i, text := range list {
		a, why := ownAddress(text)
		if why == "" {
			why = k.inside(a)
		}
		if why != "" {
			k.failMember(dotted, i, "%s", why)
		}
	}
}

// demailIncoming judges where De-Mail goes that was fetched.
func (k *checker) demailIncoming() {
	in, dotted := &k.Config.DeMail.Incoming, "demail.incoming"
	in.mailboxes, in.fallback = map[demail.Address]mail.Address{}, mail.Address{}
	for i, m := range in.Mailboxes {
		at := dotted + ".mailboxes[" + strconv.Itoa(i+1) + "]"
		address, why := demailAddress(m.DeMail)
		if why != "" {
			k.fail(at+".demail", "%s", why)
			continue
		}
		to, why := ownAddress(m.To)
		if why == "" {
			why = k.inside(to)
		}
		if why != "" {
			k.fail(at+".to", "%s", why)
		}
		if _, twice := in.mailboxes[address]; twice {
			k.fail(at+".demail", "%s was given already; remove one of the two", shorten(m.DeMail))
		}
		in.mailboxes[address] = to
	}
	if in.Table != "" {
		if text := k.file(dotted+".table", in.Table); text != nil {
			k.tableFaults(dotted+".table", in.Table, mailboxTable(text, in.mailboxes, k.inside))
		}
	}
	k.people(dotted+".responsible", in.Responsible)
	if in.Fallback == "" {
		if len(k.Config.DeMail.Accounts) > 0 {
			k.warn(dotted+".fallback", "De-Mail for an address that is not assigned stays with the provider, and admin.mail_to is told; name an address that gets it")
		}
		return
	}
	var why string
	if in.fallback, why = ownAddress(in.Fallback); why == "" {
		why = k.inside(in.fallback)
	}
	if why != "" {
		k.fail(dotted+".fallback", "%s", why)
	}
}

// inside says why an address is not one of the company's own, or nothing.
func (k *checker) inside(a mail.Address) string {
	if !k.Config.Domains.Match(a) {
		return shorten(a.String()) + " is none of the company's own addresses (domains), and De-Mail never leaves the company by SMTP"
	}
	return ""
}

// tableFaults reports what is wrong with a table at its own lines.
func (k *checker) tableFaults(dotted string, file Path, faults []fault) {
	for _, f := range faults {
		k.report.add(Problem{Error, Origin{File: file.String(), Line: f.line, Column: 1}, dotted, f.text})
	}
}

func (k *checker) demailTimestamp() {
	t, dotted := &k.Config.DeMail.Evidence.Timestamp, "demail.evidence.timestamp"
	t.authorities = nil
	if t.URL == "" {
		if t.CA != "" {
			k.warn(dotted+".ca", "without a url nothing is stamped; name the service, or remove this")
		}
		return
	}
	if u, err := url.Parse(t.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		k.fail(dotted+".url", "this must be https:// or http:// and a host")
	}
	if t.CA == "" {
		k.fail(dotted+".ca", "a stamp that nobody believes proves nothing; name the certification authority of the service")
		return
	}
	t.authorities = k.certificatesOf(dotted+".ca", t.CA)
}

// demailGroups reports whether who may send De-Mail hangs on a group.
func (c *Config) demailGroups() bool {
	return slices.ContainsFunc(c.DeMail.Senders, func(s DeMailSender) bool { return len(s.Groups) > 0 })
}

// companyDirectory says why a directory cannot be asked about people inside, or nothing.
func (k *checker) companyDirectory(name string) string {
	i := slices.IndexFunc(k.Certificates.Directories, func(d Directory) bool { return strings.EqualFold(d.Name, name) })
	switch {
	case i < 0:
		return "there is no directory " + shorten(name) + " under certificates.directories; add it there, or write its name as it stands there"
	case k.Certificates.Directories[i].Kind == ldap.DeMail:
		return "the public directory of De-Mail does not know who in the company writes; name the company's own"
	}
	return ""
}
