package main

// certsCmd looks after certificates and keys. What changes them is done by the running gateway, and stands in its audit log.
type certsCmd struct {
	Import   certsImportCmd   `cmd:"" help:"Keep the certificates and keys of files, and of all files in folders."`
	List     certsListCmd     `cmd:"" help:"List certificates."`
	Show     certsShowCmd     `cmd:"" help:"Show all that is known of a certificate."`
	Find     certsFindCmd     `cmd:"" help:"Say which certificate of an address would sign and which would be encrypted to, and why the others not."`
	Trust    certsTrustCmd    `cmd:"" help:"Trust an authority, or a certificate by itself."`
	Distrust certsDistrustCmd `cmd:"" help:"Never use a certificate any more, nor anything below it."`
	Export   certsExportCmd   `cmd:"" help:"Write a certificate into a file, with its key where that is said."`
	Remove   certsRemoveCmd   `cmd:"" help:"Forget a certificate; its key only where that is said."`
	Expiring certsExpiringCmd `cmd:"" help:"List what ends soon; the exit code tells monitoring."`
	Request  certsRequestCmd  `cmd:"" help:"Make a key in the gateway, and a request for its certificate (PKCS#10)."`
	Verify   certsVerifyCmd   `cmd:"" help:"Judge one certificate by what is given, without a gateway. Exit code 0: valid, 1: not, 2: it was not clear what was asked for."`
	Issue    certsIssueCmd    `cmd:"" help:"Have certificates of the company's own addresses issued ahead of time."`
	Renew    certsRenewCmd    `cmd:"" help:"Have other certificates issued, with new keys, to addresses that may have some."`
	Revoke   certsRevokeCmd   `cmd:"" help:"Revoke a certificate that was issued here."`
	CA       certsCACmd       `cmd:"" name:"ca" help:"Make and look after the built-in CA."`
}

// certsFlags are common to the commands that the running gateway carries out.
type certsFlags struct {
	controlFlags
	JSON bool `name:"json" help:"Print JSON."`
}
