// Package mtasts knows the MTA-STS policies of domains (RFC 8461): it discovers, fetches, keeps and refreshes them. It judges no connection.
//
// A policy that was fetched is in force until its max_age is over, whatever becomes of the TXT record and the policy host
// meanwhile: who can keep them from us must not gain by it. It is looked at beside the mail, never in its way; only a domain
// that nothing is known of is waited for.
package mtasts
