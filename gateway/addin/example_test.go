package addin_test

import (
	"fmt"

	"github.com/siegel-mail/siegel/gateway/addin"
)

func ExampleParseTable() {
	table, faults := addin.ParseTable("5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f: alice@firma.example, info@firma.example\nbob: bob@firma.example\n")
	fmt.Println(table["5f0c1d2e-0a1b-4c2d-8e3f-4a5b6c7d8e9f"])
	for _, f := range faults {
		fmt.Println("line", f.Line)
	}
	// Output:
	// [alice@firma.example info@firma.example]
	// line 2
}

func ExamplePageOf() {
	ours := addin.PageOf("https://siegel.firma.example")
	fmt.Println(ours("https://siegel.firma.example:443/outlook/read.html?et="), ours("https://siegel.firma.example.evil.example/outlook/read.html"))
	// Output: true false
}
