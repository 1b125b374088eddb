package mailauth

import (
	"strings"

	"github.com/emersion/go-msgauth/authres"

	"github.com/siegel-mail/siegel/smime/entity"
)

// resultsName is the field that bears results to those who trust our authserv-id.
const resultsName = "Authentication-Results"

// Field is the Authentication-Results field (RFC 8601) that tells the result to the company's own servers and
// programs. authServID is the name by which they know this gateway: its host name. The field is ASCII and
// folded; put it at the top of the header after all fields that claim to be of authServID are removed.
func (r Result) Field(authServID string) (entity.Field, error) {
	results := []authres.Result{r.SPF.result()}
	for _, k := range r.DKIM {
		results = append(results, k.result())
	}
	if len(r.DKIM) == 0 {
		results = append(results, generic("dkim", None))
	}
	results = append(results, r.DMARC.result())
	text := authres.Format(authServID, results)
	// The library leaves a blank where a result has no properties; none of our values holds a semicolon.
	return entity.NewField(resultsName, strings.ReplaceAll(text, " ;", ";"))
}

// generic makes a result with those of the properties that are not empty, given as names and values in turn.
func generic(method string, s Status, properties ...string) *authres.GenericResult {
	params := map[string]string{}
	for i := 0; i+1 < len(properties); i += 2 {
		if properties[i+1] != "" {
			params[properties[i]] = properties[i+1]
		}
	}
	return &authres.GenericResult{Method: method, Value: authres.ResultValue(s), Params: params}
}

// result names the identity that was checked (RFC 8601, 2.7.2): the reverse-path, or its domain alone where the
// local part would need quoting.
func (s SPF) result() authres.Result {
	if s.Helo {
		return generic("spf", s.Status, "reason", s.Reason, "smtp.helo", s.Domain)
	}
	identity := s.Domain
	if at := strings.LastIndexByte(s.Sender, '@'); at > 0 && s.Domain != "" && strings.Trim(s.Sender[:at], atext) == "" {
		identity = s.Sender[:at] + "@" + s.Domain
	}
	return generic("spf", s.Status, "reason", s.Reason, "smtp.mailfrom", identity)
}

// result names the signature (RFC 8601, 2.7.1; RFC 6008).
func (k DKIM) result() authres.Result {
	reason := k.Reason
	if k.Testing {
		reason = strings.TrimPrefix(reason+", the key is for tests", ", ")
	}
	return generic("dkim", k.Status, "reason", reason, "header.d", k.Domain, "header.i", k.Identifier,
		"header.s", k.Selector, "header.a", k.Algorithm, "header.b", k.mark)
}

// result names the author's domain (RFC 7489, 11.1).
func (d DMARC) result() authres.Result {
	reason := d.Reason
	if reason == "" && d.Policy != "" {
		reason = "policy is " + string(d.Policy)
	}
	domain := d.Domain
	if strings.HasPrefix(domain, "[") { // an address literal
		domain = ""
	}
	return generic("dmarc", d.Status, "reason", reason, "header.from", domain)
}
