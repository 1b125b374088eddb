package webservice_test

import (
	"fmt"
	"strings"

	"github.com/siegel-mail/siegel/connectors/webservice"
)

// A profile that lacks something says where, and what to do.
func ExampleLoad() {
	_, err := webservice.Load(strings.NewReader(`name: provider
path: /mail
namespaces: {p: "urn:provider"}
operations:
  domains:
    request: |
      <p:GetDomains>
        <p:Account>${acount}</p:Account>
      </p:GetDomains>
    answer:
      root: p:Domains
      each: p:Domains/p:Domain[
      domain: .
`), "provider.yaml")
	first, rest, _ := strings.Cut(err.Error(), "\n")
	fmt.Println(first)
	for line := range strings.SplitSeq(rest, "\n") {
		if strings.Contains(line, "missing") {
			fmt.Println(line)
		}
	}
	// Output:
	// provider.yaml:5: operations.submit: this operation is missing; add it
	// provider.yaml:5: operations.list: this operation is missing; add it
	// provider.yaml:5: operations.fetch: this operation is missing; add it
	// provider.yaml:5: operations.acknowledge: this operation is missing; add it
}

// What went wrong with a submission decides whether it may be tried again.
func ExampleClassOf() {
	var err error = &webservice.Error{Class: webservice.InDoubt, Operation: webservice.OpSubmit, Reason: "no answer came to the request: unexpected EOF"}
	fmt.Println(webservice.ClassOf(err))
	fmt.Println(err)
	// Output:
	// in-doubt
	// web service: submit: in-doubt: no answer came to the request: unexpected EOF
}
