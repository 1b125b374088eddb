package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/siegel-mail/siegel/gateway/addin"
	"github.com/siegel-mail/siegel/outlook"
)

// outlookCmd groups what an administrator needs for the add-in.
type outlookCmd struct {
	Check    outlookCheckCmd    `cmd:"" help:"Try what the add-in rests on: its certificate, the keys of Entra ID and of Exchange servers, their clocks."`
	Manifest outlookManifestCmd `cmd:"" help:"Write the manifests of the add-in for Outlook: siegel-outlook.xml for Exchange and Microsoft 365, and siegel-outlook.json with siegel-outlook.zip, the unified manifest of Microsoft 365."`
}

// outlookManifestCmd writes manifests.
type outlookManifestCmd struct {
	URL         string `name:"url" placeholder:"URL" help:"Where Outlook reaches the add-in at the gateway, such as https://gw.firma.example/outlook/; without a path it is outlook.url, and /outlook/ is added. Where it is not given: outlook.url of the configuration."`
	Config      string `short:"c" default:"/etc/siegel/siegel.yaml" type:"path" env:"SIEGEL_CONFIG" placeholder:"FILE" help:"Configuration of the gateway, read where --url is not given (${default})."`
	ID          string `name:"id" placeholder:"GUID" help:"The add-in's ID; always the same for the same address where it is not given."`
	Name        string `placeholder:"TEXT" help:"What users see over the buttons (Siegel)."`
	Provider    string `placeholder:"TEXT" help:"Who offers the add-in, as users see it; the name where it is not given."`
	Support     string `placeholder:"URL" help:"A page with help for users."`
	EntraClient string `name:"entra-client-id" placeholder:"GUID" help:"The application registered in Entra, by which users prove who they are. Where neither this nor --url is given: outlook.entra of the configuration."`
	EntraURI    string `name:"entra-uri" placeholder:"URI" help:"The identifier URI of that application (api://HOST/CLIENT-ID)."`
	NoAlerts    bool   `name:"no-alerts" help:"Leave out what warns on sending, for Exchange servers older than 2019 CU12 and 2016 CU22, which refuse it."`
	Format      string `enum:"all,xml,json,zip" default:"all" help:"Which to write: all, xml, json or zip."`
	Out         string `placeholder:"DIR" default:"." help:"The folder to write into (${default}); - writes the one that --format names to standard output."`
}

// Run writes the files and says what to do with them.
func (c *outlookManifestCmd) Run(k *kong.Kong, w io.Writer) error {
	if c.Out == "-" && c.Format == "all" {
		return usageError("--out - writes one file: say which with --format xml, json or zip")
	}
	o, err := c.options(k)
	if err != nil {
		return err
	}
	xml, json, err := outlook.Manifest(o)
	if err != nil {
		return usageError(err.Error())
	}
	zip, err := outlook.Package(o)
	if err != nil {
		return err
	}
	files := []struct {
		format string
		data   []byte
		what   string
	}{
		{"xml", xml, "for Exchange (New-App -OrganizationApp), and for Microsoft 365 (Integrated apps, Office Add-in)"},
		{"json", json, "the unified manifest, to read"},
		{"zip", zip, "the unified manifest as Microsoft 365 takes it (Integrated apps, Teams app)"},
	}
	for _, f := range files {
		if c.Format != "all" && c.Format != f.format {
			continue
		}
		if c.Out == "-" {
			_, err := w.Write(f.data)
			return err
		}
		name := filepath.Join(c.Out, "siegel-outlook."+f.format)
		if err := os.WriteFile(name, f.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: %s\n", name, f.what)
	}
	return nil
}

// options are what the command line says, and where that has no address, the configuration.
func (c *outlookManifestCmd) options(k *kong.Kong) (outlook.Options, error) {
	o := outlook.Options{
		URL: c.URL, ID: c.ID, Name: c.Name, Provider: c.Provider, Support: c.Support,
		EntraClient: c.EntraClient, EntraResource: c.EntraURI, WithoutAlerts: c.NoAlerts,
	}
	if c.URL != "" {
		// Whoever gives outlook.url as it stands in the configuration means the pages there: the gateway has nothing at the root.
		if u, err := url.Parse(c.URL); err == nil && u.Host != "" && (u.Path == "" || u.Path == "/") && u.RawQuery == "" && u.Fragment == "" {
			o.URL = strings.TrimSuffix(c.URL, "/") + addin.Root
		}
		return o, nil
	}
	config, _, err := configFile{c.Config}.load(k)
	if err != nil {
		return o, err
	}
	if config.Outlook.Origin() == "" {
		return o, usageError("the configuration has no outlook.url: give the address with --url, such as https://gw.firma.example/outlook/")
	}
	o.URL = config.Outlook.Origin() + addin.Root
	if entra := config.Outlook.Entra; o.EntraClient == "" && entra.Enabled() {
		o.EntraClient = entra.ClientID
		if o.EntraResource == "" {
			o.EntraResource = entra.Resource()
		}
	}
	return o, nil
}
