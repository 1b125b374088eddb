package main

// tlsCmd groups what tells of TLS: one file for each subcommand, tls_NAME.go.
type tlsCmd struct{}
