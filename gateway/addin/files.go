package addin

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// The bounds of what is served as files.
const (
	maxFiles = 500
	maxBytes = 32 << 20
)

// types are the media types of what may be served. A file of another kind is a fault of who made it.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8",
	".xml": "application/xml", ".zip": "application/zip", ".woff2": "font/woff2", ".map": "application/json", ".md": "text/plain; charset=utf-8",
}

// file is one file that is served.
type file struct {
	kind string
	etag string
	body []byte
}

// site are the files that are served, by path.
type site map[string]file

// add takes a file.
func (s site) add(at string, body []byte) error {
	kind, ok := types[strings.ToLower(path.Ext(at))]
	if !ok {
		return fmt.Errorf("addin: the file %s is of a kind that is not served", at)
	}
	sum := sha256.Sum256(body)
	s[at] = file{kind, `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`, body}
	return nil
}

// newSite reads the files of the add-in, and documents with paths of their own.
func newSite(files fs.FS, documents map[string][]byte) (site, error) {
	s, size := site{}, 0
	if files != nil {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			body, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			if size += len(body); size > maxBytes || len(s) >= maxFiles {
				return fmt.Errorf("addin: the files of the add-in are too many, or too large")
			}
			return s.add(Root+name, body)
		})
		if err != nil {
			return nil, err
		}
	}
	for at, body := range documents {
		if err := s.add(at, body); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// serve answers with a file. Whoever has it asks whether it is still the same: a new version of the gateway has new pages at once.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}
