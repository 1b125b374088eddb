package tlsrpt

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/siegel-mail/siegel/internal/publicnet"
	"github.com/siegel-mail/siegel/internal/safetext"
)

// PolicyType tells where a policy came from (RFC 8460, 4.4).
type PolicyType string

// The types of policies.
const (
	STS      PolicyType = "sts"             // an MTA-STS policy (RFC 8461)
	TLSA     PolicyType = "tlsa"            // DANE (RFC 7672)
	NoPolicy PolicyType = "no-policy-found" // the domain has published neither
)

// Policy is what a domain has published about TLS, as it was applied to a session.
type Policy struct {
	Type PolicyType
	// Strings is the policy: the lines of an MTA-STS policy, or each TLSA record as "3 1 1 0123..." (RFC 6698, 2.2).
	Strings []string
	// MX are the patterns of hosts in an MTA-STS policy.
	MX []string
	// Domain is where the policy was found: of DANE the TLSA base domain, which is mostly the MX host (RFC 8460, 1.1; RFC 7672,
	// 2.2.3). Empty: the domain of the Outcome.
	Domain string
}

// Result is what went wrong with a session, one of the result types of RFC 8460, 4.3; empty where nothing did.
type Result string

// The results.
const (
	Success Result = "" // TLS as the policy wants it; where there is none, TLS of any kind

	// Negotiation (4.3.1).
	NoSTARTTLS   Result = "starttls-not-supported"    // the host does not offer STARTTLS
	HostMismatch Result = "certificate-host-mismatch" // the certificate does not bear the name that is wanted
	Expired      Result = "certificate-expired"
	NotTrusted   Result = "certificate-not-trusted" // of an unknown authority, or a chain that breaks a rule; Reason says which
	Failed       Result = "validation-failure"      // none of the others; Reason says what

	// DANE (4.3.2.1).
	TLSAInvalid   Result = "tlsa-invalid"   // no record can be used, or none matches
	DNSSECInvalid Result = "dnssec-invalid" // the resolver could not validate an answer
	DANERequired  Result = "dane-required"  // we insist on DANE and the host has no records

	// MTA-STS (4.3.2.2).
	STSFetch   Result = "sts-policy-fetch-error" // the policy could not be had
	STSInvalid Result = "sts-policy-invalid"     // it breaks the rules of RFC 8461
	STSWebPKI  Result = "sts-webpki-invalid"     // the web server of the policy could not be authenticated
)

// Results are all results but Success.
func Results() []Result {
	return []Result{NoSTARTTLS, HostMismatch, Expired, NotTrusted, Failed, TLSAInvalid, DNSSECInvalid, DANERequired, STSFetch, STSInvalid, STSWebPKI}
}

// Outcome is how one session fared with TLS, under one policy. A session to which two policies applied has two outcomes.
// Everything but Domain and Policy.Type may be missing.
type Outcome struct {
	// Domain is who is told: the domain of the recipients, or that of a smarthost where mail is routed to one (RFC 8460, 1.1).
	Domain string
	Policy Policy
	Result Result

	// The following count where Result is not Success.
	SendingIP   netip.Addr // our end of the connection; left out where it is no address of the internet
	ReceivingIP netip.Addr // the other end, likewise
	MX          string     // name of the host by its MX record
	HELO        string     // name that the host gave in its greeting
	// Reason is an error code or a short text about TLS. It must not say anything of a message, nor hold an address.
	Reason string
}

// The bounds of one outcome.
const (
	maxName    = 255
	maxReason  = 300
	maxStrings = 64  // of a policy
	maxString  = 600 // bytes of each: a TLSA record with a digest of SHA-512 has 134
)

// bound is the outcome without what is too long, in the form in which outcomes are compared. False where it cannot be reported.
func (o Outcome) bound() (Outcome, bool) {
	o.Domain, o.MX, o.Policy.Domain = name(o.Domain), name(o.MX), name(o.Policy.Domain)
	if o.Domain == "" || strings.HasPrefix(o.Domain, "[") || len(o.Domain) > maxName { // an address literal has no TXT record
		return o, false
	}
	if o.Policy.Domain == "" {
		o.Policy.Domain = o.Domain
	}
	if o.Policy.Type != STS && o.Policy.Type != TLSA {
		o.Policy.Type = NoPolicy
	}
	o.Policy.Strings, o.Policy.MX = boundList(o.Policy.Strings), boundList(o.Policy.MX)
	o.HELO, o.Reason = safetext.Line(o.HELO, maxName), safetext.Line(withoutEnds(o.Reason), maxReason)
	o.SendingIP, o.ReceivingIP = public(o.SendingIP), public(o.ReceivingIP)
	if o.Result != Success && !slices.Contains(Results(), o.Result) {
		o.Result = Failed
	}
	return o, true
}

// seenFrom gives an outcome whose sending end is inside the end that the other end has seen: the one of the same family.
func (o *Outcome) seenFrom(ends []netip.Addr) {
	if o.SendingIP.IsValid() || !o.ReceivingIP.IsValid() {
		return
	}
	for _, a := range ends {
		if a.Is4() == o.ReceivingIP.Is4() {
			o.SendingIP = a
		}
	}
}

// public is an address of the internet; what stands inside the company is nobody else's business.
func public(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); !publicnet.Public(a) {
		return netip.Addr{}
	}
	return a
}

// withoutEnds takes the ends of connections out of a reason, as package net writes them: "10.1.2.3:40123->192.0.2.7:25". They tell of what
// stands inside, and make each failure another one.
func withoutEnds(reason string) string {
	if !strings.Contains(reason, "->") {
		return reason
	}
	return strings.Join(slices.DeleteFunc(strings.Fields(reason), func(word string) bool { return strings.Contains(word, "->") }), " ")
}

func name(s string) string {
	return safetext.Line(strings.ToLower(strings.TrimSuffix(s, ".")), maxName)
}

func boundList(list []string) []string {
	if len(list) > maxStrings {
		list = list[:maxStrings]
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, safetext.Line(s, maxString))
	}
	return out
}
