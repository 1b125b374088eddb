package configs

import (
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
)

// maxSocket is the longest name of a Unix socket, without the byte 0 that ends it (unix(7)).
const maxSocket = 107

func (k *checker) admin() {
	if len(k.Admin.Socket) > maxSocket {
		k.fail("admin.socket", "the name of a socket may have %d bytes; choose a shorter one", maxSocket)
	}
	dir := filepath.Dir(k.Admin.Socket.String())
	if info, err := os.Stat(dir); err == nil && (!info.IsDir() || info.Mode().Perm()&0o077 != 0) {
		k.fail("admin.socket", "%s is open to other users; give the socket a folder of its own, with mode 0700", shorten(dir))
	}
	k.adminTLS(&k.Admin.TLS)
	k.adminHTTP()
}

// adminHTTP holds that nobody looks at the pages from elsewhere who is not known.
func (k *checker) adminHTTP() {
	if k.Admin.HTTP == "" {
		if k.Admin.TLS.Enabled() {
			k.warn("admin.http", "no page is served without an address, so admin.tls counts for nothing; write one, or remove it")
		}
		return
	}
	at, port, ok := splitAddress(k.Admin.HTTP)
	switch {
	case !ok:
		k.fail("admin.http", "this must be an address and a port, as in 127.0.0.1:9035")
	case at.IsLoopback() || k.Admin.TLS.ClientCA != "": // what is wrong with it is said there
	default:
		k.fail("admin.http", "this must be a loopback address, since nobody is asked for a password: 127.0.0.1:%d; or give admin.tls a client_ca, whose clients alone are let in", port)
	}
}

// adminTLS reads the certificates of the pages, and holds them against their profile.
func (k *checker) adminTLS(t *AdminTLS) {
	const at = "admin.tls"
	t.pair, t.clients = nil, nil
	if t.Certificate == "" {
		if t.Key != "" || t.Profile != "" || t.ClientCA != "" {
			k.fail(at+".certificate", "TLS needs a certificate; give certificate and key")
		}
		return
	}
	t.policy = k.profile(at+".profile", t.Profile)
	if t.ClientCA != "" {
		t.clients = k.roots(at+".client_ca", t.ClientCA)
	}
	if t.policy.ClientCertificate == tlspolicy.ClientRequired && t.ClientCA == "" {
		k.fail(at+".client_ca", "the profile %s wants clients to show a certificate; name the authority whose clients are let in, or another profile", shorten(t.policy.Name))
	}
	if t.pair = k.pair(t.Certificate, t.Key, at+"."); t.pair == nil {
		return
	}
	k.validity(t.pair.Leaf, at+".certificate")
	k.serves(at, t.policy, *t.pair)
}
