package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/siegel-mail/siegel/connectors/dmda"
	"github.com/siegel-mail/siegel/connectors/dmda/rehearsal"
)

// snippetFile is the part of a configuration that siegel demail simulate writes.
const snippetFile = "siegel-demail.yaml"

// demailSnippet is the section demail for a gateway of the first company, by the first profile.
func demailSnippet(dir string, world *rehearsal.World, files []string, tls rehearsal.TLS) []byte {
	company := rehearsal.Companies()[0]
	path := func(name string) string { return fmt.Sprintf("%q", filepath.Join(dir, name)) }
	var out strings.Builder
	fmt.Fprintf(&out, "# %s\n#\n", dmda.Simulation)
	out.WriteString("# Written by siegel demail simulate for a rehearsal. Put it into the configuration of a gateway that is not the company's real one, and let it be judged:\n")
	out.WriteString("# siegel config check. \"fallback\" has to be an address of yours.\ndemail:\n  accounts:\n")
	out.WriteString("    - name: simulated\n")
	fmt.Fprintf(&out, "      profile: %s\n", path(files[0]))
	for _, other := range files[1:] {
		fmt.Fprintf(&out, "      # or: profile: %s\n", path(other))
	}
	fmt.Fprintf(&out, "      url: %s\n      account: %s\n      user: %s\n      password: {file: %s}\n      tls:\n", world.Providers[0].URL, company.Name, company.Name, path(rehearsal.PasswordFile(company.Name)))
	if tls.Nginx != "" {
		out.WriteString("        profile: de-mail-legacy\n")
	}
	fmt.Fprintf(&out, "        ca: %s\n        client_certificate: %s\n        client_key: %s\n", path(rehearsal.RootsFile),
		path(rehearsal.CertificateFile(company.Name)), path(rehearsal.KeyFile(company.Name)))
	out.WriteString("        # With a card, whose certificate simulate was given, in place of the last two: client_key: \"card:NAME\"\n")
	out.WriteString("      level: high\n      entitled: [dispatch, receipt, authoritative, private]\n      fetch: {every: 10s}\n")
	fmt.Fprintf(&out, "  senders:\n    - name: everybody\n      address: \"{local}@%s\"\n", company.Domain)
	fmt.Fprintf(&out, "  anchors: [%s]\n", path(rehearsal.AnchorsFile))
	fmt.Fprintf(&out, "  incoming:\n    mark_subject: {verified: \"[SIMULATED De-Mail]\", intact: \"[SIMULATED De-Mail, not signed]\", unverified: \"[SIMULATED De-Mail, not verified]\"}\n    # fallback: you@your-domain.example\n")
	return []byte(out.String())
}
