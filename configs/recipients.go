package configs

import (
	"bytes"
	"strings"
	"time"

	"github.com/siegel-mail/siegel/gateway/recipients"
)

// Recipients is which addresses of the company exist.
type Recipients struct {
	// A file with one address a line; `*@lists.firma.example` stands for every address of a domain, `#` begins a
	// comment. External listeners refuse what is not in it, but for the postmaster. It is read anew at a
	// reload and soon after it has changed.
	File Path `yaml:"file" example:"/etc/siegel/recipients"`
	// The name of a directory under `certificates.directories` that knows the addresses of the company. All of them are read at the
	// start and then as `every` says, and kept, so that they are known while the directory is away. Others are asked
	// for one by one; where that fails their mail is put off with 451. An address counts that is in the file or in the directory.
	Directory string `yaml:"directory" example:"company"`
	// How often all addresses of the directory are read.
	Every time.Duration `yaml:"every" default:"15m" min:"1m" max:"1d"`
	// For how long an address that nobody has is not asked for again.
	Unknown time.Duration `yaml:"unknown" default:"5m" min:"1s" max:"1h"`
	// The mark after which what stands before the @ is not part of the address: with `"+"`,
	// alice+orders@firma.example is alice@firma.example. Where it is absent there is none.
	Tag string `yaml:"tag" example:"\"+\""`
}

func (k *checker) recipients() {
	r := k.Recipients
	if strings.ContainsAny(r.Tag, "@ ") || len(r.Tag) > 4 {
		k.fail("recipients.tag", "this must be a mark as in \"+\"")
	}
	if r.File == "" && r.Directory != "" {
		return
	}
	if r.File == "" {
		for i, l := range k.Listeners {
			if l.Role == RoleExternal {
				k.warn(entryKey("listeners", l.Name, i), "it takes mail for addresses that nobody has, and the refusal of your mail server goes to senders that are often forged (backscatter); name under recipients a file with the addresses that exist, or the directory of the company")
				return
			}
		}
		return
	}
	text := k.file("recipients.file", r.File)
	if text == nil {
		return
	}
	list, faults := recipients.Parse(bytes.NewReader(text), r.Tag)
	for _, f := range faults {
		at := Origin{File: r.File.String(), Line: max(1, f.Line), Column: 1}
		k.report.add(Problem{Error, at, "recipients.file", f.Text})
	}
	if list == nil {
		return
	}
	if entry := list.Unserved(k.Domains); entry != "" {
		k.warn("recipients.file", "%s is in none of the domains, so no mail for it is taken; add its domain to domains, or remove the line", shorten(entry))
	}
}
