package mail

// Pattern stands for a set of addresses, written as in the configuration:
//
//	user@example.org   one address
//	@example.org       every address of the domain
//	@*.example.org     every address of any subdomain, not of example.org itself
//	*                  every address
//	<>                 the null reverse-path
type Pattern struct {
	local  string // lower case; empty: any
	domain string // lower case; empty: any, unless null
	sub    bool   // domain stands for its subdomains
	null   bool
}

// Patterns is a set of patterns; the nil set matches nothing.
type Patterns []Pattern
