package cms

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestDeriveOpenSSL holds both key derivation functions to openssl's, for keys of every size, with keying material and
// without.
func TestDeriveOpenSSL(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	for _, s := range agreementSchemes() {
		for _, size := range []int{16, 24, 32} {
			for _, ukm := range [][]byte{nil, []byte("keying material of the sender")} {
				info := sharedInfo(algorithm{oid: wrapOID(size)}, ukm, size)
				args := []string{"kdf", "-keylen", fmt.Sprint(size), "-kdfopt", "digest:" + strings.ReplaceAll(s.hash.String(), "-", ""),
					"-kdfopt", "hexinfo:" + hex.EncodeToString(info)}
				if s.hkdf {
					args = append(args, "-kdfopt", "hexkey:"+hex.EncodeToString(secret))
					if ukm != nil { // RFC 8418, 2.2
						args = append(args, "-kdfopt", "hexsalt:"+hex.EncodeToString(ukm))
					}
					args = append(args, "HKDF")
				} else {
					args = append(args, "-kdfopt", "hexsecret:"+hex.EncodeToString(secret), "X963KDF")
				}
				want := strings.ReplaceAll(strings.TrimSpace(string(openssl(t, nil, args...))), ":", "")
				if got := fmt.Sprintf("%X", s.derive(secret, ukm, info, size)); got != want {
					t.Errorf("%s, %d bytes, ukm %q: %s, not %s", s.oid, size, ukm, got, want)
				}
			}
		}
	}
}

// TestSharedInfo has the octets of ECC-CMS-SharedInfo.
func TestSharedInfo(t *testing.T) {
	for want, got := range map[string][]byte{
		"3015300b0609608648016503040105" + "a206040400000080":                           sharedInfo(algorithm{oid: oidAES128Wrap}, nil, 16),
		"301d300d06096086480165030401" + "2d0500" + "a0040402abcd" + "a206040400000100": sharedInfo(algorithm{oidAES256Wrap, null()}, []byte{0xab, 0xcd}, 32),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("%x, not %s", got, want)
		}
	}
}

// TestKeyWrapRFC3394 has the vectors of RFC 3394, 4.
func TestKeyWrapRFC3394(t *testing.T) {
	kek, data := make([]byte, 32), make([]byte, 32)
	for i := range kek {
		kek[i], data[i] = byte(i), 0x11*byte(i%16)
	}
	copy(data[16:], kek[:16])
	for _, c := range []struct {
		kek, data int
		want      string
	}{
		{16, 16, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{24, 16, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
		{32, 16, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
		{24, 24, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
		{32, 24, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
		{32, 32, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
	} {
		wrapped, err := wrapKey(kek[:c.kek], data[:c.data])
		if err != nil || hex.EncodeToString(wrapped) != c.want {
			t.Errorf("%d under %d: %x, %v", c.data, c.kek, wrapped, err)
		}
		if key, ok := unwrapKey(kek[:c.kek], wrapped, c.data); !ok || !bytes.Equal(key, data[:c.data]) {
			t.Errorf("%d under %d: %x", c.data, c.kek, key)
		}
		for i := range wrapped {
			bad := bytes.Clone(wrapped)
			bad[i] ^= 1
			if _, ok := unwrapKey(kek[:c.kek], bad, c.data); ok {
				t.Errorf("%d under %d: octet %d changed and nothing noticed", c.data, c.kek, i)
			}
		}
	}
	for _, bad := range []struct{ kek, wrapped, size int }{{16, 0, 16}, {16, 8, 0}, {16, 16, 8}, {16, 25, 17}, {16, 32, 16}, {15, 24, 16}, {0, 24, 16}} {
		if _, ok := unwrapKey(make([]byte, bad.kek), make([]byte, bad.wrapped), bad.size); ok {
			t.Errorf("%+v", bad)
		}
	}
}
