package tlsnames

import "strings"

// Versions as they are written in TLS. SSL 3.0 and before are refused everywhere; a probe asks for SSL 3.0.
const (
	SSL30 uint16 = 0x0300
	TLS10 uint16 = 0x0301
	TLS11 uint16 = 0x0302
	TLS12 uint16 = 0x0303
	TLS13 uint16 = 0x0304
)

// versions have their names, ours first.
var versions = [...]struct {
	id    uint16
	names []string
}{
	{SSL30, []string{"SSL3.0", "SSLv3", "SSL3"}},
	{TLS10, []string{"TLS1.0", "TLSv1", "TLSv1.0", "TLS1"}},
	{TLS11, []string{"TLS1.1", "TLSv1.1"}},
	{TLS12, []string{"TLS1.2", "TLSv1.2"}},
	{TLS13, []string{"TLS1.3", "TLSv1.3"}},
}

// VersionName returns the name of a version, TLS1.2; of a number that is none, as 0x7F1C.
func VersionName(id uint16) string {
	for _, v := range versions {
		if v.id == id {
			return v.names[0]
		}
	}
	return hex(id)
}

// ParseVersion returns the number of a version: TLS1.2, TLSv1.2, "TLS 1.2", "1.2". The error wraps ErrUnknown.
func ParseVersion(name string) (uint16, error) {
	plain := strings.ReplaceAll(name, " ", "")
	for _, v := range versions {
		for _, n := range v.names {
			if strings.EqualFold(plain, n) {
				return v.id, nil
			}
		}
		if v.id != SSL30 && plain == strings.TrimPrefix(v.names[0], "TLS") {
			return v.id, nil
		}
	}
	return 0, unknown("TLS version", name)
}
