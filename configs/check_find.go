package configs

import (
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/policy"
)

// find judges where certificates are found, and how they are asked for.
func (k *checker) find() {
	f := k.Certificates.Find
	asked := map[string]bool{}
	for i, name := range f.Directories {
		folded := strings.ToLower(name)
		switch known := slices.ContainsFunc(k.Certificates.Directories, func(d Directory) bool { return strings.EqualFold(d.Name, name) }); {
		case !known:
			k.failMember("certificates.find.directories", i, "there is no directory %s in certificates.directories", shorten(name))
		case asked[folded]:
			k.failMember("certificates.find.directories", i, "%s stands here twice; it is asked once", shorten(name))
		}
		asked[folded] = true
	}
	if f.Ask.From == "" {
		return
	}
	from, err := mail.ParseAddress(f.Ask.From)
	switch {
	case err != nil:
		k.fail("certificates.find.ask.from", "this is no address%s", strings.TrimPrefix(err.Error(), mail.ErrAddress.Error()))
	case !k.Config.Domains.Match(from):
		k.fail("certificates.find.ask.from", "%s is none of the company's own addresses (domains), so that the answers would not come in through this gateway", shorten(f.Ask.From))
	}
}

// missing holds that whoever is to be asked can be, and is outside.
func (k *checker) missing(m policy.Missing, direction mail.Direction, dotted string) {
	switch {
	case m != policy.Ask:
	case direction == mail.Internal:
		k.fail(dotted, "who has no certificate within the company is not asked for one; remove this, or write refuse")
	case k.Certificates.Find.Ask.From == "":
		k.fail(dotted, "nobody can be asked without a sender; give certificates.find.ask.from an address of the company")
	}
}
