#!/usr/bin/python3
"""Seals and checks De-Mail messages (BSI TR-01201 part 3.4, 3.1.21), independently of the Go code.

dkimpy canonicalizes, OpenSSL hashes and signs.

  demail.py seal ALGORITHM KEY CERTIFICATE < message > sealed     ALGORITHM: sha256, sha256/rsa, sha512/ec-dsa, ...
  demail.py check < sealed                                         says "signed", "hashed", or fails
"""
import base64, hashlib, os, re, subprocess, sys, tempfile
from dkim import rfc822_parse
from dkim.canonicalization import CanonicalizationPolicy

ORDER = """From Date Message-ID Subject Reply-To X-de-mail-confirmation-of-dispatch X-de-mail-confirmation-of-receipt
X-de-mail-confirmation-of-retrieve X-de-mail-authoritative X-de-mail-private X-de-mail-sender X-de-mail-chosen-recipient
X-de-mail-auth-mechanism X-de-mail-auth-level X-de-mail-originator-provider X-de-mail-message-type X-de-mail-version X-de-mail-private-id
X-de-mail-message-id X-de-mail-account-holder""".split()
INTEGRITY, CERTIFICATE = b"x-de-mail-integrity", b"x-de-mail-signature-certificate"
SIMPLE = CanonicalizationPolicy.from_c_value(b"simple/simple")


def first(headers, name):
    """The topmost field of a name: De-Mail differs from DKIM here."""
    return next(([n, v] for n, v in headers if n.lower() == name.lower()), None)


def header_bytes(headers, names, integrity):
    found = [f for f in (first(headers, n) for n in names) if f]
    out = b"".join(n + b":" + v for n, v in SIMPLE.canonicalize_headers(found))
    name, value = integrity
    value = re.sub(br"([;\s]b\s*=)[^;]*", br"\1", value.rstrip(b"\r\n"))
    return out + name + b":" + value


def options(how, digest):
    if how == "rsassa-pss":
        return ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest", "-pkeyopt", "rsa_mgf1_md:" + digest]
    return ["-pkeyopt", "rsa_padding_mode:pkcs1"] if how == "rsa" else []


def run(data, *args):
    return subprocess.run(args, input=data, check=True, capture_output=True).stdout


def fold(data):
    text = base64.b64encode(data)
    return b"\r\n\t".join(text[i:i + 60] for i in range(0, len(text), 60))


def seal(algorithm, key=None, cert=None):
    digest, _, how = algorithm.partition("/")
    headers, body = rfc822_parse(sys.stdin.buffer.read())
    if how:
        der = run(b"", "openssl", "x509", "-in", cert, "-outform", "DER")
        headers.append([CERTIFICATE, b" " + fold(der) + b"\r\n"])
    names = [n for n in ORDER if first(headers, n.encode())]
    value = " a=%s;\r\n\tc=simple/simple; v=1;%s\r\n\th=%s;\r\n\tbh=%s;\r\n\tb=" % (
        algorithm, how and " q=x-header/x-de-mail-signature-certificate;", ":\r\n\t ".join(names),
        base64.b64encode(hashlib.new(digest, SIMPLE.canonicalize_body(body)).digest()).decode())
    data = header_bytes(headers, [n.encode() for n in names], [INTEGRITY, value.encode() + b"; t=1700000000"])
    out = hashlib.new(digest, data).digest()
    if how:
        out = run(out, "openssl", "pkeyutl", "-sign", "-inkey", key, "-pkeyopt", "digest:" + digest, *options(how, digest))
    headers.append([INTEGRITY, value.encode() + fold(out) + b"; t=1700000000\r\n"])
    sys.stdout.buffer.write(b"".join(n + b":" + v for n, v in headers) + b"\r\n" + body)


def check():
    headers, body = rfc822_parse(sys.stdin.buffer.read())
    integrity = first(headers, INTEGRITY)
    tags = {n.strip(): v for n, _, v in (t.partition(b"=") for t in integrity[1].split(b";")) if n.strip()}
    digest, _, how = tags[b"a"].strip().decode().partition("/")
    assert base64.b64decode(tags[b"bh"]) == hashlib.new(digest, SIMPLE.canonicalize_body(body)).digest(), "body"
    names = [n.strip() for n in tags[b"h"].split(b":")]
    assert [n.decode().lower() for n in names if first(headers, n)] == [n.lower() for n in ORDER if first(headers, n.encode())], "order"
    sum = hashlib.new(digest, header_bytes(headers, names, integrity)).digest()
    value = base64.b64decode(tags[b"b"])
    if not how:
        assert value == sum, "header"
        print("hashed")
        return
    assert tags[b"q"].strip() == b"x-header/x-de-mail-signature-certificate", "q"
    with tempfile.TemporaryDirectory() as d:
        der, sig = os.path.join(d, "c"), os.path.join(d, "s")
        open(der, "wb").write(base64.b64decode(first(headers, CERTIFICATE)[1]))
        open(sig, "wb").write(value)
        run(sum, "openssl", "pkeyutl", "-verify", "-certin", "-inkey", der, "-keyform", "DER", "-sigfile", sig,
            "-pkeyopt", "digest:" + digest, *options(how, digest))
    print("signed")


{"seal": seal, "check": check}[sys.argv[1]](*sys.argv[2:])
