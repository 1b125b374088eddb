package main

// smartcardCmd groups what an administrator does with smart cards: one file for each subcommand, smartcard_NAME.go.
type smartcardCmd struct {
	Simulate smartcardSimulateCmd `cmd:"" help:"Put a simulated card into a virtual reader of this machine, to rehearse with. It protects nothing."`
}
