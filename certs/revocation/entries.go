package revocation

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/siegel-mail/siegel/internal/x509x"
)

// entry is one revoked certificate.
type entry struct {
	at     time.Time
	reason int
}

// removed is the reason of an entry in a list of differences that ends a hold (RFC 5280, 5.3.1).
const removed = 8

// entries are the revoked certificates of a list, in about 30 bytes each: a list of 64 MiB has two million.
//
// A record is the number of its issuer's name in two octets, the length of the serial number in one, the serial number, the reason, and
// the time in seconds since 1970 in four.
type entries struct {
	records []byte
	at      []uint32 // where records begin, in their order
	issuers []string // names as x509x.NameKey has them; the first is that of the list
}

const (
	maxSerial   = 64    // octets; RFC 5280, 4.1.2.2 has 20
	maxIssuers  = 10000 // of one indirect list, in whatever spelling
	recordExtra = 8     // octets of a record beside the serial number
)

// parseEntries reads revokedCertificates (RFC 5280, 5.1.2.6). Entries of other issuers than the list's are read where the list is an
// indirect one, else they make it unusable.
func parseEntries(der cryptobyte.String, issuer []byte, indirect bool) (entries, error) {
	e := entries{issuers: []string{x509x.NameKey(issuer)}, records: make([]byte, 0, len(der)*2/3)}
	numbers := map[string]int{string(issuer): 0}
	current := 0 // an entry without an issuer has that of the one before (5.3.3)
	for !der.Empty() {
		var one cryptobyte.String
		r := record{}
		if !der.ReadASN1(&one, cbasn1.SEQUENCE) || !r.read(&one) {
			return e, fmt.Errorf("%w: an entry is malformed", ErrList)
		}
		if r.unknown != nil {
			return e, fmt.Errorf("%w: an entry has the critical extension %v, which is not known here", ErrList, r.unknown)
		}
		if r.issuer != nil {
			if !indirect {
				return e, fmt.Errorf("%w: it has entries of other issuers, and does not say that it is an indirect list", ErrList)
			}
			n, known := numbers[string(r.issuer)]
			if !known {
				if len(numbers) >= maxIssuers {
					return e, fmt.Errorf("%w: it has entries of more than %d issuers", ErrList, maxIssuers)
				}
				n = e.issuer(x509x.NameKey(r.issuer))
				numbers[string(r.issuer)] = n
			}
			current = n
		}
		if uint64(len(e.records))+maxSerial+recordExtra > math.MaxUint32 {
			return e, fmt.Errorf("%w: it has too many entries", ErrList)
		}
		if r.serial != nil {
			e.add(current, r)
		}
	}
	e.sort()
	return e, nil
}

// issuer is the number of an issuer's name, which may be a new one.
func (e *entries) issuer(name string) int {
	n := slices.Index(e.issuers, name)
	if n < 0 {
		n = len(e.issuers)
		e.issuers = append(e.issuers, name)
	}
	return n
}

func (e *entries) add(issuer int, r record) {
	e.at = append(e.at, uint32(len(e.records)))
	e.records = binary.BigEndian.AppendUint16(e.records, uint16(issuer))
	e.records = append(append(append(e.records, byte(len(r.serial))), r.serial...), r.reason)
	e.records = binary.BigEndian.AppendUint32(e.records, uint32(min(max(r.when.Unix(), 0), math.MaxUint32)))
}

// key is what records are found by.
func (e *entries) key(i int) []byte { return e.keyAt(e.at[i]) }

func (e *entries) keyAt(at uint32) []byte {
	b := e.records[at:]
	return b[:3+int(b[2])]
}

func (e *entries) sort() {
	order := func(a, b uint32) int { return bytes.Compare(e.keyAt(a), e.keyAt(b)) }
	if !slices.IsSortedFunc(e.at, order) {
		slices.SortStableFunc(e.at, order)
	}
	e.at, e.records = slices.Clip(e.at), slices.Clip(e.records)
}

