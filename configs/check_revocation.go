package configs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/siegel-mail/siegel/certs/revocation"
	"github.com/siegel-mail/siegel/internal/x509x"
)

// revocation judges how it is learned what is revoked.
func (k *checker) revocation() {
	r := &k.Certificates.Revocation
	const at = "certificates.revocation"
	r.policy = k.clientPolicy(at+".profile", r.Profile, false)
	if r.Order != nil && len(r.Order) == 0 {
		k.fail(at+".order", "there would be no way to learn anything; list ocsp, crl or both, or switch it off by mode: off")
	}
	for i := range r.Rules {
		k.revocationRule(&r.Rules[i], entryKey(at+".rules", "", i))
	}
	for i, text := range r.Allowed {
		network, err := parseNetwork(text)
		switch {
		case err == nil && network.Bits() == 0:
			k.failMember(at+".allowed", i, "%s is every address: certificates of strangers could have the gateway ask any machine inside; list those that have lists", text)
		case err == nil:
		case badHost(strings.TrimPrefix(text, "*.")) != "":
			k.failMember(at+".allowed", i, "this is no host, address or network; write pki.firma.example, \"*.firma.example\", 10.1.2.3 or 10.1.2.0/24")
		default:
			r.Allowed[i] = strings.ToLower(text)
		}
	}
	if r.Proxy != "" {
		u, err := url.Parse(r.Proxy)
		if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" {
			k.fail(at+".proxy", "this must be http://HOST:PORT, without a login")
		}
	}
	if r.Directory != "" {
		host := strings.TrimPrefix(strings.TrimPrefix(r.Directory, "ldaps://"), "ldap://")
		if name, port, err := net.SplitHostPort(host); err == nil {
			host = name
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				host = ""
			}
		}
		if badHost(host) != "" {
			k.fail(at+".directory", "this must be a host and port, as in dc1.firma.example:389 or ldaps://dc1.firma.example:636")
		}
	}
	for i, file := range r.Files {
		k.revocationFile(r, i, file)
	}
}

func (k *checker) revocationRule(r *RevocationRule, dotted string) {
	if len(r.Authorities)+len(r.Domains) == 0 {
		k.fail(dotted, "this is for nobody; list authorities or domains")
	}
	for i, text := range r.Authorities {
		digest, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
		if err != nil || len(digest) != sha256.Size {
			k.failMember(dotted+".authorities", i, "this is no SHA-256 fingerprint; openssl x509 -in CA.pem -noout -fingerprint -sha256 prints it")
			continue
		}
		r.authorities = append(r.authorities, [sha256.Size]byte(digest))
	}
	for i, text := range r.Domains {
		if badHost(strings.TrimPrefix(text, "*.")) != "" {
			k.failMember(dotted+".domains", i, "this is no domain; write partner.example, or \"*.partner.example\" for all below it")
			continue
		}
		r.Domains[i] = strings.ToLower(text)
	}
}

// revocationFile reads a file with lists or with certificates.
func (k *checker) revocationFile(r *Revocation, i int, file Path) {
	const at = "certificates.revocation.files"
	data, err := readAtMost(file, revocation.MaxSize)
	if err != nil {
		k.failMember(at, i, "%s: %s", shorten(file.String()), fileTrouble(err))
		return
	}
	if bytes.Contains(data, []byte("-----BEGIN CERTIFICATE-----")) {
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			if block.Type != "CERTIFICATE" {
				continue
			}
			c, err := x509x.ParseCertificate(block.Bytes)
			if err != nil {
				k.failMember(at, i, "%s: a certificate in it is damaged", shorten(file.String()))
				return
			}
			r.signers = append(r.signers, c)
		}
		if !bytes.Contains(data, []byte("-----BEGIN X509 CRL-----")) {
			return
		}
	}
	lists, err := revocation.Parse(data)
	if err != nil {
		k.failMember(at, i, "%s: %s", shorten(file.String()), strings.TrimPrefix(err.Error(), revocation.ErrList.Error()+": "))
		return
	}
	r.given = append(r.given, lists...)
}

func readAtMost(file Path, most int64) ([]byte, error) {
	f, err := os.Open(file.String())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = errTooLarge
	}
	return data, err
}
