package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/tlspolicy"
	"github.com/siegel-mail/siegel/internal/tlsnames"
)

// tlsListCmd says what this build speaks, and which profile allows it.
type tlsListCmd struct {
	Config string `short:"c" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration file, whose own profiles are listed too."`
	JSON   bool   `name:"json" help:"Write JSON."`
}

// spoken is one thing that this build speaks.
type spoken struct {
	Name     string           `json:"name"`
	OpenSSL  string           `json:"openssl,omitempty"`
	Number   string           `json:"number"`
	Versions []string         `json:"versions,omitempty"` // of a suite or group
	Engine   tlspolicy.Engine `json:"engine"`
	Note     string           `json:"note,omitempty"`
	Profiles []string         `json:"profiles"` // that allow it
}

// tlsList is the answer as JSON.
type tlsList struct {
	Versions []spoken         `json:"versions"`
	Suites   []spoken         `json:"suites"`
	Groups   []spoken         `json:"groups"`
	Profiles []profileSummary `json:"profiles"`
}

// profileSummary is a profile and what of it is not held.
type profileSummary struct {
	Name              string                      `json:"name"`
	Engine            tlspolicy.Engine            `json:"engine"`
	MinRSA            int                         `json:"minRSA"`
	MinEC             int                         `json:"minEC"`
	Resumption        bool                        `json:"resumption"`
	ClientCertificate tlspolicy.ClientCertificate `json:"clientCertificate,omitempty"`
	Remarks           []string                    `json:"remarks"`
}

// Run writes the lists to standard output.
func (c *tlsListCmd) Run(k *kong.Kong) error {
	var profiles []tlspolicy.Profile
	if c.Config != "" {
		config, _, err := configFile{c.Config}.load(k)
		if err != nil {
			return err
		}
		profiles = config.TLS.All()
	} else {
		for _, name := range tlspolicy.Builtins() {
			p, _ := tlspolicy.Builtin(name)
			profiles = append(profiles, p)
		}
	}
	list := newTLSList(profiles)
	if c.JSON {
		out := json.NewEncoder(k.Stdout)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(list)
	}
	return list.print(k.Stdout)
}

func newTLSList(profiles []tlspolicy.Profile) tlsList {
	var list tlsList
	allow := func(may func(tlspolicy.Profile) bool) []string {
		names := []string{}
		for _, p := range profiles {
			if may(p) {
				names = append(names, p.Name)
			}
		}
		return names
	}
	for v := tlsnames.TLS10; v <= tlsnames.TLS13; v++ {
		one := spoken{Name: tlsnames.VersionName(v), Number: fmt.Sprintf("0x%04X", v), Engine: tlspolicy.CryptoTLS,
			Profiles: allow(func(p tlspolicy.Profile) bool { return slices.Contains(p.Versions(), v) })}
		if v < tlsnames.TLS12 {
			one.Note = "broken (RFC 8996)"
		}
		list.Versions = append(list.Versions, one)
	}
	for _, id := range tlspolicy.Speaks() {
		s, _ := tlsnames.LookupSuite(id)
		list.Suites = append(list.Suites, spoken{Name: s.Name, OpenSSL: s.OpenSSL, Number: fmt.Sprintf("0x%04X", id), Versions: suiteVersions(s),
			Engine: tlspolicy.SpeaksSuite(id), Note: suiteNote(s), Profiles: allow(func(p tlspolicy.Profile) bool { return p.Allows(id) })})
	}
	for _, id := range tlspolicy.SpeaksGroups() {
		g, _ := tlsnames.LookupGroup(uint16(id))
		one := spoken{Name: g.Name, Number: fmt.Sprintf("0x%04X", uint16(id)), Versions: []string{"TLS1.2", "TLS1.3"}, Engine: tlspolicy.CryptoTLS,
			Profiles: allow(func(p tlspolicy.Profile) bool { return p.AllowsGroup(id) })}
		if g.TLS13 {
			one.Versions = one.Versions[1:]
		}
		if g.Hybrid {
			one.Note = "with ML-KEM"
		}
		list.Groups = append(list.Groups, one)
	}
	for _, p := range profiles {
		list.Profiles = append(list.Profiles, summary(p))
	}
	return list
}

func summary(p tlspolicy.Profile) profileSummary {
	s := profileSummary{Name: p.Name, Engine: p.Engine(), MinRSA: p.MinRSA, MinEC: p.MinEC, Resumption: p.Resumption, ClientCertificate: p.ClientCertificate, Remarks: []string{}}
	for _, f := range p.Judge() {
		s.Remarks = append(s.Remarks, f.Text)
	}
	return s
}

// suiteVersions are those in which a suite is spoken.
func suiteVersions(s tlsnames.Suite) []string {
	switch {
	case s.TLS13():
		return []string{"TLS1.3"}
	case s.TLS12():
		return []string{"TLS1.2"}
	}
	return []string{"TLS1.0", "TLS1.1", "TLS1.2"}
}

// suiteNote is what somebody who chooses should know.
func suiteNote(s tlsnames.Suite) string {
	switch {
	case tlspolicy.SpeaksSuite(s.ID) == tlspolicy.UTLS:
		return "to others only, for a profile without other suites"
	case s.TLS13():
		return "always offered where TLS1.3 is"
	case !s.ForwardSecret():
		return "no forward secrecy"
	case !s.AEAD() && slices.ContainsFunc(tls.InsecureCipherSuites(), func(c *tls.CipherSuite) bool { return c.ID == s.ID }):
		return "insecure"
	case !s.AEAD():
		return "CBC"
	}
	return ""
}

// print writes the lists as tables.
func (l tlsList) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROFILE\tSPOKEN BY\tRSA FROM\tEC FROM\tRESUMPTION\tCLIENT CERTIFICATE")
	for _, p := range l.Profiles {
		resumption, client := "no", "optional"
		if p.Resumption {
			resumption = "yes"
		}
		if p.ClientCertificate != "" {
			client = string(p.ClientCertificate)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\t%s\n", p.Name, p.Engine, p.MinRSA, p.MinEC, resumption, client)
	}
	for _, part := range []struct {
		head string
		rows []spoken
	}{{"VERSION", l.Versions}, {"CIPHER SUITE", l.Suites}, {"GROUP", l.Groups}} {
		fmt.Fprintf(table, "\n%s\tSPOKEN BY\tIN\tPROFILES\tNOTE\n", part.head)
		for _, s := range part.rows {
			profiles := strings.Join(s.Profiles, ", ")
			if profiles == "" {
				profiles = "-"
			}
			fmt.Fprintln(table, strings.TrimRight(strings.Join([]string{s.Name, string(s.Engine), strings.Join(s.Versions, " "), profiles, s.Note}, "\t"), "\t"))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range l.Profiles {
		for _, r := range p.Remarks {
			if _, err := fmt.Fprintf(w, "\n%s: %s.", p.Name, r); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}
