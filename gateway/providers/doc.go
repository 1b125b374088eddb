// Package providers is the way from an account of De-Mail to its provider: connections whose TLS is held to a profile, with a client certificate whose
// key may lie on a card, and what is known of each account over reloads. It speaks no provider's protocol: connectors do.
package providers
