package main

// tlsCmd groups what tells of TLS: one file for each subcommand, tls_NAME.go.
type tlsCmd struct {
	Probe tlsProbeCmd `cmd:"" help:"Find out what the TLS of another server accepts, and how this gateway reaches it."`
}
