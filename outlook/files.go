package outlook

import (
	"bytes"
	"io"
	"io/fs"
)

// placed are the files of the add-in, with a launch.js that knows its address. It can be used by many at once.
type placed struct {
	fs.FS
	script []byte
}

// Open opens a file.
func (p placed) Open(name string) (fs.File, error) {
	f, err := p.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if d, ok := f.(fs.ReadDirFile); ok && name == "." {
		return root{d, int64(len(p.script))}, nil
	}
	if name != launchScript {
		return f, nil
	}
	info, err := f.Stat()
	f.Close()
	if err != nil {
		return nil, err
	}
	return &scriptFile{bytes.NewReader(p.script), scriptInfo{info, int64(len(p.script))}}, nil
}

// root is the folder that has launch.js, which is as large as it is with its address.
type root struct {
	fs.ReadDirFile
	size int64
}

// ReadDir lists it.
func (r root) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := r.ReadDirFile.ReadDir(n)
	for i, e := range entries {
		if e.Name() != launchScript {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		entries[i] = fs.FileInfoToDirEntry(scriptInfo{info, r.size})
	}
	return entries, err
}

// scriptFile is an open launch.js. It can be read from anywhere, as servers want.
type scriptFile struct {
	*bytes.Reader
	info scriptInfo
}

var _ io.ReadSeeker = (*scriptFile)(nil)

// Stat tells its size.
func (f *scriptFile) Stat() (fs.FileInfo, error) { return f.info, nil }

// Close does nothing.
func (f *scriptFile) Close() error { return nil }

// scriptInfo is what is known of launch.js.
type scriptInfo struct {
	fs.FileInfo
	size int64
}

// Size is that of the script with its address.
func (i scriptInfo) Size() int64 { return i.size }
