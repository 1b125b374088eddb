package configs

import (
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/siegel-mail/siegel/internal/secret"
	"go.yaml.in/yaml/v3"
)

// secretSource is what stands in place of a secret.
type secretSource struct {
	// The file that holds the secret; one line break at its end does not belong to it.
	File Path `yaml:"file"`
	// The environment variable that holds the secret.
	Env string `yaml:"env"`
	// The secret in a vault, as NAME:PATH#FIELD.
	Vault string `yaml:"vault"`
}

// ways counts the sources that were given.
func (s secretSource) ways() int {
	n := 0
	for _, given := range []bool{s.File != "", s.Env != "", s.Vault != ""} {
		if given {
			n++
		}
	}
	return n
}

var secretSourceType = reflect.TypeFor[secretSource]()

// maxSecret bounds a secret.
const maxSecret = 64 << 10

// secret fills a secret: from the environment variable of its key, from the file, variable or vault that the
// configuration names, or from the configuration itself.
func (d *decoder) secret(v reflect.Value, f *field, n *yaml.Node, k key) {
	if text, ok := d.variable(k); ok {
		d.setSecret(v, text, Origin{Env: k.env}, k)
		return
	}
	if !isNull(n) && n.Kind == yaml.ScalarNode {
		d.inlineSecret(v, f, n, k)
		return
	}
	var from secretSource
	errorsBefore := d.report.count[Error]
	d.section(reflect.ValueOf(&from).Elem(), nil, n, k)
	switch {
	case d.report.count[Error] > errorsBefore:
		d.report.failed[k.dotted] = true
	case from.ways() > 1:
		d.failSecret(k, "give one of file, env and vault")
	case from.File != "":
		d.secretFile(v, from.File, k)
	case from.Env != "":
		d.secretVariable(v, from.Env, k)
	case from.Vault != "":
		d.secretInVault(v, from.Vault, k)
	case f.required || !isNull(n):
		d.missing(f, k)
	}
}

func (d *decoder) setSecret(v reflect.Value, text string, at Origin, k key) {
	v.Set(reflect.ValueOf(secret.New(text)))
	d.origins[k.dotted] = at
}

func (d *decoder) inlineSecret(v reflect.Value, f *field, n *yaml.Node, k key) {
	w, ok := d.scalar(n, k)
	if !ok {
		return
	}
	if !f.inline {
		text := "a secret stands here for every reader of this file; put it into a file of its own and write {file: PATH}, {env: NAME} or {vault: \"NAME:PATH#FIELD\"}"
		d.report.add(Problem{Warning, w.at, k.dotted, text})
	}
	d.setSecret(v, w.text, w.at, k)
}

func (d *decoder) secretFile(v reflect.Value, file Path, k key) {
	at := nearest(d.origins, k.dotted+".file")
	text, err := readFile(file.String())
	secretText := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case err != nil:
		d.failSecret(k, shorten(file.String())+": "+fileTrouble(err))
		return
	case secretText == "":
		d.failSecret(k, shorten(file.String())+": the file is empty; write the secret into it")
		return
	case len(secretText) > maxSecret:
		d.failSecret(k, shorten(file.String())+": the file is too large for a secret")
		return
	}
	if info, err := os.Stat(file.String()); err == nil && info.Mode().Perm()&0o007 != 0 {
		text := shorten(file.String()) + ": every user of this machine may read or change this secret; run chmod o= on it"
		d.report.add(Problem{Warning, at, k.dotted, text})
	}
	at.Secret = "file " + file.String()
	d.setSecret(v, secretText, at, k)
}

var variableName = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)

func (d *decoder) secretVariable(v reflect.Value, name string, k key) {
	text, ok := d.env.refer(name)
	switch {
	case !variableName.MatchString(name): // it may be the secret itself, so it is not repeated
		d.failSecret(k, "env must be the name of an environment variable, in capital letters, digits and _")
	case !ok:
		d.failSecret(k, "the environment variable "+shorten(name)+" is not set, or empty; set it where the gateway is started")
	default:
		at := nearest(d.origins, k.dotted+".env")
		at.Secret = "environment " + name
		d.setSecret(v, text, at, k)
	}
}

func (d *decoder) failSecret(k key, text string) {
	d.report.add(Problem{Error, nearest(d.origins, k.dotted), k.dotted, text})
}
