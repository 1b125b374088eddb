package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
	"github.com/siegel-mail/siegel/internal/freeport"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// The listeners of the running program, judged by nmap and by the probe: they accept exactly what their profile has, of what crypto/tls speaks, by
// TLS from the first byte and by STARTTLS.
func TestTLSListenersJudged(t *testing.T) {
	nmap, err := exec.LookPath("nmap")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("nmap is needed: apt-get install nmap")
		}
		t.Skip("nmap is needed: apt-get install nmap")
	}
	dir := t.TempDir()
	for _, line := range []string{"-newkey rsa:3072 -keyout rsa.key -out rsa.pem", "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout ec.key -out ec.pem"} {
		cmd := exec.Command("openssl", append(strings.Fields("req -x509 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1"), strings.Fields(line)...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	own := tlspolicy.Profile{Name: "own", MinVersion: 0x0301, MaxVersion: 0x0303, Suites: []uint16{0xc013, 0xc02c, 0x002f}}
	own.Groups = []tls.CurveID{tls.CurveP256, tls.CurveP521} // a key on P-256 is of use with that group alone
	profiles := []tlspolicy.Profile{own}
	for _, name := range tlspolicy.Builtins() {
		if p, _ := tlspolicy.Builtin(name); p.Engine() == tlspolicy.CryptoTLS {
			profiles = append(profiles, p)
		}
	}
	var listeners strings.Builder
	addrs := map[string][2]string{} // implicit, STARTTLS
	for _, p := range profiles {
		addrs[p.Name] = [2]string{freeport.Address(t), freeport.Address(t)}
		for i, mode := range []string{"implicit", "starttls"} {
			fmt.Fprintf(&listeners, "  - {name: %s-%s, address: %q, role: external, tls: {mode: %[2]s, profile: %[1]s, certificate: %[4]s/rsa.pem, key: %[4]s/rsa.key, certificates: [{certificate: %[4]s/ec.pem, key: %[4]s/ec.key}]}}\n",
				p.Name, mode, addrs[p.Name][i], dir)
		}
	}
	file := writeTLS(t, dir, `admin: {socket: `+dir+`/run/control.sock}
tls: {profiles: [{name: own, inherit: compatible, versions: [TLS1.0, TLS1.1, TLS1.2], suites: [ECDHE-RSA-AES128-SHA, ECDHE-ECDSA-AES256-GCM-SHA384, AES128-SHA], groups: [P-256, P-521]}]}
routes: [{name: ex, domains: "*", hosts: [ex.firma.example]}]
certificates: {folder: `+dir+`/certificates}
listeners:
`+listeners.String())
	startSiegel(t, file, addrs)
	for _, p := range profiles {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			want := speaks(p)
			got := nmapSuites(t, nmap, addrs[p.Name][0])
			if !p.Allows(tls.TLS_CHACHA20_POLY1305_SHA256) && got["TLS1.3"] == nil {
				// nmap offers ChaCha20 before AES, which crypto/tls takes for a client without AES: it would choose ChaCha20, so the
				// listener speaks TLS 1.2 with such a client.
				got["TLS1.3"] = want["TLS1.3"]
			}
			if p.MaxVersion < 0x0304 {
				delete(got, "TLS1.3")
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("nmap finds %v\nthe profile has %v", got, want)
			}
			for i, implicit := range []bool{true, false} {
				target, err := probe.ParseTarget(addrs[p.Name][i], probe.SMTP, implicit)
				if err != nil {
					t.Fatal(err)
				}
				r := probe.Probe(t.Context(), target, probe.Options{Timeout: 5 * time.Minute, Patience: time.Minute})
				got := map[string][]string{}
				for _, v := range r.PerVersion {
					if v.Accepted {
						got[v.Version] = slices.Sorted(slices.Values(v.Suites))
					}
				}
				var groups []string
				for _, g := range p.Groups {
					if tlspolicy.SpeaksGroup(g) {
						groups = append(groups, tlsnames.GroupName(uint16(g)))
					}
				}
				slices.Sort(groups)
				if found := slices.Sorted(slices.Values(r.Accepted.Groups)); fmt.Sprint(got) != fmt.Sprint(want) || !slices.Equal(found, groups) || r.Problem != nil {
					t.Errorf("the probe finds %v, %v\nthe profile has %v, %v\n%+v", got, found, want, groups, r.Problem)
				}
			}
		})
	}
}

// speaks is, for each version of a profile, what crypto/tls speaks of it with a certificate for RSA and one for ECDSA.
func speaks(p tlspolicy.Profile) map[string][]string {
	all := map[string][]string{}
	for _, version := range p.Versions() {
		var suites []string
		for _, id := range p.Suites {
			s, _ := tlsnames.LookupSuite(id)
			if tlspolicy.SpeaksSuite(id) == tlspolicy.CryptoTLS && s.TLS13() == (version == 0x0304) && (!s.TLS12() || version >= 0x0303) {
				suites = append(suites, s.Name)
			}
		}
		all[tlsnames.VersionName(version)] = slices.Sorted(slices.Values(suites))
	}
	return all
}

// startSiegel runs the program until the test ends, and returns when it listens.
func startSiegel(t *testing.T, file string, addrs map[string][2]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "siegel", "serve", "-c", file)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if t.Failed() {
			t.Logf("%.4000s", log.String())
		}
	})
	deadline := time.Now().Add(time.Minute)
	for _, pair := range addrs {
		for _, addr := range pair {
			for {
				c, err := net.DialTimeout("tcp", addr, time.Second)
				if err == nil {
					c.Close()
					break
				}
				select {
				case <-ended:
					t.Fatalf("siegel ended: %s", log.String())
				case <-time.After(20 * time.Millisecond):
				}
				if time.Now().After(deadline) {
					t.Fatalf("siegel does not listen at %s", addr)
				}
			}
		}
	}
}

// nmapSuites are the suites of each version that nmap's script ssl-enum-ciphers finds.
func nmapSuites(t *testing.T, nmap, addr string) map[string][]string {
	t.Helper()
	host, port, _ := net.SplitHostPort(addr)
	out, err := exec.CommandContext(t.Context(), nmap, "--unprivileged", "-Pn", "-n", "-p", port, "--script", "+ssl-enum-ciphers", "-oX", "-", host).Output()
	if err != nil {
		t.Fatalf("nmap: %v\n%s", err, out)
	}
	type elem struct {
		Key  string `xml:"key,attr"`
		Text string `xml:",chardata"`
	}
	type table struct {
		Key    string  `xml:"key,attr"`
		Tables []table `xml:"table"`
		Elems  []elem  `xml:"elem"`
	}
	var report struct {
		Versions []table `xml:"host>ports>port>script>table"`
	}
	if err := xml.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, v := range report.Versions {
		var suites []string
		for _, list := range v.Tables {
			for _, suite := range list.Tables {
				for _, e := range suite.Elems {
					if e.Key == "name" { // it has names of its own for suites of TLS 1.3
						suites = append(suites, strings.Replace(e.Text, "TLS_AKE_WITH_", "TLS_", 1))
					}
				}
			}
		}
		found[strings.Replace(v.Key, "TLSv", "TLS", 1)] = slices.Sorted(slices.Values(suites))
	}
	return found
}
