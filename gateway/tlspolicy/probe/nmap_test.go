package probe_test

import (
	"encoding/xml"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/tlspolicy/probe"
)

// nmap has the suites of a server, for each version, as nmap's script ssl-enum-ciphers finds them.
func nmap(t testing.TB, addr string) map[string][]string {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tool(t, "nmap", "nmap"), "--unprivileged", "-Pn", "-n", "-p", port, "--script", "ssl-enum-ciphers", "-oX", "-", host)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nmap: %v\n%s", err, out)
	}
	type elem struct {
		Key  string `xml:"key,attr"`
		Text string `xml:",chardata"`
	}
	var report struct {
		Versions []struct {
			Key    string `xml:"key,attr"`
			Tables []struct {
				Key    string `xml:"key,attr"`
				Suites []struct {
					Elems []elem `xml:"elem"`
				} `xml:"table"`
			} `xml:"table"`
		} `xml:"host>ports>port>script>table"`
	}
	if err := xml.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, v := range report.Versions {
		version := strings.Replace(v.Key, "TLSv", "TLS", 1)
		for _, table := range v.Tables {
			if table.Key != "ciphers" {
				continue
			}
			for _, s := range table.Suites {
				for _, e := range s.Elems {
					if e.Key == "name" { // it has a name of its own for suites of TLS 1.3
						found[version] = append(found[version], strings.Replace(e.Text, "TLS_AKE_WITH_", "TLS_", 1))
					}
				}
			}
		}
		slices.Sort(found[version])
	}
	return found
}

// The probe and nmap find the same suites, version by version, on servers of several kinds.
func TestNmapAgrees(t *testing.T) {
	t.Parallel()
	const rsa = "-cert rsa.pem -key rsa.key "
	for name, start := range map[string]func(*testing.T) string{
		"OpenSSL, everything": func(t *testing.T) string {
			return openssl(t, rsa+"-dcert ec.pem -dkey ec.key -cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0")
		},
		"OpenSSL, as it comes": func(t *testing.T) string { return openssl(t, rsa) },
		"OpenSSL, one suite": func(t *testing.T) string {
			return openssl(t, rsa+"-tls1_2 -cipher ECDHE-RSA-AES256-SHA384 -groups P-521")
		},
		"OpenSSL, its order": func(t *testing.T) string { return openssl(t, rsa+"-serverpref -cipher HIGH") },
		"GnuTLS": func(t *testing.T) string {
			return gnutls(t, "NORMAL:+VERS-TLS1.0:+VERS-TLS1.1:+ARCFOUR-128", "--x509certfile=rsa.pem", "--x509keyfile=rsa.key", "--x509certfile=ec.pem", "--x509keyfile=ec.key")
		},
		"nginx": func(t *testing.T) string { return nginx(t, "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers HIGH:!aNULL;") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := start(t)
			found := nmap(t, addr)
			for _, v := range ask(t, addr, "", probe.Options{}).PerVersion {
				ours := slices.Clone(v.Suites)
				slices.Sort(ours)
				if theirs := found[v.Version]; !slices.Equal(ours, theirs) {
					t.Errorf("%s: the probe finds %s\nnmap %s", v.Version, ours, theirs)
				}
			}
			if len(found) == 0 {
				t.Error("nmap found nothing")
			}
		})
	}
}
