package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/configs"
	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// checkListener judges a listener by its profile and certificates; nobody is connected to.
func checkListener(config *configs.Config, l *configs.Listener, now time.Time) tlsCheck {
	row := tlsRow{Kind: "listener", Name: l.Name, Address: l.Address, Level: string(l.TLS.Mode)}
	if l.TLS.Mode == configs.TLSNone {
		return oneRow(row, func(_ context.Context, r *tlsRow) {
			r.judge(judgedNote, "mail comes in without TLS", "give it tls.certificate")
		})
	}
	row.Profile = l.TLS.Policy().Name
	return oneRow(row, func(_ context.Context, r *tlsRow) { judgeListener(r, config, l, now) })
}

func judgeListener(r *tlsRow, config *configs.Config, l *configs.Listener, now time.Time) {
	var pairs []tls.Certificate
	var leaves []*x509.Certificate
	for _, p := range l.TLS.Pairs() {
		pairs = append(pairs, p.Certificate)
		if p.Leaf != nil {
			leaves = append(leaves, p.Leaf)
		}
	}
	r.judge(judgedFits, "", "")
	for _, f := range l.TLS.Policy().JudgeListener(pairs) {
		if f.Broken {
			r.judge(judgedFails, f.Part+": "+f.Text, "give the listener another profile, or another certificate")
			return
		}
		r.judge(judgedNote, f.Part+": "+f.Text, "")
	}
	named := false
	for _, leaf := range leaves {
		named = named || leaf.VerifyHostname(config.Hostname) == nil
		if judgeEnd(r, leaf, now) {
			return
		}
	}
	if !named && r.Verdict == judgedFits {
		r.judge(judgedNote, "no certificate of it is for the gateway's own name, "+config.Hostname, "give it one; who verifies, as by MTA-STS, does not send mail otherwise")
	}
}

// judgeEnd says of a certificate of ours that it has expired, or will soon; over is set where nothing else counts any more.
func judgeEnd(r *tlsRow, leaf *x509.Certificate, now time.Time) (over bool) {
	const soon = 21 * 24 * time.Hour
	switch {
	case now.After(leaf.NotAfter):
		r.judge(judgedFails, "a certificate of it has expired on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it")
		return true
	case leaf.NotAfter.Sub(now) < soon:
		r.judge(judgedNote, "a certificate of it ends on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it")
	}
	return false
}

// checkDirectory has a row for each server of a directory.
func checkDirectory(config *configs.Config, d *configs.Directory, o probe.Options) []tlsCheck {
	profile, _ := config.TLS.Profile(d.TLS.Profile)
	var all []tlsCheck
	for _, server := range d.Servers {
		row := tlsRow{Kind: "directory", Name: d.Name, Address: server, Level: string(configs.RouteTLSVerified)}
		u, err := url.Parse(server)
		switch {
		case err != nil || u.Scheme == "ldapi":
			row.Level = ""
			all = append(all, oneRow(row, func(_ context.Context, r *tlsRow) { r.judge(judgedFits, "", "") })) // no network
			continue
		case u.Scheme == "ldap" && !d.StartTLS:
			row.Level = string(configs.RouteTLSNone)
			all = append(all, oneRow(row, func(_ context.Context, r *tlsRow) {
				r.judge(judgedNote, "it is asked without TLS, so that what it says may be forged on the way", "write ldaps://, or set starttls")
			}))
			continue
		}
		row.Profile = profile.Name
		target, err := probe.ParseTarget(withPort(u, map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]), probe.LDAP, u.Scheme == "ldaps")
		target.Implicit = u.Scheme == "ldaps"
		all = append(all, oneRow(row, judgeConfig(target, err, o, d.LDAP().TLS)))
	}
	return all
}

// checkVault has a row for each node of a vault.
func checkVault(v *configs.Vault, o probe.Options) []tlsCheck {
	var all []tlsCheck
	for _, address := range v.Addresses {
		row := tlsRow{Kind: "vault", Name: v.Name, Address: address, Profile: v.Policy().Name, Level: string(configs.RouteTLSVerified)}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" {
			row.Level, row.Profile = string(configs.RouteTLSNone), ""
			all = append(all, oneRow(row, func(_ context.Context, r *tlsRow) { r.judge(judgedFits, "", "") })) // an agent on this machine
			continue
		}
		config := v.Policy().ClientConfig()
		config.RootCAs = v.Roots()
		if pair := v.Client(); pair != nil {
			config.Certificates = []tls.Certificate{*pair}
		}
		target, err := probe.ParseTarget(withPort(u, "443"), probe.HTTPS, true)
		all = append(all, oneRow(row, judgeConfig(target, err, o, config)))
	}
	return all
}

func withPort(u *url.URL, port string) string {
	if p := u.Port(); p != "" {
		port = p
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// judgeConfig shakes hands as the packages do that are given a configuration of crypto/tls.
func judgeConfig(target probe.Target, err error, o probe.Options, config *tls.Config) func(context.Context, *tlsRow) {
	config = config.Clone()
	if host, _, err := net.SplitHostPort(target.Address); err == nil && config.ServerName == "" {
		config.ServerName = host
	}
	return func(ctx context.Context, r *tlsRow) {
		if err != nil {
			r.judge(judgedFails, err.Error(), "")
			return
		}
		state, err := probe.Shake(ctx, target, o, func(ctx context.Context, raw net.Conn) (net.Conn, tlspolicy.State, error) {
			asked := false
			own := config.Clone()
			own.GetClientCertificate = showing(&asked, config.Certificates)
			conn := tls.Client(raw, own)
			if err := conn.HandshakeContext(ctx); err != nil {
				return nil, tlspolicy.State{}, err
			}
			state := tlspolicy.StateOf(conn.ConnectionState(), false)
			state.Asked = asked
			return conn, state, nil
		})
		judgeShake(r, target, state, err)
	}
}

// showing notes that the server asked, and shows the first certificate that it takes.
func showing(asked *bool, pairs []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(q *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		*asked = true
		for i := range pairs {
			if q.SupportsCertificate(&pairs[i]) == nil {
				return &pairs[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
}

// judgeShake is the verdict on a handshake.
func judgeShake(r *tlsRow, target probe.Target, state tlspolicy.State, err error) {
	var policy *tlspolicy.Error
	if errors.As(err, &policy) && state.Version == 0 {
		state = policy.State
	}
	if state.Version != 0 {
		r.Negotiated = state.String()
	}
	if err == nil {
		r.judge(judgedFits, "", "")
		return
	}
	p := probe.Explain(err, target)
	remedy := p.Remedy
	if !strings.Contains(remedy, "siegel tls probe") {
		remedy = strings.TrimPrefix(remedy+"; "+probeCommand(target)+" tells more", "; ")
	}
	r.judge(judgedFails, p.Text, remedy)
}

// probeCommand is the command that asks a server for more.
func probeCommand(t probe.Target) string {
	command := "siegel tls probe"
	if t.Protocol != probe.Plain {
		command += " --" + string(t.Protocol)
	}
	if t.Implicit && t.Protocol != probe.HTTPS && t.Protocol != probe.Plain {
		command += " --implicit"
	}
	return command + " " + t.Address
}
