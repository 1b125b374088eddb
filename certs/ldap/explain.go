package ldap

import (
	"errors"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/siegel-mail/siegel/internal/safetext"
)

// firstOwnCode is where the library's own codes begin; those below are results of servers (RFC 4511, 4.1.9).
const firstOwnCode = goldap.ErrorNetwork

// maxDiagnostic bounds what is repeated of a server's words.
const maxDiagnostic = 200

// passing reports whether a result tells that the server, not the question, is in trouble.
func passing(code uint16) bool {
	return code == goldap.LDAPResultBusy || code == goldap.LDAPResultUnavailable
}

// isBroken reports whether a connection cannot be used any more, or its server not at present.
func isBroken(err error) bool {
	if err == nil || errors.Is(err, errTooMany) || errors.Is(err, errElsewhere) {
		return false
	}
	var elsewhere *elsewhereError
	if errors.As(err, &elsewhere) {
		return false
	}
	var result *goldap.Error
	if errors.As(err, &result) && result.ResultCode < firstOwnCode {
		return passing(result.ResultCode)
	}
	return true
}

// explain puts the results of servers into words.
func (d *Directory) explain(err error) error {
	var result *goldap.Error
	if !errors.As(err, &result) {
		return err
	}
	if result.ResultCode >= firstOwnCode {
		return errors.New("the connection broke")
	}
	return errors.New(d.meaning(result))
}

func (d *Directory) meaning(r *goldap.Error) string {
	switch r.ResultCode {
	case goldap.LDAPResultNoSuchObject:
		return fmt.Sprintf("there is nothing under the base %q; set base to where its entries are%s", safetext.Line(d.o.BaseDN, maxDiagnostic), said(r))
	case goldap.LDAPResultInsufficientAccessRights, goldap.LDAPResultStrongAuthRequired, goldap.LDAPResultInappropriateAuthentication:
		return "the gateway may not read there; log in by bind, and give its account the right to read and search" + said(r)
	case goldap.LDAPResultOperationsError: // Active Directory, to whom did not log in
		return "it refuses the search, as Active Directory does before a login: set bind" + said(r)
	case goldap.LDAPResultConfidentialityRequired:
		return "it asks for TLS; use ldaps or starttls" + said(r)
	case goldap.LDAPResultTimeLimitExceeded, goldap.LDAPResultAdminLimitExceeded:
		return "the search takes it too long; have an index made for the attributes of the filter" + said(r)
	case goldap.LDAPResultBusy, goldap.LDAPResultUnavailable:
		return "it says that it is busy or being shut down" + said(r)
	case goldap.LDAPResultInvalidDNSyntax:
		return "it does not know base as a name" + said(r)
	}
	return fmt.Sprintf("it answers with the result %d (%s)%s", r.ResultCode, goldap.LDAPResultCodeMap[r.ResultCode], said(r))
}

// said is what the server added in its own words.
func said(r *goldap.Error) string {
	if r.Err == nil || r.Err.Error() == "" {
		return ""
	}
	return "; it says: " + safetext.Line(strings.TrimRight(r.Err.Error(), "\x00"), maxDiagnostic)
}

// explainLogin puts a login that was refused into words.
func explainLogin(o Options, r *goldap.Error) string {
	who := "the gateway"
	if o.Method == Simple {
		who = safetext.Line(o.DN, maxDiagnostic)
	}
	text := fmt.Sprintf("it does not let %s in (%s)", who, goldap.LDAPResultCodeMap[r.ResultCode])
	if r.ResultCode == goldap.LDAPResultInvalidCredentials {
		text = fmt.Sprintf("it refuses the password of %s, or does not know the name", who)
	}
	if r.Err != nil {
		if why := activeDirectory(r.Err.Error()); why != "" {
			return text + ": " + why
		}
	}
	return text + said(r)
}

// activeDirectory reads why Active Directory refuses a login, as the code after "data" in its words.
func activeDirectory(said string) string {
	_, rest, ok := strings.Cut(said, "AcceptSecurityContext error, data ")
	if !ok {
		return ""
	}
	code, _, _ := strings.Cut(rest, ",")
	return map[string]string{
		"525": "there is no such account", "52e": "the password is wrong", "530": "the account may not log in at this time",
		"531": "the account may not log in from here", "532": "the password has expired", "533": "the account is disabled",
		"701": "the account has expired", "773": "the password has to be changed first", "775": "the account is locked",
	}[strings.TrimSpace(code)]
}
