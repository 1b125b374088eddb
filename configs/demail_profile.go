package configs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"

	"github.com/siegel-mail/siegel/connectors/webservice"
)

// shippedProfiles are the profiles that come with the program.
//
//go:embed connectors/*.yaml
var shippedProfiles embed.FS

// ShippedProfiles names the profiles that come with the program. They are models, not descriptions of a provider.
func ShippedProfiles() []string { return []string{"mentana", "t-systems"} }

// ProfileFile is the file of a profile of a provider's web service, or the name of one that comes with the program.
type ProfileFile string

// Shipped returns the name of a profile that comes with the program; false: it is a file.
func (p ProfileFile) Shipped() (string, bool) {
	return string(p), slices.Contains(ShippedProfiles(), string(p))
}

// Path is the file; none where the profile comes with the program.
func (p ProfileFile) Path() Path {
	if _, ok := p.Shipped(); ok {
		return ""
	}
	return Path(p)
}

// Text is what the profile says.
func (p ProfileFile) Text() ([]byte, error) {
	name, ok := p.Shipped()
	if !ok {
		return readFile(string(p))
	}
	text, err := shippedProfiles.ReadFile("connectors/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("the profile %s is not part of this program: %w", name, err)
	}
	return text, nil
}

// Load reads the profile. An error that concerns what it says is a *webservice.ProfileError.
func (p ProfileFile) Load() (*webservice.Profile, error) {
	text, err := p.Text()
	if err != nil {
		return nil, err
	}
	return webservice.Load(bytes.NewReader(text), string(p))
}

// serviceProfile reads the profile of an account; nil where it cannot be used. What is wrong in it is reported with its own lines.
func (k *checker) serviceProfile(dotted string, p ProfileFile) *webservice.Profile {
	profile, err := p.Load()
	if wrong, ok := errors.AsType[*webservice.ProfileError](err); ok {
		for _, one := range wrong.Problems {
			at := Origin{File: string(p), Line: max(1, one.Line), Column: 1}
			text := one.Text
			if one.Key != "" {
				text = one.Key + ": " + text
			}
			k.report.add(Problem{Error, at, dotted, text})
		}
		return nil
	}
	if err != nil {
		k.fail(dotted, "%s: %s; the profiles that come with Siegel are t-systems and mentana", shorten(string(p)), fileTrouble(err))
		return nil
	}
	return profile
}
