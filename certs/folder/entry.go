package folder

import (
	"crypto/x509"

	"github.com/siegel-mail/siegel/certs"
)

// entry is one certificate, once however many files hold it.
type entry struct {
	certs.Candidate
	file     int             // the first file that holds it, by its place in the report
	path     string          // of that file, as the report has it
	anchor   bool            // one of its files is in the trust folder
	identity *certs.Identity // nil where there is no key
}

// Item is a certificate of a folder.
type Item struct {
	Certificate *x509.Certificate
	File        string // the first that holds it, as the report names it
	Anchor, Key bool   // it lies in the trust folder; its key is in the folder
}
