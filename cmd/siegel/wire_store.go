package main

import (
	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
)

// within finds and judges by the store of certificates together with the files of the folder.
func within(f *folder.Folder, brainpool bool) func(*store.Store) (certs.Finder, certs.Judge) {
	return func(kept *store.Store) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{
			Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f, Supports: certs.Supported(brainpool),
		})
		return view, view.Judge()
	}
}
