package configs_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/configs"
)

func ExampleParse() {
	text := `hostnam: mail.firma.example
log: {level: info, format: xml}
queue: {expire: a while}
`
	c, problems := configs.Parse("siegel.yaml", []byte(text), configs.Options{Environ: []string{}})
	fmt.Println("usable:", c != nil)
	for _, p := range problems[:3] {
		fmt.Println(p)
	}
	// Output:
	// usable: false
	// siegel.yaml:1:1: error: at_rest.key: this key is missing; add it, for example key: {file: /etc/siegel/at-rest.key}
	// siegel.yaml:1:1: warning: certificates.folder: without a folder of certificates, and with none imported (siegel certs import), nothing can be signed, encrypted or decrypted
	// siegel.yaml:1:1: error: hostnam: this key is not known; did you mean hostname?
}

func ExampleConfig_Settings() {
	c, _ := configs.Load("/etc/siegel/siegel.yaml", configs.Options{})
	if c == nil {
		return
	}
	for _, s := range c.Settings() {
		fmt.Println(s.Key, "is", s.Text(), "from", s.From())
	}
}

func ExampleParseDuration() {
	d, err := configs.ParseDuration("1d12h")
	fmt.Println(d, err, configs.FormatDuration(d))
	// Output: 36h0m0s <nil> 1d12h
}

func ExampleParseSize() {
	s, err := configs.ParseSize("50 MB")
	fmt.Println(int64(s), err, s)
	// Output: 50000000 <nil> 50 MB
}
