package main

// certsCmd looks after certificates and keys. What changes them is done by the running gateway, and stands in its audit log.
type certsCmd struct {
	Verify certsVerifyCmd `cmd:"" help:"Judge one certificate by what is given, without a gateway. Exit code 0: valid, 1: not, 2: it was not clear what was asked for."`
	Import certsImportCmd `cmd:"" help:"Keep the certificates and keys of files, and of all files in folders."`
	Issue  certsIssueCmd  `cmd:"" help:"Have certificates of the company's own addresses issued ahead of time."`
	Renew  certsRenewCmd  `cmd:"" help:"Have other certificates issued, with new keys, to addresses that may have some."`
	Revoke certsRevokeCmd `cmd:"" help:"Revoke a certificate that was issued here."`
	CA     certsCACmd     `cmd:"" name:"ca" help:"Make and look after the built-in CA."`
}

// certsFlags are common to the commands that the running gateway carries out.
type certsFlags struct {
	controlFlags
	JSON bool `name:"json" help:"Print JSON."`
}
