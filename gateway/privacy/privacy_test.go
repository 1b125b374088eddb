package privacy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/siegel-mail/siegel/gateway/mail"
	"github.com/siegel-mail/siegel/gateway/privacy"
	"github.com/siegel-mail/siegel/smime/entity"
)

func rules(t testing.TB) privacy.Rules {
	t.Helper()
	inside, err := mail.ParsePatterns("@firma.example", "@*.firma.example")
	if err != nil {
		t.Fatal(err)
	}
	return privacy.Rules{
		Hostname: "mx.firma.example", HideReceived: true, Inside: inside,
		Remove: []string{"X-MS-Exchange-Organization-*", "X-Originating-IP", "msip_label*"},
	}
}

func clean(t testing.TB, r privacy.Rules, text string) string {
	t.Helper()
	h, _, err := entity.Read(strings.NewReader(text+"\r\n"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(r.Clean(h).Bytes())
}

// As Exchange sends it: what is of the company goes, every other byte stays.
func TestClean(t *testing.T) {
	in := "X-Siegel-Sign: yes\r\n" +
		"Received: from EX1.ad.firma.example ([10.0.0.5]) by mx.firma.example with ESMTPS id 0123456789\r\n for <bob@partner.example> tls TLS_AES_128_GCM_SHA256; Sun, 1 Mar 2026 12:00:00 +0100\r\n" +
		"Received: from EX2.ad.firma.example (10.0.0.6) by EX1.ad.firma.example (10.0.0.5) with Microsoft SMTP\r\n\tServer id 15.2; Sun, 1 Mar 2026 11:59:59 +0100\r\n" +
		"Received: from pc-chef ([fd00::1]) by EX2 with mapi; Sun, 1 Mar 2026 11:59:58 +0100\r\n" +
		"From: \"Chef\" <chef@firma.example>\r\n" +
		"msip_labels: MSIP_Label_1_Enabled=true;\r\n MSIP_Label_1_Name=Streng vertraulich\r\n" +
		"MSIP_Label_1_enabled: true\r\n" +
		"X-MS-Exchange-Organization-AuthAs: Internal\r\nx-ms-exchange-organization-scl: -1\r\n" +
		"X-MS-Exchange-Organization: not with a name behind\r\n" +
		"x-originating-ip: [10.0.0.77]\r\nX-Originating-IPv6: kept\r\nX-DE-MAIL-Auth: x\r\n" +
		"Subject : odd\r\n  folding \r\n"
	want := "Received: by mx.firma.example with ESMTPS id 0123456789; Sun, 1 Mar 2026\r\n 12:00:00 +0100\r\n" +
		"From: \"Chef\" <chef@firma.example>\r\n" +
		"X-MS-Exchange-Organization: not with a name behind\r\nX-Originating-IPv6: kept\r\n" +
		"Subject : odd\r\n  folding \r\n"
	if got := clean(t, rules(t), in); got != want {
		t.Errorf("got:\n%s", got)
	}
	r := rules(t)
	r.HideReceived = false
	if got := clean(t, r, in); strings.Count(got, "Received:") != 3 || !strings.Contains(got, "EX1.ad.firma.example ([10.0.0.5])") {
		t.Errorf("Received is to stay:\n%s", got)
	}
	if got := clean(t, privacy.Rules{}, in); strings.Contains(got, "X-Siegel") || strings.Contains(got, "X-DE") || strings.Count(got, "\r\n") != strings.Count(in, "\r\n")-2 {
		t.Errorf("without rules:\n%s", got)
	}
}

func TestReceived(t *testing.T) {
	const own = "Received: by mx.firma.example with SMTP; Sun, 1 Mar 2026 12:00:00 +0100\r\n"
	for in, keeps := range map[string]bool{
		"from a.example by mx.partner.example with ESMTP id 1; x":                true,
		"from pc (10.0.0.1) by mx.partner.example; x":                            true, // theirs
		"by 2002:a05:6000::1 with SMTP id x; y":                                  true,
		"from [192.0.2.1] by [198.51.100.7]; x":                                  true,
		"(by ex.firma.example) from a by mx.partner.example; x":                  true,
		"from a.example by notfirma.example; x":                                  true,
		"from a.example by firma.example.partner.example; x":                     true,
		"from a.example by ex.firma.example; x":                                  false,
		"from a.example (a (b) \\) c) BY EX.FIRMA.EXAMPLE. (10.0.0.5) with X; y": false,
		"from a.example by firma.example; x":                                     false,
		"from a.example by ex.firma.local; x":                                    false,
		"from a.example by ex; x":                                                false,
		"from a.example by [10.0.0.5]; x":                                        false,
		"from a.example by 192.168.0.5; x":                                       false,
		"from a.example by [IPv6:fd00::5]; x":                                    false,
		"from a.example by ::ffff:10.0.0.5; x":                                   false,
		"from a.example by gw.home.arpa; x":                                      false,
		"from a.example (by mx.partner.example); x":                              false, // who wrote it cannot be told
		"from by": false,
		"":        false,
	} {
		got := clean(t, rules(t), own+"Received: "+in+"\r\n")
		if want := own + "Received: " + in + "\r\n"; (got == want) != keeps || !keeps && got != own {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// The gateway's own lines stay, so that a message that goes round grows by one each time and is found; what they
// say of clients inside goes.
func TestOwnReceivedStays(t *testing.T) {
	line := "Received: from %s by mx.firma.example with ESMTP id %d; Sun, 1 Mar 2026 12:00:00 +0100\r\n"
	header := ""
	for round := range 5 {
		header = clean(t, rules(t), fmt.Sprintf(line, "ex.firma.example ([10.0.0.5])", round)+
			"Received: from mx (10.0.0.8) by ex.firma.example; x\r\n"+
			fmt.Sprintf(line, "forwarder.example ([192.0.2.7])", 100+round)+header)
		if n := strings.Count(header, "Received:"); n != 2*(round+1) {
			t.Errorf("round %d: %d fields", round, n)
		}
	}
	if strings.Contains(header, "10.0.0") || strings.Count(header, "forwarder.example") != 5 {
		t.Errorf("%s", header)
	}
	long := clean(t, rules(t), "Received: from pc by mx.firma.example id "+strings.Repeat("x", 1200)+"; y\r\n")
	if long != "Received: by mx.firma.example\r\n" {
		t.Errorf("%q", long)
	}
}

// Whatever is in a header, nothing is added but one line of the gateway, and cleaning twice is as once.
func FuzzClean(f *testing.F) {
	f.Add("Received: from a (b [10.0.0.1]) by mx.firma.example with X id Y for <z>; date\r\nX-Siegel-A: b\r\n")
	f.Add("Received: by (((\r\n \\)by by from ;;\r\n")
	f.Add("MSIP_LABEL: x\r\nFrom : a\r\n b\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		h, _, err := entity.Read(strings.NewReader(text), 1<<16)
		if err != nil {
			return
		}
		once := rules(t).Clean(h)
		if twice := rules(t).Clean(once); string(twice.Bytes()) != string(once.Bytes()) {
			t.Errorf("%q, then %q", once.Bytes(), twice.Bytes())
		}
		for _, field := range once.Fields() {
			if field.HasPrefix("X-Siegel-") || field.HasPrefix("msip_label") {
				t.Errorf("%q stays", field.Raw)
			}
			if !field.Is("Received") && !strings.Contains(text, strings.TrimSuffix(string(field.Raw), "\r\n")) {
				t.Errorf("%q is new", field.Raw)
			}
		}
	})
}

func ExampleRules_Clean() {
	h, _, _ := entity.Read(strings.NewReader("X-Originating-IP: 10.0.0.7\r\nReceived: from pc by ex; today\r\nSubject: hello\r\n\r\n"), 0)
	r := privacy.Rules{Remove: []string{"X-Originating-IP"}, HideReceived: true}
	fmt.Printf("%q\n", r.Clean(h).Bytes())
	// Output: "Subject: hello\r\n"
}
