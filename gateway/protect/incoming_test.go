package protect

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/siegel-mail/siegel/gateway/queue"
	"github.com/siegel-mail/siegel/gateway/track"
	"github.com/siegel-mail/siegel/smime"
	"github.com/siegel-mail/siegel/smime/entity"
)

// der is an element of a tag.
func der(tag byte, content ...string) string {
	all := strings.Join(content, "")
	n := len(all)
	return string([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}) + all
}

// Whatever a message holds, it is delivered once it was taken: nothing in it keeps the findings from being written.
func TestPrepareNeverFails(t *testing.T) {
	const data, enveloped = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
	longOID := der(0x06, "\x2a"+strings.Repeat("\x83\x7f", 1900))
	envelope := der(0x30, enveloped, der(0xa0, der(0x30, "\x02\x01\x00", "\x31\x00", der(0x30, data, der(0x30, longOID), "\x80\x10"+strings.Repeat("x", 16)))))
	cms := "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n"
	for name, c := range map[string]struct{ header, body, layer string }{
		"a name of an algorithm without end": {cms, base64.StdEncoding.EncodeToString([]byte(envelope)), "enveloped; 1.2."},
		"a header as long as the door takes": {strings.Repeat("X-A: "+strings.Repeat("y", 1017)+"\r\n", headerLimit/1024), "text", ""},
		"a subject without end":              {"Subject: " + strings.Repeat("x", 100_000) + "\r\n", "text", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Marks = english })
			got := b.prepare(t, "Received: from x\r\nFrom: bob@partner.example\r\n"+c.header+"\r\n"+c.body+"\r\n", false)
			h, _, err := entity.Read(bytes.NewReader(got), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if v, _ := h.Get("X-Siegel-Verdict"); v != "unsigned" {
				t.Errorf("verdict %q", v)
			}
			if v, _ := h.Get("X-Siegel-Layer-1"); !strings.HasPrefix(v, c.layer) || len(v) > 200 {
				t.Errorf("layer %q", v)
			}
		})
	}
}

// The fields about a layer fit a header, whatever stands in its certificates.
func TestLayerFieldsAreBounded(t *testing.T) {
	long := strings.Repeat("ü\"\\", 10_000)
	signer := smime.SignerVerdict{Address: long, Subject: long, Issuer: long, Serial: strings.Repeat("f", 10_000), Algorithm: strings.Repeat("1.", 5000),
		Verdict: smime.Broken, Reasons: []string{long, long}}
	l := smime.Layer{Type: smime.TypeSigned, Form: smime.FormOpaque, Algorithm: strings.Repeat("1.", 5000), Verdict: smime.Broken}
	for range 100 {
		l.Signers = append(l.Signers, signer)
	}
	total := 0
	for _, f := range layerFields(1, l) {
		field, err := entity.NewField(f[0], f[1])
		if err != nil {
			t.Fatal(err)
		}
		total += len(field.Raw)
	}
	if total > 40<<10 {
		t.Errorf("%d bytes", total)
	}
}

// The event about a message is bounded as well: thousands of them are kept in memory.
func TestOpenedEventIsBounded(t *testing.T) {
	m := track.NewMemory(1)
	p := &Protector{o: Options{Recorder: m, Now: time.Now}}
	signer := smime.SignerVerdict{Address: strings.Repeat("ü", 100_000), Serial: strings.Repeat("f", 100_000), Verdict: smime.Untrusted}
	l := smime.Layer{Type: smime.TypeSigned, Form: smime.FormClear, Verdict: smime.Untrusted, Signers: []smime.SignerVerdict{signer}}
	p.recordOpened(queue.Claim{}, &smime.Opened{Report: smime.Report{Layers: []smime.Layer{l}}}, nil)
	if text := fmt.Sprintf("%+v", m.Events()); len(text) > 2000 {
		t.Errorf("%d bytes", len(text))
	}
}