// find looks for a serial number of an issuer, whose name may be spelled otherwise than in the list (RFC 5280, 7.1).
func (e *entries) find(issuer, serial []byte) (entry, bool) {
	number := slices.Index(e.issuers, x509x.NameKey(issuer))
	if number < 0 || len(serial) > maxSerial {
		return entry{}, false
	}
	key := append([]byte{byte(number >> 8), byte(number), byte(len(serial))}, serial...)
	i, found := sort.Find(len(e.at), func(i int) int { return bytes.Compare(key, e.key(i)) })
	if !found {
		return entry{}, false
	}
	rest := e.records[int(e.at[i])+len(key):]
	return entry{time.Unix(int64(binary.BigEndian.Uint32(rest[1:5])), 0).UTC(), int(rest[0])}, true
}

// size is how many bytes of memory they take.
func (e *entries) size() int {
	n := cap(e.records) + 4*cap(e.at)
	for _, name := range e.issuers {
		n += len(name) + 16
	}
	return n
}

// record is an entry as it stands in a list.
type record struct {
	serial  []byte // without leading zeros; nil of a negative one, which no certificate has
	when    time.Time
	reason  byte
	issuer  []byte // named in the entry; nil: none is
	unknown asn1.ObjectIdentifier
}

func (r *record) read(s *cryptobyte.String) bool {
	var serial, extensions cryptobyte.String
	var has bool
	if !s.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 || !readTime(s, &r.when) ||
		!s.ReadOptionalASN1(&extensions, &has, cbasn1.SEQUENCE) || !s.Empty() {
		return false
	}
	if serial[0] < 0x80 {
		if r.serial = bytes.TrimLeft(serial, "\x00"); len(r.serial) > maxSerial {
			return false
		}
		if r.serial == nil {
			r.serial = []byte{}
		}
	}
	for !extensions.Empty() {
		if !r.extension(&extensions) {
			return false
		}
	}
	return true
}

func (r *record) extension(s *cryptobyte.String) bool {
	var id asn1.ObjectIdentifier
	var critical bool
	var value cryptobyte.String
	if !readExtension(s, &id, &critical, &value) {
		return false
	}
	switch {
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 21}): // reasonCode
		var code int
		if !value.ReadASN1Enum(&code) || !value.Empty() || code < 0 || code > 255 {
			return false
		}
		r.reason = byte(code)
	case id.Equal(asn1.ObjectIdentifier{2, 5, 29, 29}): // certificateIssuer
		names, ok := generalNames(value)
		if !ok || len(names.directory) != 1 {
			return false
		}
		r.issuer = names.directory[0]
	case critical:
		r.unknown = id
	}
	return true
}

// readExtension reads an Extension (RFC 5280, 4.1).
func readExtension(s *cryptobyte.String, id *asn1.ObjectIdentifier, critical *bool, value *cryptobyte.String) bool {
	var one cryptobyte.String
	return s.ReadASN1(&one, cbasn1.SEQUENCE) && one.ReadASN1ObjectIdentifier(id) &&
		(!one.PeekASN1Tag(cbasn1.BOOLEAN) || one.ReadASN1Boolean(critical)) && one.ReadASN1(value, cbasn1.OCTET_STRING) && one.Empty()
}

// readTime reads a Time (RFC 5280, 4.1.2.5). Of a million entries each has one, so the usual form, YYMMDDHHMMSSZ, is read here.
func readTime(s *cryptobyte.String, t *time.Time) bool {
	if !s.PeekASN1Tag(cbasn1.UTCTime) {
		return s.ReadASN1GeneralizedTime(t)
	}
	const usual = 13
	whole := *s
	var text cryptobyte.String
	if !s.ReadASN1(&text, cbasn1.UTCTime) {
		return false
	}
	var n [6]int
	for i := range n {
		if len(text) != usual || text[2*i]-'0' > 9 || text[2*i+1]-'0' > 9 {
			*s = whole
			return s.ReadASN1UTCTime(t)
		}
		n[i] = int(text[2*i]-'0')*10 + int(text[2*i+1]-'0')
	}
	year := 1900 + n[0]
	if n[0] < 50 {
		year += 100
	}
	*t = time.Date(year, time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	return text[usual-1] == 'Z' && t.Day() == n[2] && t.Month() == time.Month(n[1]) && n[3] < 24 && n[4] < 60 && n[5] < 60
}
