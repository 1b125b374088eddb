package entity_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/siegel-mail/siegel/smime/entity"
)

// A message is made fit for signing: what is not 7-bit gets another transfer encoding, all else passes.
func Example() {
	message := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe aus M\u00fcnchen\r\n" +
		"--b\r\n\r\nFrom here on \r\n--b--\r\n"
	root, err := entity.Scan(strings.NewReader(message), entity.Limits{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for _, p := range root.Parts {
		fmt.Printf("%s: bytes %d to %d\n", p.Type.Type, p.Start, p.End)
	}
	var out strings.Builder
	root.Convert(&out, strings.NewReader(message), entity.SevenBit)
	fmt.Print(strings.ReplaceAll(out.String(), "\r", ""))
	// Output:
	// text/plain: bytes 50 to 146
	// text/plain: bytes 153 to 168
	// Content-Type: multipart/mixed; boundary=b
	//
	// --b
	// Content-Type: text/plain; charset=utf-8
	// Content-Transfer-Encoding: quoted-printable
	//
	// Gr=C3=BC=C3=9Fe aus M=C3=BCnchen
	// --b
	// Content-Transfer-Encoding: quoted-printable
	//
	// =46rom here on=20
	// --b--
}

// A header keeps every byte of the fields that are not touched.
func ExampleHeader() {
	h, _, err := entity.Read(strings.NewReader("SUBJECT:  folded\r\n as it came\r\nX-Siegel-Verdict: valid\r\n\r\nbody"), 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	h.DelPrefix("x-siegel-")
	h.InsertTop("X-Siegel-Verdict", "unsigned")
	fmt.Print(strings.ReplaceAll(string(h.Bytes()), "\r", ""))
	subject, _ := h.Get("Subject")
	fmt.Println(subject)
	// Output:
	// X-Siegel-Verdict: unsigned
	// SUBJECT:  folded
	//  as it came
	// folded as it came
}
