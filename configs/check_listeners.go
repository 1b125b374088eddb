package configs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func (k *checker) listeners() {
	if len(k.Listeners) == 0 {
		k.fail("listeners", "without a listener no mail comes in; add one")
	}
	unique, bound := k.unique("listeners"), doors{}
	for i := range k.Listeners {
		l := &k.Listeners[i]
		dotted := entryKey("listeners", l.Name, i)
		if why := badName(l.Name); why != "" {
			k.fail(dotted+".name", "%s", why)
		}
		unique(l.Name, dotted)
		k.address(l, dotted, bound)
		k.listenerTLS(l, dotted+".tls")
		k.clients(l, dotted+".tls")
		k.limits(l, dotted+".limits")
		if l.Normalise && l.Role != RoleInternal {
			k.fail(dotted+".normalise", "line ends are mended on an internal listener only; remove normalise here")
		}
		switch l.Role {
		case RoleInternal, RoleRoundTrip:
			k.internal(l, dotted)
		case RoleExternal:
			k.external(l, dotted)
		case RoleSubmission:
			k.submission(l, dotted)
		}
		k.exchangeOnline(l, dotted)
	}
}

// door is the address a listener takes at a port.
type door struct {
	address  netip.Addr
	listener string
}

// doors are the addresses that listeners take, by port.
type doors map[int][]door

// take notes a listener's address and returns the name of one that has it already.
func (d doors) take(a netip.Addr, port int, name string) (string, bool) {
	if port == 0 {
		return "", false
	}
	for _, other := range d[port] {
		if overlap(a, other.address) {
			return other.listener, true
		}
	}
	d[port] = append(d[port], door{a, name})
	return "", false
}

// overlap reports whether two listeners cannot have these addresses at one port. The unspecified IPv6
// address takes the IPv4 addresses too.
func overlap(a, b netip.Addr) bool {
	every6 := netip.IPv6Unspecified()
	switch {
	case a == b, a == every6, b == every6:
		return true
	}
	return a.Is4() && b.Is4() && (a.IsUnspecified() || b.IsUnspecified())
}

func (k *checker) address(l *Listener, dotted string, bound doors) {
	a, port, ok := splitAddress(l.Address)
	if !ok {
		k.fail(dotted+".address", "this must be an address and a port, as in 10.0.0.5:25, [::1]:25 or :25")
		return
	}
	if other, twice := bound.take(a, port, l.Name); twice {
		k.fail(dotted+".address", "the listener %s takes this address and port already", shorten(other))
	}
	if !k.options.CanBind(port) {
		k.warn(dotted+".address", "the user this runs as may not open port %d; the gateway needs the capability CAP_NET_BIND_SERVICE, which siegel.service gives it", port)
	}
}

