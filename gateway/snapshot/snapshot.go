// Package snapshot writes a whole gateway into one encrypted file and reads it again; it neither stops nor starts one.
//
// The file is a tar archive under age (https://age-encryption.org): about.json, the files of the configuration, the state, and
// last manifest.json with the size, mode, owner and SHA-256 of each. What is read is put nowhere before all of it was
// checked.
package snapshot

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"time"

	"github.com/siegel-mail/siegel/internal/atrest"
)

// format is the version of the archive.
const format = 1

// The names in the archive.
const (
	aboutName    = "about.json"
	manifestName = "manifest.json"
	filesPrefix  = "files/" // and the absolute path of a file of the configuration
	statePrefix  = "state/" // and the path within the state folder
)

// The bounds of what is read into memory.
const (
	maxAbout   = 1 << 20
	maxMembers = 2_000_000
	maxName    = 4096 // of a path, as the system has it
	maxMember  = 512  // of a member in the manifest, beside its name
)

// About is what the archive says of the gateway.
type About struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"` // of the program
	Hostname string    `json:"hostname"`
	Created  time.Time `json:"created"`
	Config   string    `json:"config"` // the path of the configuration file
	State    string    `json:"state"`  // the path of the state folder
	Key      string    `json:"key"`    // the at-rest key
	// KeyFrom says where the key came from: "file /etc/siegel/at-rest.key", "environment NAME"; empty: the configuration file itself.
	KeyFrom string `json:"key_from,omitempty"`
	User    int    `json:"uid"` // whom the state belongs to
	Group   int    `json:"gid"`
	// Faults is how many faults the audit log had already.
	Faults int `json:"audit_faults,omitempty"`
}

// member is one file of the archive.
type member struct {
	Name  string      `json:"name"`
	Size  int64       `json:"size"`
	Mode  fs.FileMode `json:"mode"`
	User  int         `json:"uid"`
	Group int         `json:"gid"`
	Sum   string      `json:"sha256"`
}

// Summary says what an archive holds.
type Summary struct {
	About
	KeyID string   `json:"key_id"` // what [KeyID] says of the at-rest key
	Files int      `json:"files"`
	Bytes int64    `json:"bytes"`
	Notes []string `json:"notes,omitempty"` // what an administrator should know
}

// KeyID names an at-rest key and does not tell it. Who encrypts a backup to a public key need not know who reads it, so anybody can make
// one; but only who knows the key of a gateway can make one that holds it, and whose key has this name.
func KeyID(key atrest.Key) string {
	return hex.EncodeToString(key.Derive("backup").MAC([]byte("key id"))[:16])
}

// Errors of reading.
var (
	ErrDamaged = errors.New("the file is damaged, or was not written by siegel backup")
	ErrExists  = errors.New("there is something already")
)
