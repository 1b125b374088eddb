package announce_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/announce"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/dane"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/mtasts"
	"github.com/siegel-mail/siegel/internal/dns"
	"github.com/siegel-mail/siegel/internal/dns/dnstest"
	"github.com/siegel-mail/siegel/internal/smtpclient/smtptest"
)

// states is what was found, for comparing: each subject with its state.
func states(all []announce.Finding) string {
	var lines []string
	for _, f := range all {
		lines = append(lines, fmt.Sprintf("%s: %s", f.Subject, f.State))
	}
	return strings.Join(lines, "\n")
}

// What stands there is compared by its meaning, and what differs is told with what to do.
func TestCheckDomain(t *testing.T) {
	p := announce.Plan{Mode: mtasts.Enforce, MaxAge: 86400e9, MX: []string{"mx.firma.example", "*.mail.firma.example"}, ReportTo: []string{"tls@firma.example"}}
	good := "_mta-sts.firma.example. TXT \"v=STSv1; id=" + p.PolicyID() + ";\"\n_smtp._tls.firma.example. TXT \"v=TLSRPTv1;rua=mailto:TLS@firma.example\"\n" +
		"firma.example. MX 10 mx.firma.example.\nfirma.example. MX 20 b.mail.firma.example.\n"
	reordered := "version: STSv1\nmx: *.mail.firma.example\nmx: mx.firma.example\nmode: enforce\nmax_age: 86400\n"
	for name, c := range map[string]struct {
		zone, policy string
		fault        error
		want         string // states of record, policy, MX, reports
		remark       string
	}{
		"all right":       {good, p.Policy(), nil, "right right right right", ""},
		"reordered":       {strings.Replace(good, p.PolicyID(), "1", 1), reordered, nil, "right right right right", "of your own making"},
		"changed":         {strings.Replace(good, p.PolicyID(), "55eda9c283ac5a1b", 1), p.Policy(), nil, "wrong right right right", "has changed and its record has not"},
		"nothing":         {"firma.example. MX 10 mx.firma.example.\n", "", fmt.Errorf("%w: no such host", mtasts.ErrFetch), "missing missing right missing", "publish it"},
		"another mode":    {good, strings.Replace(p.Policy(), "enforce", "testing", 1), nil, "right wrong right right", "replace the policy"},
		"another id":      {strings.Replace(good, p.PolicyID(), "1", 1), strings.Replace(p.Policy(), "86400", "86401", 1), nil, "wrong wrong right right", "tells of another policy"},
		"certificate":     {good, "", fmt.Errorf("%w: expired", mtasts.ErrCertificate), "right wrong right right", "public authority that names mta-sts.firma.example"},
		"no policy":       {good, "hello", nil, "right wrong right right", "act as if there were none"},
		"broken record":   {strings.Replace(good, "id="+p.PolicyID(), "id=", 1), p.Policy(), nil, "wrong right right right", "cannot use it"},
		"another MX":      {good + "firma.example. MX 30 elsewhere.example.\n", p.Policy(), nil, "right right wrong right", "does not name elsewhere.example"},
		"no MX":           {strings.ReplaceAll(good, "MX", "TXT"), p.Policy(), nil, "right right missing right", "takes no mail"},
		"reports to them": {strings.Replace(good, "TLS@firma", "tls@other", 1), p.Policy(), nil, "right right right wrong", "go elsewhere"},
		"two of reports":  {good + "_smtp._tls.firma.example. TXT \"v=TLSRPTv1; rua=mailto:b@firma.example\"\n", p.Policy(), nil, "right right right wrong", "one record"},
		"useless reports": {strings.Replace(good, "mailto:TLS@firma.example", "TLS@firma.example", 1), p.Policy(), nil, "right right right wrong", "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			zone := c.zone
			if name == "no MX" {
				zone = strings.ReplaceAll(zone, "TXT 10 mx.firma.example.", `TXT "x"`)
				zone = strings.ReplaceAll(zone, "TXT 20 b.mail.firma.example.", `TXT "y"`)
			}
			server := dnstest.Start(t, zone)
			check := announce.Checker{Plan: p, Resolver: server.Resolver(t, dns.Options{Attempts: 1}), Fetch: func(context.Context, string) (mtasts.Policy, error) {
				if c.fault != nil {
					return mtasts.Policy{}, c.fault
				}
				return mtasts.Parse(c.policy)
			}}
			all := check.Domain(t.Context(), "firma.example")
			words := strings.Fields(c.want)
			want := []string{"_mta-sts.firma.example TXT: " + words[0], "https://mta-sts.firma.example/.well-known/mta-sts.txt: " + words[1],
				"firma.example MX: " + words[2], "_smtp._tls.firma.example TXT: " + words[3]}
			remarks := ""
			for _, f := range all {
				remarks += f.Remark + "\n"
			}
			if states(all) != strings.Join(want, "\n") || !strings.Contains(remarks, c.remark) || c.remark == "" && strings.TrimSpace(remarks) != "" {
				t.Errorf("%s\n%s", states(all), remarks)
			}
		})
	}
}

