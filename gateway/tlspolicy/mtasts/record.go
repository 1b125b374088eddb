package mtasts

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRecord is wrapped by the errors for TXT records that should be of MTA-STS, and cannot be read.
var ErrRecord = errors.New("not a valid MTA-STS record")

// ParseRecord finds the id of a domain's policy in the TXT records of _mta-sts and the domain (RFC 8461, 3.1). It is empty
// where none of them is of MTA-STS. That is so too where several are, or the one is broken; then the error says it.
func ParseRecord(texts []string) (id string, err error) {
	var record string
	for _, s := range texts {
		rest, ok := strings.CutPrefix(s, "v="+version)
		if !ok || !strings.HasPrefix(strings.TrimLeft(rest, " \t"), ";") {
			continue // RFC 8461, 3.1: discarded
		}
		if record != "" {
			return "", fmt.Errorf("%w: there are several", ErrRecord)
		}
		record = rest
	}
	if record == "" {
		return "", nil
	}
	return recordID(record)
}

// recordID reads the fields behind the version.
func recordID(record string) (id string, err error) {
	fields := strings.Split(record, ";")[1:]
	for i, f := range fields {
		f = strings.Trim(f, " \t")
		if f == "" && i == len(fields)-1 && i > 0 {
			break
		}
		name, value, ok := strings.Cut(f, "=")
		if !ok || !isName(name) || !isValue(value) {
			return "", fmt.Errorf("%w: %.100q is no field", ErrRecord, f)
		}
		if name == "id" && id == "" {
			id = value
		}
	}
	if id == "" || len(id) > 32 || strings.ContainsFunc(id, func(r rune) bool { return r > '~' || !isAlphanumeric(byte(r)) }) {
		return "", fmt.Errorf("%w: its id is %.50q; it must be of 1 to 32 letters and digits", ErrRecord, id)
	}
	return id, nil
}

// isValue tells the value of a field: printable ASCII without a semicolon or equals sign.
func isValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == ';' || c == '=' {
			return false
		}
	}
	return s != ""
}
