package main

import (
	"github.com/siegel-mail/siegel/certs"
	"github.com/siegel-mail/siegel/certs/folder"
	"github.com/siegel-mail/siegel/certs/store"
)

// within finds and judges by the store of certificates together with the files of the folder, and asks which certificates are revoked;
// keys that lie elsewhere are in some sources. Policies are asked of every path.
func within(f *folder.Folder, policies certs.Policies, brainpool bool, sources map[string]store.KeySource) func(*store.Store, certs.Revocation) (certs.Finder, certs.Judge) {
	return func(kept *store.Store, revoked certs.Revocation) (certs.Finder, certs.Judge) {
		view := kept.Within(store.Surroundings{
			Anchors: f.Anchors(), Intermediates: f.Intermediates(), Shelf: f, Revocation: revoked, Supports: certs.Supported(brainpool),
			KeySources: sources, Adjust: func(v *certs.Validator) *certs.Validator { return v.WithPolicies(policies) },
		})
		return view, view.Judge()
	}
}