// Where DNS does not answer nothing is said to be missing.
func TestCheckUnknown(t *testing.T) {
	server := dnstest.Start(t, "firma.example. MX 10 mx.firma.example.\n")
	for _, name := range []string{"_mta-sts.firma.example", "_smtp._tls.firma.example", "firma.example", "_25._tcp.mx.firma.example"} {
		server.Fail(name, dnstest.ServFail)
	}
	p := plan()
	check := announce.Checker{Plan: p, Resolver: server.Resolver(t, dns.Options{Attempts: 1}), Fetch: func(context.Context, string) (mtasts.Policy, error) {
		return mtasts.Policy{}, errors.New("x")
	}}
	all := append(check.Domain(t.Context(), "firma.example"), check.Host(t.Context(), announce.Host{Name: "mx.firma.example"}))
	if got := states(all); strings.Count(got, ": unknown") != 4 {
		t.Error(got)
	}
}

// Records of a host as they stand before, during and after a change of keys.
func TestCheckHost(t *testing.T) {
	load := func() (*x509.Certificate, string) {
		certFile, keyFile := smtptest.Certificate(t, "mx.firma.example")
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf, dane.Text(dane.Of(pair.Leaf, dane.UsageEE, dane.SelectorSPKI, dane.MatchSHA2_256))
	}
	now, nowRecord := load()
	next, nextRecord := load()
	_, oldRecord := load()
	whole := dane.Text(dane.Of(now, dane.UsageEE, dane.SelectorCert, dane.MatchSHA2_256))
	host := announce.Host{Name: "mx.firma.example", Chains: [][]*x509.Certificate{{now}}}
	changing := host
	changing.Next = [][]byte{next.RawSubjectPublicKeyInfo}
	for name, c := range map[string]struct {
		host    announce.Host
		records []string
		signed  bool
		want    announce.State
		remark  string
	}{
		"none":             {host, nil, true, announce.Missing, "signed by DNSSEC"},
		"not signed":       {host, []string{nowRecord}, false, announce.Unknown, "does not vouch"},
		"as it should be":  {host, []string{nowRecord}, true, announce.Right, ""},
		"of another":       {host, []string{oldRecord}, true, announce.Wrong, "deliver nothing"},
		"unusable":         {host, []string{"0 0 1 " + strings.Repeat("00", 32)}, true, announce.Wrong, "deliver nothing"},
		"whole":            {host, []string{whole}, true, announce.Right, "would go on fitting"},
		"old one too":      {host, []string{nowRecord, oldRecord}, true, announce.Right, "no certificate or key that is known"},
		"next is missing":  {changing, []string{nowRecord}, true, announce.Wrong, "only after twice its TTL"},
		"next is there":    {changing, []string{nowRecord, nextRecord}, true, announce.Right, ""},
		"next alone is in": {changing, []string{nextRecord}, true, announce.Wrong, "before anything else"},
	} {
		t.Run(name, func(t *testing.T) {
			zone := ""
			for _, r := range c.records {
				zone += "_25._tcp.mx.firma.example. TLSA " + r + "\n"
			}
			server := dnstest.Start(t, zone+"x.example. A 192.0.2.1\n")
			server.Authenticate(c.signed)
			check := announce.Checker{Resolver: server.Resolver(t, dns.Options{Attempts: 1, TrustAD: true})}
			f := check.Host(t.Context(), c.host)
			if f.State != c.want || !strings.Contains(f.Remark, c.remark) || c.remark == "" && f.Remark != "" || len(f.Found) != len(c.records) {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A certificate that senders do not believe is told before they are told to insist on it.
func TestCheckCertificate(t *testing.T) {
	certFile, keyFile := smtptest.Certificate(t, "mx.firma.example")
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(pair.Leaf)
	host := announce.Host{Name: "mx.firma.example", Chains: [][]*x509.Certificate{{pair.Leaf}}}
	other := host
	other.Name = "mx2.firma.example"
	late := func() time.Time { return pair.Leaf.NotAfter.Add(time.Hour) }
	for name, c := range map[string]struct {
		host   announce.Host
		roots  *x509.CertPool
		now    func() time.Time
		want   announce.State
		remark string
	}{
		"good":              {host, roots, nil, announce.Right, ""},
		"unknown authority": {host, x509.NewCertPool(), nil, announce.Wrong, "unknown authority"},
		"another name":      {other, roots, nil, announce.Wrong, "not mx2.firma.example"},
		"ended":             {host, roots, late, announce.Wrong, "expired"},
		"none":              {announce.Host{Name: "mx.firma.example"}, roots, nil, announce.Missing, "it has none"},
	} {
		f := announce.Checker{Now: c.now}.Certificate(c.host, c.roots)
		if f.State != c.want || !strings.Contains(f.Remark, c.remark) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}
