package purview_test

import (
	"fmt"
	"mime"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/siegel-mail/siegel/gateway/purview"
)

const (
	secret  = "f42aa342-8706-4288-bd11-ebb85995028c"
	general = "4342314e-0df4-4b58-84bf-38bed6170a0f"
	ours    = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	theirs  = "3dd8961f-e488-4e60-8e11-a82d994e183d"
)

// As Microsoft's programs write it, unfolded.
const real = "MSIP_Label_" + secret + "_ActionId=129c7584-f6a0-4c6f-857c-71af1370e5e1; MSIP_Label_" + secret + "_ContentBits=0; MSIP_Label_" + secret +
	"_Enabled=true; MSIP_Label_" + secret + "_Method=Standard; MSIP_Label_" + secret + "_Name=Third Party_New; MSIP_Label_" + secret +
	"_SetDate=2022-05-31T14:08:36Z; MSIP_Label_" + secret + "_SiteId=" + ours + ";MSIP_Label_" + secret + "_Tag=10, 0, 1, 1; aiplabel=External Public"

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields [][2]string
		has    bool
	}{
		{"as it is written", [][2]string{{"msip_labels", real}}, true},
		{"in capitals", [][2]string{{"MSIP_Labels", strings.ToUpper(real)}}, true},
		{"in encoded words", [][2]string{{"msip_labels", mime.QEncoding.Encode("utf-8", real+"ü")}}, true},
		{"in base64", [][2]string{{"msip_labels", mime.BEncoding.Encode("utf-8", real+"ü")}}, true},
		{"the tenant first", [][2]string{{"msip_labels", "MSIP_Label_" + secret + "_SiteId=" + ours + "; MSIP_Label_" + secret + "_Enabled=True"}}, true},
		{"in two fields", [][2]string{{"msip_labels", "MSIP_Label_" + secret + "_SiteId=" + ours}, {"msip_labels", "MSIP_Label_" + secret + "_Enabled=True"}}, true},
		{"single fields", [][2]string{{"msip_label_" + secret + "_enabled", " true "}, {"MSIP_LABEL_" + secret + "_SITEID", ours}}, true},
		{"of two tenants", [][2]string{{"msip_labels", strings.ReplaceAll(strings.ReplaceAll(real, secret, general), ours, theirs)}, {"msip_labels", real}}, true},
		{"of another tenant", [][2]string{{"msip_labels", strings.ReplaceAll(real, ours, theirs)}}, false},
		{"another label", [][2]string{{"msip_labels", strings.ReplaceAll(real, secret, general)}}, false},
		{"replaced", [][2]string{{"msip_labels", strings.ReplaceAll(real, "Enabled=true", "Enabled=false")}}, false},
		{"nothing of Enabled", [][2]string{{"msip_labels", "MSIP_Label_" + secret + "_SiteId=" + ours}}, false},
		{"nothing of the tenant", [][2]string{{"msip_labels", "MSIP_Label_" + secret + "_Enabled=true"}}, false},
		{"no GUID", [][2]string{{"msip_labels", "MSIP_Label_Secret_Enabled=true; MSIP_Label_Secret_SiteId=" + ours}}, false},
		{"cut off", [][2]string{{"msip_labels", "MSIP_Label_" + secret + "_"}, {"msip_label_" + secret, "true"}, {"msip_label_", "true"}}, false},
		{"in another field", [][2]string{{"Subject", real}}, false},
		{"in a name", [][2]string{{"msip_labels", "MSIP_Label_" + general + "_Name=MSIP_Label_" + secret + "_Enabled=true"}}, false},
		{"nothing", nil, false},
	} {
		var l purview.Labels
		for _, f := range c.fields {
			l.Add(f[0], f[1])
		}
		if got := l.Has(secret, ours); got != c.has {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// A header with very many labels is read as far as any honest one is long.
func TestBounds(t *testing.T) {
	var l purview.Labels
	for i := range 1000 {
		id := fmt.Sprintf("%08x-0000-0000-0000-000000000000", i)
		l.Add("msip_labels", "MSIP_Label_"+id+"_Enabled=true; MSIP_Label_"+id+"_SiteId="+ours)
	}
	if !l.Has("0000001f-0000-0000-0000-000000000000", ours) || l.Has("00000020-0000-0000-0000-000000000000", ours) {
		t.Error("not the first 32 are kept")
	}
	var long purview.Labels
	long.Add("msip_labels", strings.Repeat(" ", 64<<10)+real)
	if long.Has(secret, ours) {
		t.Error("more than 64 KiB of a field was read")
	}
}

// In whatever order and form what is said of labels stands, it is found.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		enabled := rapid.Bool().Draw(t, "enabled")
		said := []string{
			fmt.Sprintf("MSIP_Label_%s_Enabled=%t", secret, enabled), "MSIP_Label_" + secret + "_SiteId=" + ours, "MSIP_Label_" + secret + "_Name=A; b=c",
			"MSIP_Label_" + general + "_Enabled=true", "MSIP_Label_" + general + "_SiteId=" + theirs, "x", "=", "",
		}
		value := strings.Join(rapid.Permutation(said).Draw(t, "order"), rapid.SampledFrom([]string{";", "; ", " ;\t"}).Draw(t, "between"))
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 1:
			value = mime.QEncoding.Encode("iso-8859-1", value+";\xfc")
		case 2:
			value = strings.ToLower(value)
		}
		var l purview.Labels
		l.Add("msip_labels", value)
		if l.Has(secret, ours) != enabled || l.Has(secret, theirs) || !l.Has(general, theirs) || l.Has(general, ours) {
			t.Fatalf("%q", value)
		}
	})
}

// FuzzLabels gives it any field: what it finds was written there.
func FuzzLabels(f *testing.F) {
	f.Add("msip_labels", real)
	f.Add("msip_label_"+secret+"_siteid", ours)
	f.Add("MSIP_LABELS", "=?utf-8?q?MSIP=5FLabel=5F?= ;;=;")
	f.Fuzz(func(t *testing.T, name, value string) {
		var l purview.Labels
		l.Add(name, value)
		l.Add("msip_label_"+general+"_siteid", theirs)
		if l.Has(secret, ours) && !strings.HasPrefix(strings.ToLower(name), "msip_label") {
			t.Errorf("%q: %q", name, value)
		}
	})
}

func ExampleLabels() {
	var l purview.Labels
	l.Add("msip_labels", "MSIP_Label_f42aa342-8706-4288-bd11-ebb85995028c_Enabled=true; MSIP_Label_f42aa342-8706-4288-bd11-ebb85995028c_SiteId=72f988bf-86f1-41af-91ab-2d7cd011db47")
	fmt.Println(l.Has("f42aa342-8706-4288-bd11-ebb85995028c", "72f988bf-86f1-41af-91ab-2d7cd011db47"))
	// Output: true
}