// splitAddress reads an address and port; an absent address is every address.
func splitAddress(s string) (netip.Addr, int, bool) {
	host, portText, err := net.SplitHostPort(s)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	if err != nil || portErr != nil {
		return netip.Addr{}, 0, false
	}
	if host == "" {
		return netip.IPv6Unspecified(), int(port), true
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap(), int(port), err == nil
}

func (k *checker) internal(l *Listener, dotted string) {
	if len(l.Networks) == 0 && len(l.TLS.ClientNames) == 0 {
		k.fail(dotted+".networks", "an internal listener must say who may use it; list the networks or addresses of the company's mail servers")
	}
	for i, p := range l.Networks {
		if p.Bits() < 8 {
			k.failMember(dotted+".networks", i, "%s is the internet: anybody could send mail in the company's name; list the company's mail servers", p)
		}
	}
	k.noUsers(l, dotted)
	k.senders(l, dotted)
}

func (k *checker) external(l *Listener, dotted string) {
	if len(k.Domains) == 0 {
		k.fail("domains", "the external listener %s accepts mail for the company's domains; list them", shorten(l.Name))
	}
	if len(l.Senders) > 0 {
		k.fail(dotted+".senders", "nobody outside may have mail signed; remove senders, or make the role internal")
	}
	if l.TLS.Mode == TLSNone {
		k.warn(dotted+".tls", "mail from the internet will not be encrypted on its way; give a certificate and its key")
	}
	k.noUsers(l, dotted)
}

func (k *checker) submission(l *Listener, dotted string) {
	if l.TLS.Mode == TLSNone {
		k.fail(dotted+".tls", "passwords are taken under TLS only; give a certificate and its key")
	}
	if len(l.Users) == 0 && !k.broken[dotted+".users_file"] {
		k.fail(dotted+".users", "nobody can log in; add users, or users_file")
	}
	k.senders(l, dotted)
	unique := k.unique("users")
	for i := range l.Users {
		u := &l.Users[i]
		userKey := entryKey(dotted+".users", u.Name, i)
		unique(u.Name, userKey)
		k.hash(u, userKey+".hash")
		if len(u.MayUse) == 0 {
			k.fail(userKey+".may_use", "this user could send nothing; list the addresses the user may write as From")
		}
	}
}

// The costs of bcrypt hashes that are accepted: fewer are guessed fast, more let a few logins fill the processor.
const (
	lowCost  = 10
	highCost = 16
)

func (k *checker) hash(u *User, dotted string) {
	if u.Hash.IsZero() {
		return
	}
	cost, err := bcrypt.Cost([]byte(u.Hash.Reveal()))
	switch {
	case err != nil:
		k.fail(dotted, "this is no bcrypt hash; make one with: htpasswd -nBC 12 NAME, and take what stands after the colon")
	case cost > highCost:
		k.fail(dotted, "the cost %d of this hash would keep the processor busy for long at each login; use 12", cost)
	case cost < lowCost:
		k.warn(dotted, "the cost %d of this hash is low: who gets the file guesses the password soon; use 12", cost)
	}
}

func (k *checker) noUsers(l *Listener, dotted string) {
	if len(l.Users) > 0 || l.UsersFile != "" {
		k.fail(dotted+".users", "only a submission listener has users; remove them, or make the role submission")
	}
}

func (k *checker) senders(l *Listener, dotted string) {
	if len(l.Senders) == 0 {
		k.fail(dotted+".senders", "no From address is allowed here, so nothing can be sent; list the company's domains under domains, or senders here")
	}
	for i, p := range l.Senders {
		if p.String() == "*" {
			k.warnMember(dotted+".senders", i, "* lets this listener use every From address; list the company's domains")
		}
	}
}

// pair loads a certificate and its key, whose keys in the configuration begin with prefix.
func (k *checker) pair(certificateFile, keyFile Path, prefix string) *tls.Certificate {
	certificate, keyText := k.file(prefix+"certificate", certificateFile), []byte(nil)
	if keyFile == certificateFile {
		keyText = certificate
	} else {
		keyText = k.file(prefix+"key", keyFile)
	}
	if certificate == nil || keyText == nil {
		return nil
	}
	pair, err := tls.X509KeyPair(certificate, keyText)
	if err != nil {
		at, why := pairTrouble(err, keyText)
		k.fail(prefix+at, "%s", why)
		return nil
	}
	k.private(prefix+"key", keyFile)
	return &pair
}

// pairTrouble says of which key, and why, a certificate and its key cannot be used.
func pairTrouble(err error, keyText []byte) (at, why string) {
	text := err.Error()
	switch {
	case strings.Contains(text, "rather than a key"):
		return "key", "there is a certificate and no key in this file; give the key as well"
	case strings.Contains(text, "does not match"):
		return "key", "this key does not belong to the certificate; give the key the certificate was made for"
	case bytes.Contains(keyText, []byte("ENCRYPTED")):
		return "key", "this key is encrypted; remove its password with: openssl pkey -in OLD -out NEW"
	case strings.Contains(text, "certificate input"):
		return "certificate", "there is no PEM certificate in this file"
	case strings.Contains(text, "key input"), strings.Contains(text, "PEM block with type"):
		return "key", "there is no PEM private key in this file"
	case strings.Contains(text, "private key"):
		return "key", "this private key cannot be used; RSA, ECDSA and Ed25519 keys can"
	}
	return "certificate", "this certificate cannot be read; it must be PEM, first the server's, then those above it"
}

// soon is how long before its end a certificate is warned of.
const soon = 14 * 24 * time.Hour

// validity warns of a certificate that is not valid, or not for long.
func (k *checker) validity(leaf *x509.Certificate, dotted string) {
	now := k.options.Now()
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case now.After(leaf.NotAfter):
		k.warn(dotted, "this certificate ended on %s; other servers may refuse it: renew it", day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		k.warn(dotted, "this certificate begins on %s; other servers may refuse it until then", day(leaf.NotBefore))
	case leaf.NotAfter.Sub(now) < soon:
		k.warn(dotted, "this certificate ends on %s; renew it", day(leaf.NotAfter))
	}
}
