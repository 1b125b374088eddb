package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/siegel-mail/siegel/connectors/dmda"
)

// Place says where the parts of a world are that runs, or ran, beside its keys in a folder.
type Place struct {
	Note      string          `json:"note"` // that all is simulated
	Providers []PlaceProvider `json:"providers"`
	Profiles  []string        `json:"profiles"` // files in the folder
}

// PlaceProvider is one of its providers.
type PlaceProvider struct {
	Domain string `json:"domain"`
	URL    string `json:"url"`
}

// PlaceFile is the place's file.
const PlaceFile = "simulated.json"

// Place is where the world is. The profiles are its own in their order, kept in these files.
func (w *World) Place(profiles []string) Place {
	p := Place{Note: dmda.Simulation, Profiles: profiles}
	for _, one := range w.Providers {
		p.Providers = append(p.Providers, PlaceProvider{one.Domain, one.URL})
	}
	return p
}

// Write puts the place into a folder, in place of the one of an earlier world.
func (p Place) Write(dir string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, PlaceFile), append(text, '\n'), 0o600)
}

// ReadPlace reads it.
func ReadPlace(dir string) (Place, error) {
	var p Place
	text, err := readFile(dir, PlaceFile)
	if errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("there is no %s in %s; name the folder that siegel demail simulate was started with", PlaceFile, dir)
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil || len(p.Providers) != len(Companies()) || len(p.Profiles) == 0 {
		return p, fmt.Errorf("%s is none of siegel demail simulate", filepath.Join(dir, PlaceFile))
	}
	for _, name := range p.Profiles {
		if filepath.Base(name) != name {
			return p, fmt.Errorf("%s names a profile outside its folder", filepath.Join(dir, PlaceFile))
		}
	}
	return p, nil
}

// URLOf is where the provider of a company is.
func (p Place) URLOf(c Company) (string, error) {
	for _, one := range p.Providers {
		if one.Domain == c.Provider {
			return one.URL, nil
		}
	}
	return "", fmt.Errorf("%s has no provider %s", PlaceFile, c.Provider)
}
