// Package tlsrpt collects how outgoing sessions fared with TLS and tells each domain that asks for it once a day, as SMTP TLS Reporting says (RFC 8460). It decides nothing about a session.
//
// Delivery notes an [Outcome] for each session in a [Collector], which never makes it wait and never fails. What was noted
// is counted by the day, in UTC, and by the domain that is to be told; it says which policy was applied, which hosts and
// addresses were met and what went wrong, and nothing of any message.
package tlsrpt
