package main

// certsCmd looks after certificates and keys. What changes them is done by the running gateway, and stands in its audit log.
type certsCmd struct {
	Import certsImportCmd `cmd:"" help:"Keep the certificates and keys of files, and of all files in folders."`
}

// certsFlags are common to the commands that the running gateway carries out.
type certsFlags struct {
	controlFlags
	JSON bool `name:"json" help:"Print JSON."`
}
