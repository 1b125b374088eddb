package configs

import (
	"slices"
	"strings"
)

// EnvPrefix begins the name of every environment variable that sets a key: SIEGEL_QUEUE_EXPIRE is
// queue.expire, SIEGEL_LISTENERS_EXCHANGE_ADDRESS the address of the listener named exchange.
const EnvPrefix = "SIEGEL"

// notKeys are the variables with the prefix that other parts of Siegel read.
var notKeys = []string{"SIEGEL_CONFIG", "SIEGEL_SOCKET", "SIEGEL_TESTDATA"}

// environment is the variables a configuration may use. An empty variable counts as not set.
type environment struct {
	all   map[string]string
	ours  map[string]string // those with our prefix: the key they set, or empty
	asked []string          // the names that would have been used, while ours is not empty
}

func newEnvironment(environ []string) *environment {
	e := &environment{all: make(map[string]string, len(environ)), ours: map[string]string{}}
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || name == "" || value == "" {
			continue
		}
		e.all[name] = value
		if strings.HasPrefix(name, EnvPrefix+"_") && !slices.Contains(notKeys, name) {
			e.ours[name] = ""
		}
	}
	return e
}

// root is the beginning of all names, or empty where no variable has it.
func (e *environment) root() string {
	if len(e.ours) == 0 {
		return ""
	}
	return EnvPrefix
}

// child is the variable of a key, or name of an entry, under the variable of a section.
func (e *environment) child(parent, name string) string {
	if parent == "" {
		return ""
	}
	return parent + "_" + strings.Map(envRune, name)
}

func envRune(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return r
	}
	return '_'
}

// lookup returns the variable that sets a key, and another key that it set before, if any.
func (e *environment) lookup(name, dotted string) (text, other string, ok bool) {
	if name == "" {
		return "", "", false
	}
	e.asked = append(e.asked, name)
	text, ok = e.all[name]
	if ok {
		other = e.ours[name]
		e.ours[name] = dotted
	}
	return text, other, ok
}

// refer returns the variable that {env: NAME} names.
func (e *environment) refer(name string) (string, bool) {
	text, ok := e.all[name]
	if _, ours := e.ours[name]; ours {
		e.ours[name] = "a secret"
	}
	return text, ok
}

// reportUnknown warns of variables that set nothing, which are likely misspelt.
func (e *environment) reportUnknown(r *report) {
	for name, key := range e.ours {
		if key == "" {
			text := "this environment variable sets no key of this configuration" + didYouMean(name, e.asked)
			r.add(Problem{Warning, Origin{Env: shorten(name)}, "", text})
		}
	}
}
