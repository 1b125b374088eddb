package main

// tlsCmd groups what tells of TLS: one file for each subcommand, tls_NAME.go.
type tlsCmd struct {
	List    tlsListCmd    `cmd:"" help:"Show what this build speaks, and which profile allows it."`
	Probe   tlsProbeCmd   `cmd:"" help:"Find out what the TLS of another server accepts, and how this gateway reaches it."`
	Check   tlsCheckCmd   `cmd:"" help:"Hold every listener, route, directory and vault of the configuration against its profile."`
	Publish tlsPublishCmd `cmd:"" help:"Print what the company should publish about the TLS of its own mail servers, and compare it with what it does."`
	Report  tlsReportCmd  `cmd:"" help:"Print reports that others sent about the TLS of the company's mail servers."`
}
