//go:build !unix

package smartcard

import (
	"context"
	"os"
)

// Lock implements folder. QUIRK: systems without flock do not keep a second process out.
func (onDisk) Lock(ctx context.Context) (func(), error) { return func() {}, ctx.Err() }

// Sync implements folder. QUIRK: Windows cannot sync a folder; a name there is as durable as its journal.
func (onDisk) Sync() error { return nil }

func giveTo(*os.File, string) error { return nil }
