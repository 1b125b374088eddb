//go:build !unix

package pickup

import "io/fs"

// attributesOf knows nothing here, so no file is taken.
func attributesOf(fs.FileInfo) (attributes, bool) { return attributes{}, false }
