package ldap

import (
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"
)

func TestCheckFilter(t *testing.T) {
	for filter, want := range map[string]string{
		"(mail={mail})": "", "(|(mail={mail})(proxyAddresses=smtp:{mail}))": "", "(&(uid={local})(o={domain}))": "",
		"(proxyAddresses:caseExactMatch:=smtp:{mail})": "", "(&(mail={mail})(memberOf:1.2.840.113556.1.4.1941:=CN=Mail,DC=firma,DC=example))": "",
		"(cn=a\\7bb {mail})": "",
		"(mail=*)":           "does not name it", "": "does not name it",
		"({mail}=x)": "for a value only", "{mail}": "for a value only", "(&{mail}(a=b))": "for a value only", "(a=b){mail}": "for a value only",
		"(mail={MAIL})": "braces stand around", "(mail={mail)": "braces stand around", "(mail=%s)": "does not name it",
		"(mail={mail}": "no filter as RFC 4515", "mail={mail}": "for a value only", "(&(mail={mail})": "no filter as RFC 4515",
		"(mail={mail})" + strings.Repeat(" ", maxFilter): "at most",
	} {
		err := CheckFilter(filter, false)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: %v, want %q", filter, err, want)
		}
	}
	for filter, want := range map[string]string{"(mail=*)": "", "(mail={mail})": "cannot name one", "(mail=*": "no filter", "(|(a=b)(c=*))": ""} {
		err := CheckFilter(filter, true)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("for all: %q: %v, want %q", filter, err, want)
		}
	}
}

func TestBase(t *testing.T) {
	for base, want := range map[string]string{
		"{dc},cn=de-mail": "dc=institution,dc=de-mail,dc=de,cn=de-mail", "ou=people,dc=firma,dc=example": "ou=people,dc=firma,dc=example", "": "",
	} {
		if err := CheckBase(base); err != nil {
			t.Errorf("%s: %v", base, err)
		}
		if got := fillBase(base, "info@institution.de-mail.de"); got != want {
			t.Errorf("%s: %s", base, got)
		}
	}
	if got := fillBase("{dc},cn=de-mail", "a@x,cn=admin+b.example"); got != `dc=x\,cn=admin\+b,dc=example,cn=de-mail` {
		t.Errorf("a domain became part of the name: %s", got)
	}
	if err := CheckBase("firma.example"); err == nil {
		t.Error("a domain passes for a name")
	}
}

func TestKey(t *testing.T) {
	for address, want := range map[string]string{
		"Alice@Firma.Example": "alice@firma.example", "ü@bücher.example": "ü@xn--bcher-kva.example", "nobody": "", "": "",
		strings.Repeat("a", maxAddress) + "@firma.example": "",
	} {
		if got := key(address); got != want {
			t.Errorf("%.40q: %q", address, got)
		}
	}
}

// Whatever an address holds: in the filter it is one value, and the filter asks what it asked before.
func FuzzFill(f *testing.F) {
	for _, s := range []string{"a@b.example", "*)(mail=*@x", `\2a@x`, "a\x00b@x", "ü@x", `"(|(a=b))"@x`, "a)(objectClass=*))(&(a=b@x", "{mail}@{domain}"} {
		f.Add(s)
	}
	const template = "(&(objectClass=person)(|(mail={mail})(proxyAddresses=smtp:{mail})(uid={local})))"
	f.Fuzz(func(t *testing.T, address string) {
		k := key(address)
		if k == "" {
			return
		}
		p, err := goldap.CompileFilter(fill(template, k))
		if err != nil {
			t.Fatalf("%q: %v", k, err)
		}
		or := p.Children[1]
		if len(p.Children) != 2 || len(or.Children) != 3 || p.Tag != goldap.FilterAnd || or.Tag != goldap.FilterOr {
			t.Fatalf("%q: another filter", k)
		}
		local := k[:strings.LastIndexByte(k, '@')]
		for i, want := range []string{k, "smtp:" + k, local} {
			item := or.Children[i]
			if item.Tag != goldap.FilterEqualityMatch || item.Children[1].Data.String() != want {
				t.Fatalf("%q: item %d asks for %q", k, i, item.Children[1].Data.String())
			}
		}
		if _, err := goldap.ParseDN(fillBase("{dc},cn=de-mail", k)); err != nil {
			t.Fatalf("%q: its base is no name: %v", k, err)
		}
	})
}
