package interop

import "regexp"

// reasons are what programs say where they cannot, and what it means. The first that fits is taken.
var reasons = []struct {
	peer  string // the end of its name
	sign  *regexp.Regexp
	words string
}{
	{"OpenSSL", regexp.MustCompile(`illegal zero content`), "cannot stream RSASSA-PSS: “illegal zero content”"},
	{"OpenSSL", regexp.MustCompile(`eddsa_digest_signverify_init:invalid digest`), "has no Ed25519 in CMS: “eddsa_digest_signverify_init:invalid digest”"},
	{"OpenSSL", regexp.MustCompile(`EncryptedContent_init_bio:(unsupported content encryption algorithm|unknown cipher)`), "has no ChaCha20-Poly1305 in CMS: “unknown cipher”, “unsupported content encryption algorithm”"},
	{"OpenSSL", regexp.MustCompile(`evp_pkey_asym_cipher_init:operation not supported for this keytype|no matching recipient|Error decrypting CMS using private key$`), "has no X25519 in CMS: “operation not supported for this keytype”, “no matching recipient”"},

	{"gpgsm", regexp.MustCompile(`TLV length too large`), "reads no signer that is named by its key identifier: “ber-decoder: TLV length too large”"},
	{"gpgsm", regexp.MustCompile(`hash is not valid for a`), "wants a digest as long as the curve: “a 256 bit hash is not valid for a 384 bit ECC key”"},
	{"gpgsm", regexp.MustCompile(`requires the hash length to be a multiple of 8 bits`), "verifies neither P-521 nor Ed25519: “DSA requires the hash length to be a multiple of 8 bits”"},
	{"gpgsm", regexp.MustCompile(`error creating signature: Invalid length`), "signs no digest that is shorter than the curve: “Invalid length”"},
	{"gpgsm", regexp.MustCompile(`can't sign using .*: No secret key`), "imports no private key of this kind: “No secret key”"},
	{"gpgsm", regexp.MustCompile(`error getting IV: Buffer too short`), "has no GCM: “error getting IV: Buffer too short”"},
	{"gpgsm", regexp.MustCompile(`unsupported algorithm '1.2.840.113549.1.9.16.3.18'`), "has no ChaCha20-Poly1305: “unsupported algorithm '1.2.840.113549.1.9.16.3.18'”"},
	{"gpgsm", regexp.MustCompile(`encrypted to nistp\S+ key|encrypted to brainpool\S+ key`), "does not finish key agreement: “decrypting session key failed: Invalid session key”"},
	{"gpgsm", regexp.MustCompile(`error getting encrypted session key`), "has neither RSAES-OAEP nor X25519: “error getting encrypted session key”"},
	{"gpgsm", regexp.MustCompile(`Provided object is too short|Invalid S-expression`), "fails to encrypt by key agreement: “Provided object is too short”, “Invalid S-expression”"},

	{"NSS", regexp.MustCompile(`BadSignature .*SEC_ERROR_INVALID_ARGS`), "verifies no RSASSA-PSS under a certificate for nothing else: “SEC_ERROR_INVALID_ARGS”"},
	{"NSS", regexp.MustCompile(`BadSignature .*SEC_ERROR_UNRECOGNIZED_OID`), "has no Brainpool curves: “SEC_ERROR_UNRECOGNIZED_OID”"},
	{"NSS", regexp.MustCompile(`ProcessingError .*SEC_ERROR_PKCS7_BAD_SIGNATURE`), "has no Ed25519 in CMS: “ProcessingError”"},
	{"NSS", regexp.MustCompile(`failed to encode data: SEC_ERROR_INVALID_KEY`), "does not sign with Brainpool keys: “SEC_ERROR_INVALID_KEY”"},
	{"NSS", regexp.MustCompile(`SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY`), "imports no private key of this kind: “SEC_ERROR_PKCS12_UNABLE_TO_IMPORT_KEY”"},
	{"NSS", regexp.MustCompile(`failed to decode message.*SEC_ERROR_UNRECOGNIZED_OID`), "has no AuthEnvelopedData: “SEC_ERROR_UNRECOGNIZED_OID”"},
	{"NSS", regexp.MustCompile(`SEC_ERROR_UNSUPPORTED_KEYALG`), "has no RSAES-OAEP: “SEC_ERROR_UNSUPPORTED_KEYALG”"},
	{"NSS", regexp.MustCompile(`SEC_ERROR_BAD_DER`), "does not parse recipients by ECDH: “SEC_ERROR_BAD_DER”"},
	{"NSS", regexp.MustCompile(`cannot create CMS recipientInfo object.*SEC_ERROR_INVALID_ALGORITHM`), "encrypts by no ECDH: “SEC_ERROR_INVALID_ALGORITHM”"},

	{"pkcs7", regexp.MustCompile(`Message has no signers`), "reads no signer that is named by its key identifier: “Message has no signers”"},
	{"pkcs7", regexp.MustCompile(`unsupported algorithm "1.2.840.113549.1.1.10"`), "has no RSASSA-PSS: “unsupported algorithm \"1.2.840.113549.1.1.10\"”"},
	{"pkcs7", regexp.MustCompile(`unsupported algorithm "1.3.101.112"|unknown private key type ed25519`), "has no Ed25519: “unsupported algorithm”, “unknown private key type”"},
	{"pkcs7", regexp.MustCompile(`x509: unsupported elliptic curve`), "reads no message with a Brainpool certificate in it: “unsupported elliptic curve”"},
	{"pkcs7", regexp.MustCompile(`cannot decrypt data: only RSA`), "has no AES-192: “only RSA, DES, DES-EDE3, AES-256-CBC and AES-128-GCM supported”"},
	{"pkcs7", regexp.MustCompile(`unimplemented content type`), "has no AuthEnvelopedData: “unimplemented content type”"},
	{"mozilla/pkcs7", regexp.MustCompile(`crypto/rsa: decryption error`), "has no RSAES-OAEP: “crypto/rsa: decryption error”"},
	{"smallstep/pkcs7", regexp.MustCompile(`crypto/rsa: decryption error`), "takes RSAES-OAEP's second hash and label to be the usual ones: “crypto/rsa: decryption error”"},
	{"pkcs7", regexp.MustCompile(`asn1: structure error: sequence tag mismatch`), "reads no message that has a recipient by key agreement among others: “sequence tag mismatch”"},
	{"pkcs7", regexp.MustCompile(`panics: interface conversion`), "has no key agreement, and panics"},
	{"pkcs7", regexp.MustCompile(`only RSA keys are supported`), "has no key agreement: “only RSA keys are supported”"},
}
