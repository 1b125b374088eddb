package tlsrpt

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// RecordName is where a domain says who gets reports about it (RFC 8460, 3).
func RecordName(domain string) string { return "_smtp._tls." + domain }

// Record says who gets reports about a domain.
type Record struct {
	// Mail and Posts are the addresses and the https URLs that reports go to, in the order in which they stand there.
	Mail  []mail.Address
	Posts []string
}

const (
	versionTag  = "v=TLSRPTv1"
	maxRecord   = 4 << 10
	maxTargets  = 4 // of one record that are served: many mailboxes could be flooded by one record else
	maxPostURL  = 1024
	mailtoStart = "mailto:"
)

// Errors of reading records.
var (
	ErrNoRecord = errors.New("tlsrpt: the domain asks for no reports")
	ErrRecord   = errors.New("tlsrpt: the record cannot be used")
)

// FindRecord reads the TXT records of [RecordName]. ErrNoRecord where not exactly one is about this (RFC 8460, 3).
func FindRecord(texts []string) (Record, error) {
	var found []string
	for _, t := range texts {
		if rest, ok := strings.CutPrefix(t, versionTag); ok && strings.HasPrefix(strings.TrimLeft(rest, " \t"), ";") {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		return Record{}, ErrNoRecord
	}
	return ParseRecord(found[0])
}

// ParseRecord reads one record. Fields it does not know are passed over, and so are URIs of other kinds, or that nothing can be sent
// to, as long as one is left; more than four are not looked at. The errors wrap [ErrRecord] and say what to change.
func ParseRecord(text string) (Record, error) {
	if len(text) > maxRecord {
		return Record{}, fmt.Errorf("%w: it is longer than %d bytes", ErrRecord, maxRecord)
	}
	fields := strings.Split(text, ";")
	if strings.TrimRight(fields[0], " \t") != versionTag {
		return Record{}, fmt.Errorf("%w: it must begin with %q", ErrRecord, versionTag+";")
	}
	var r Record
	var first error
	seen := false
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(strings.Trim(f, " \t"), "=")
		if name != "rua" {
			continue
		}
		if seen {
			return Record{}, fmt.Errorf("%w: rua stands there twice; list all URIs in one, with commas between", ErrRecord)
		}
		seen = true
		for uri := range strings.SplitSeq(value, ",") {
			if len(r.Mail)+len(r.Posts) == maxTargets {
				break
			}
			if err := r.add(strings.Trim(uri, " \t")); err != nil && first == nil {
				first = err
			}
		}
	}
	if len(r.Mail)+len(r.Posts) > 0 {
		return r, nil
	}
	if first == nil {
		first = errors.New("it has no rua")
	}
	return Record{}, fmt.Errorf("%w: %w", ErrRecord, first)
}

// add takes one URI.
func (r *Record) add(uri string) error {
	shown := safetext.Line(uri, 80)
	u, err := url.Parse(uri)
	switch {
	case err != nil || strings.ContainsAny(uri, "! "): // RFC 8460, 3: they must be encoded
		return fmt.Errorf("%q is no URI", shown)
	case strings.EqualFold(u.Scheme, "mailto"):
		local, err := url.PathUnescape(u.Opaque) // without what follows ?: header fields that strangers choose (RFC 6068, 7)
		if err != nil {
			return fmt.Errorf("%q is no URI", shown)
		}
		a, err := mail.ParseAddress(local)
		if err != nil {
			return fmt.Errorf("%q names no address", shown)
		}
		r.Mail = append(r.Mail, a)
	case strings.EqualFold(u.Scheme, "https"):
		if u.Host == "" || u.User != nil || len(uri) > maxPostURL {
			return fmt.Errorf("%q is no address of a web server", shown)
		}
		u.Fragment = ""
		r.Posts = append(r.Posts, u.String())
	default:
		return fmt.Errorf("%q is of neither scheme, mailto and https", shown)
	}
	return nil
}

// String is the record as it stands in DNS.
func (r Record) String() string {
	uris := make([]string, 0, len(r.Mail)+len(r.Posts))
	escape := strings.NewReplacer(",", "%2C", "!", "%21", ";", "%3B")
	for _, a := range r.Mail {
		uris = append(uris, mailtoStart+escape.Replace((&url.URL{Path: a.String()}).EscapedPath()))
	}
	for _, p := range r.Posts {
		uris = append(uris, escape.Replace(p))
	}
	return versionTag + "; rua=" + strings.Join(uris, ",")
}
