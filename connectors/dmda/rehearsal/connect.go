package rehearsal

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/siegel-mail/siegel/connectors/webservice"
	"github.com/siegel-mail/siegel/internal/atrest"
	"github.com/siegel-mail/siegel/internal/secret"
)

// Connect is the way of a company to a provider at a URL.
func Connect(c Company, p *webservice.Profile, url string, root *x509.Certificate, certificate tls.Certificate, password secret.String, spool *atrest.Spool) (*webservice.Provider, error) {
	client, err := webservice.New(webservice.Options{Profile: p, URL: url, HTTP: HTTP(root, certificate), Account: c.Name, User: c.Name, Password: password, Spool: spool})
	if err != nil {
		return nil, err
	}
	return webservice.NewProvider(client), nil
}

// HTTP speaks to a provider of a world, and to nobody else: its authority is the only one that is believed.
func HTTP(root *x509.Certificate, certificate tls.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}}
}
