package folder

import "github.com/siegel-mail/siegel/certs"

// entry is one certificate, once however many files hold it.
type entry struct {
	certs.Candidate
	file     int             // the first file that holds it, by its place in the report
	identity *certs.Identity // nil where there is no key
}
