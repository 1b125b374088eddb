package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/siegel-mail/siegel/smartcard/pcsc"
)

// MaxFileSize bounds a configuration file, and each file it names.
const MaxFileSize = 16 << 20

// Options are what a configuration depends on besides its file. The zero Options are those of the running
// process.
type Options struct {
	// Environ is the environment as os.Environ gives it; nil: that of the process.
	Environ []string
	// Now is the time at which certificates must be valid; nil: time.Now.
	Now func() time.Time
	// CanBind says whether a port may be opened by the user the gateway runs as; nil: whether this process may.
	CanBind func(port int) bool
	// ResolvConf is where the resolvers stand where the file names none; empty: /etc/resolv.conf.
	ResolvConf string
	// PCSC says whether this program can reach smart cards; nil: whether it was built with PC/SC.
	PCSC func() bool
}

func (o Options) withDefaults() Options {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CanBind == nil {
		o.CanBind = processCanBind
	}
	if o.PCSC == nil {
		o.PCSC = func() bool { return pcsc.Available }
	}
	return o
}

// Load reads a configuration file and judges it, with the files it names and the environment. The
// configuration is nil exactly where the problems hold an error. Load changes nothing and opens no port;
// calls are independent of each other.
func Load(file string, o Options) (*Config, Problems) {
	text, err := readFile(file)
	if err != nil {
		at := Origin{File: file, Line: 1, Column: 1}
		return nil, Problems{{Error, at, "", fileTrouble(err) + "; name the configuration file, or start from the example siegel.yaml"}}
	}
	return Parse(file, text, o)
}

// Parse is [Load] for a text that is already in memory; file is its name in problems, and the folder of
// file is where relative paths in it begin.
func Parse(file string, text []byte, o Options) (*Config, Problems) {
	o = o.withDefaults()
	r := newReport()
	c := &Config{file: file, origins: map[string]Origin{}, options: Options{Now: o.Now, CanBind: o.CanBind, ResolvConf: o.ResolvConf, PCSC: o.PCSC}}
	if root := parseYAML(file, text, r); root != nil && isMapping(file, root, r) {
		d := newDecoder(file, newEnvironment(o.Environ), r, c.origins)
		d.vaulted = &c.vaulted
		d.config(c, root)
		finish(c, d)
		check(c, o, d)
		d.env.reportUnknown(r)
	}
	problems := r.sorted(file)
	if r.count[Error] > 0 {
		return nil, problems
	}
	return c, problems
}

// isMapping holds that the file begins with a key.
func isMapping(file string, root *yaml.Node, r *report) bool {
	if root.Kind != yaml.MappingNode && !isNull(root) {
		at := Origin{File: file, Line: root.Line, Column: root.Column}
		r.add(Problem{Error, at, "", "the file must hold keys with values, as in hostname: mail.firma.example"})
		return false
	}
	return true
}

// File is the name of the file c was read from.
func (c *Config) File() string { return c.file }

// parseYAML returns the root of the only document in text, or nil after reporting why there is none.
func parseYAML(file string, text []byte, r *report) *yaml.Node {
	if p, bad := badBytes(file, text); bad {
		r.add(p)
		return nil
	}
	var document, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&document)
	if err == nil {
		if err = d.Decode(&second); err == nil {
			at := Origin{File: file, Line: second.Line, Column: second.Column}
			r.add(Problem{Error, at, "", "a second document begins here; the file must hold one, remove the line ---"})
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		r.add(syntaxProblem(file, text, err))
		return nil
	}
	if document.Kind == 0 { // nothing but comments
		return &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	}
	return document.Content[0]
}

// readFile reads a regular file of a size that can be meant.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotAFile
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxFileSize {
		return nil, errTooLarge
	}
	return text, nil
}

var (
	errNotAFile = errors.New("this is not a file")
	errTooLarge = errors.New("the file is too large")
)

// fileTrouble says in plain words, without the path, why a file cannot be read.
func fileTrouble(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the file may not be read by the user this runs as (uid %d)", os.Getuid())
	}
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return "the file cannot be read: " + err.Error()
}

// absolute is name as seen from the folder of the file that names it.
func absolute(file, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		dir = filepath.Dir(file)
	}
	return filepath.Join(dir, name)
}
