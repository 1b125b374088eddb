package vault

import (
	"errors"
	"strconv"
	"strings"
)

// KeyReference names a key in a transit engine: vault:NAME:KEY, or vault:NAME:KEY:VERSION.
type KeyReference struct {
	Vault   string // its name in the configuration
	Key     string
	Version int // 0: the one that a certificate was made for, the newest one where it is not said
}

// maxName bounds each name in a reference.
const maxName = 256

// ParseKeyReference reads vault:NAME:KEY or vault:NAME:KEY:VERSION. The first word may be left out, unless NAME is that word.
func ParseKeyReference(s string) (KeyReference, error) {
	bad := errors.New("this is no key in a vault; write NAME:KEY or NAME:KEY:VERSION, with the name of the vault in the configuration")
	parts := strings.Split(strings.TrimPrefix(s, "vault:"), ":")
	if len(parts) < 2 || len(parts) > 3 || !isWord(parts[0]) || !isWord(parts[1]) {
		return KeyReference{}, bad
	}
	r := KeyReference{Vault: parts[0], Key: parts[1]}
	if len(parts) == 3 {
		n, err := strconv.ParseUint(parts[2], 10, 31)
		if err != nil || n == 0 {
			return KeyReference{}, bad
		}
		r.Version = int(n)
	}
	return r, nil
}

// String is the reference as ParseKeyReference reads it.
func (r KeyReference) String() string {
	s := "vault:" + r.Vault + ":" + r.Key
	if r.Version > 0 {
		s += ":" + strconv.Itoa(r.Version)
	}
	return s
}

// SecretReference names a field of a secret in a key-value engine: NAME:PATH#FIELD.
type SecretReference struct {
	Vault string // its name in the configuration
	Path  string // within the engine, as in siegel/at-rest
	Field string
}

// ParseSecretReference reads NAME:PATH#FIELD. Its error does not repeat what was written: it may be the secret itself.
func ParseSecretReference(s string) (SecretReference, error) {
	bad := errors.New("this is no secret in a vault; write NAME:PATH#FIELD, as in main:siegel/at-rest#key")
	name, rest, found := strings.Cut(s, ":")
	path, field, fielded := strings.Cut(rest, "#")
	if !found || !fielded || !isWord(name) || !isWord(field) || path == "" {
		return SecretReference{}, bad
	}
	if !IsPath(path) {
		return SecretReference{}, bad
	}
	return SecretReference{name, path, field}, nil
}

// String is the reference as ParseSecretReference reads it.
func (r SecretReference) String() string { return r.Vault + ":" + r.Path + "#" + r.Field }

// IsPath reports whether s is the path of a mount, a namespace or a secret: names with / between them.
func IsPath(s string) bool {
	for element := range strings.SplitSeq(s, "/") {
		if !isWord(element) {
			return false
		}
	}
	return true
}

// isWord reports whether s is a name that stands for itself in a path: nothing that a server might take for another path.
func isWord(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-@+", r)) {
			return false
		}
	}
	return s != "" && len(s) <= maxName && strings.Trim(s, ".") != ""
}
