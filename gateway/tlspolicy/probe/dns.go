package probe

// DNS is what a domain says of the TLS of its mail servers.
type DNS struct{}
