package main

import (
	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
	"github.com/siegel-mail/siegel/certs/vault"
)

// within finds and judges by the store of certificates together with the files of the folder; keys that lie elsewhere are in the vaults of
// a set.
func within(f *folder.Folder, brainpool bool, vaults *vault.Set) func(*store.Store) (certs.Finder, certs.Judge) {
	return func(kept *store.Store) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{
			Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f, Supports: certs.Supported(brainpool),
			KeySources: keySources(vaults),
		})
		return view, view.Judge()
	}
}
