// Peer answers one request a line from standard input, so that one virtual machine serves all cases. A request is an
// operation and then NAME=VALUE words; what it reads and writes are files. The answer is "ok" or "error" with a text.

import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.security.*;
import java.security.cert.X509Certificate;
import java.security.spec.*;
import java.util.*;
import javax.crypto.spec.*;
import org.bouncycastle.asn1.*;
import org.bouncycastle.asn1.cms.AuthEnvelopedData;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.asn1.cms.EncryptedContentInfo;
import org.bouncycastle.asn1.cms.GCMParameters;
import org.bouncycastle.asn1.cms.IssuerAndSerialNumber;
import org.bouncycastle.asn1.cms.KeyAgreeRecipientIdentifier;
import org.bouncycastle.asn1.cms.RecipientEncryptedKey;
import org.bouncycastle.asn1.cms.RecipientKeyIdentifier;
import org.bouncycastle.asn1.cms.ecc.ECCCMSSharedInfo;
import org.bouncycastle.asn1.pkcs.*;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.*;
import org.bouncycastle.cert.jcajce.*;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.*;
import org.bouncycastle.crypto.agreement.X25519Agreement;
import org.bouncycastle.crypto.digests.SHA256Digest;
import org.bouncycastle.crypto.generators.HKDFBytesGenerator;
import org.bouncycastle.crypto.params.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.*;
import org.bouncycastle.operator.jcajce.*;
import org.bouncycastle.util.Store;

class Peer {
    static final BouncyCastleProvider BC = new BouncyCastleProvider();

    public static void main(String[] args) throws Exception {
        Security.addProvider(BC);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ok " + BC.getInfo());
        for (String line; (line = in.readLine()) != null;) {
            String answer;
            try {
                answer = "ok " + answer(line);
            } catch (Throwable e) {
                StringBuilder text = new StringBuilder();
                for (Throwable t = e; t != null && text.length() < 500; t = t.getCause())
                    text.append(t.getClass().getSimpleName()).append(": ").append(t.getMessage()).append("; ");
                answer = "error " + text.toString().replaceAll("[\r\n]+", " ");
            }
            System.out.println(answer);
        }
    }

    static String answer(String line) throws Exception {
        String[] words = line.split(" ");
        Map<String, String> r = new HashMap<>();
        for (int i = 1; i < words.length; i++) {
            String[] pair = words[i].split("=", 2);
            r.put(pair[0], pair[1]);
        }
        switch (words[0]) {
        case "sign":
            Files.write(Path.of(r.get("out")), sign(r));
            return "";
        case "verify":
            return verify(r);
        case "encrypt":
            Files.write(Path.of(r.get("out")), encrypt(r));
            return "";
        case "decrypt":
            Files.write(Path.of(r.get("out")), decrypt(r));
            return "";
        case "compress":
            Files.write(Path.of(r.get("out")), new CMSCompressedDataGenerator().generate(
                new CMSProcessableByteArray(read(r.get("in"))), new ZlibCompressor()).getEncoded());
            return "";
        }
        throw new IllegalArgumentException("no such operation: " + words[0]);
    }

    static byte[] read(String name) throws IOException { return Files.readAllBytes(Path.of(name)); }

    static X509Certificate certificate(String name) throws Exception {
        return new JcaX509CertificateConverter().setProvider(BC).getCertificate(new X509CertificateHolder(read(name)));
    }

    static PrivateKey key(String name) throws Exception {
        PrivateKeyInfo info = PrivateKeyInfo.getInstance(read(name));
        return BouncyCastleProvider.getPrivateKey(info);
    }

    static byte[] keyID(X509Certificate cert) throws Exception {
        ASN1OctetString value = ASN1OctetString.getInstance(cert.getExtensionValue(Extension.subjectKeyIdentifier.getId()));
        return SubjectKeyIdentifier.getInstance(value.getOctets()).getKeyIdentifier();
    }

    static byte[] sign(Map<String, String> r) throws Exception {
        String[] certs = r.get("cert").split(","), keys = r.get("key").split(","), schemes = r.get("scheme").split(",");
        CMSSignedDataGenerator plain = new CMSSignedDataGenerator();
        CMSSignedDataStreamGenerator stream = new CMSSignedDataStreamGenerator();
        for (int i = 0; i < certs.length; i++) {
            X509Certificate cert = certificate(certs[i]);
            ContentSigner signer = new JcaContentSignerBuilder(schemes[i]).setProvider(BC).build(key(keys[i]));
            JcaSignerInfoGeneratorBuilder b = new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().setProvider(BC).build());
            if (r.containsKey("bare"))
                b.setDirectSignature(true);
            SignerInfoGenerator g = r.get("ski").equals("true") ? b.build(signer, keyID(cert)) : b.build(signer, cert);
            plain.addSignerInfoGenerator(g);
            plain.addCertificate(new JcaX509CertificateHolder(cert));
            stream.addSignerInfoGenerator(g);
            stream.addCertificate(new JcaX509CertificateHolder(cert));
        }
        byte[] content = read(r.get("in"));
        if (!r.get("form").equals("stream"))
            return plain.generate(new CMSProcessableByteArray(content), r.get("form").equals("opaque")).getEncoded(ASN1Encoding.DER);
        stream.setBufferSize(1000);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        OutputStream s = stream.open(out, true);
        s.write(content);
        s.close();
        return out.toByteArray();
    }

    static String verify(Map<String, String> r) throws Exception {
        CMSSignedData s = r.containsKey("content")
            ? new CMSSignedData(new CMSProcessableByteArray(read(r.get("content"))), read(r.get("in"))) : new CMSSignedData(read(r.get("in")));
        X509Certificate root = certificate(r.get("ca"));
        Store<X509CertificateHolder> certs = s.getCertificates();
        if (s.getSignerInfos().size() == 0)
            throw new CMSException("no signers");
        for (SignerInformation signer : s.getSignerInfos().getSigners()) {
            @SuppressWarnings("unchecked")
            Collection<X509CertificateHolder> found = certs.getMatches(signer.getSID());
            X509CertificateHolder cert = found.iterator().next();
            if (!cert.isSignatureValid(new JcaContentVerifierProviderBuilder().setProvider(BC).build(root)))
                throw new CMSException("certificate is not by the root");
            if (!signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider(BC).build(cert)))
                throw new CMSException("signature is not right");
        }
        if (r.containsKey("out"))
            Files.write(Path.of(r.get("out")), (byte[]) s.getSignedContent().getContent());
        return "";
    }

    static ASN1ObjectIdentifier contentAlgorithm(String name) {
        switch (name) {
        case "aes128-cbc": return CMSAlgorithm.AES128_CBC;
        case "aes192-cbc": return CMSAlgorithm.AES192_CBC;
        case "aes256-cbc": return CMSAlgorithm.AES256_CBC;
        case "aes128-gcm": return CMSAlgorithm.AES128_GCM;
        case "aes192-gcm": return CMSAlgorithm.AES192_GCM;
        case "aes256-gcm": return CMSAlgorithm.AES256_GCM;
        case "des-ede3-cbc": return CMSAlgorithm.DES_EDE3_CBC;
        case "rc2-cbc": return CMSAlgorithm.RC2_CBC;
        case "chacha20-poly1305": return PKCSObjectIdentifiers.id_alg_AEADChaCha20Poly1305;
        }
        throw new IllegalArgumentException("no such content algorithm: " + name);
    }

    // wrap is the key wrap that RFC 5753 sets beside a content algorithm.
    static ASN1ObjectIdentifier wrap(String content) {
        if (content.startsWith("aes128")) return CMSAlgorithm.AES128_WRAP;
        if (content.startsWith("aes192")) return CMSAlgorithm.AES192_WRAP;
        if (content.equals("des-ede3-cbc")) return CMSAlgorithm.DES_EDE3_WRAP;
        return CMSAlgorithm.AES256_WRAP;
    }

    static RecipientInfoGenerator recipient(X509Certificate cert, String transport, String content, boolean ski) throws Exception {
        String[] p = transport.split("/"); // kind, and its parameters
        if (p[0].equals("x25519"))
            return new X25519Generator(cert, wrap(content), ski);
        if (p[0].equals("ecdh") || p[0].equals("ecdhc")) {
            ASN1ObjectIdentifier kdf = agreement(p[0], p[1]);
            KeyPairGenerator g = KeyPairGenerator.getInstance("EC", BC);
            g.initialize(((java.security.interfaces.ECPublicKey) cert.getPublicKey()).getParams());
            KeyPair pair = g.generateKeyPair();
            JceKeyAgreeRecipientInfoGenerator a = new JceKeyAgreeRecipientInfoGenerator(kdf, pair.getPrivate(), pair.getPublic(), wrap(content));
            a.setProvider(BC);
            if (ski)
                a.addRecipient(keyID(cert), cert.getPublicKey());
            else
                a.addRecipient(cert);
            return a;
        }
        if (p[0].equals("rsa"))
            return ski ? new JceKeyTransRecipientInfoGenerator(keyID(cert), cert.getPublicKey()).setProvider(BC)
                : new JceKeyTransRecipientInfoGenerator(cert).setProvider(BC);
        PSource label = p.length > 3 ? new PSource.PSpecified(p[3].getBytes(StandardCharsets.UTF_8)) : PSource.PSpecified.DEFAULT;
        AlgorithmIdentifier oaep = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            PKCSObjectIdentifiers.id_RSAES_OAEP, new OAEPParameterSpec(p[1], "MGF1", new MGF1ParameterSpec(p[2]), label));
        return ski ? new JceKeyTransRecipientInfoGenerator(keyID(cert), oaep, cert.getPublicKey()).setProvider(BC)
            : new JceKeyTransRecipientInfoGenerator(cert, oaep).setProvider(BC);
    }

    static ASN1ObjectIdentifier agreement(String kind, String hash) {
        boolean cofactor = kind.equals("ecdhc");
        switch (hash) {
        case "SHA-1": return cofactor ? CMSAlgorithm.ECCDH_SHA1KDF : CMSAlgorithm.ECDH_SHA1KDF;
        case "SHA-224": return cofactor ? CMSAlgorithm.ECCDH_SHA224KDF : CMSAlgorithm.ECDH_SHA224KDF;
        case "SHA-256": return cofactor ? CMSAlgorithm.ECCDH_SHA256KDF : CMSAlgorithm.ECDH_SHA256KDF;
        case "SHA-384": return cofactor ? CMSAlgorithm.ECCDH_SHA384KDF : CMSAlgorithm.ECDH_SHA384KDF;
        case "SHA-512": return cofactor ? CMSAlgorithm.ECCDH_SHA512KDF : CMSAlgorithm.ECDH_SHA512KDF;
        }
        throw new IllegalArgumentException("no such key derivation: " + hash);
    }

    static byte[] encrypt(Map<String, String> r) throws Exception {
        String[] certs = r.get("cert").split(","), transports = r.get("transport").split(",");
        String name = r.get("algorithm");
        boolean stream = r.get("form").equals("stream"), authenticated = name.endsWith("gcm") || name.startsWith("chacha");
        OutputEncryptor encryptor = name.startsWith("chacha") ? new ChaChaEncryptor() : new JceCMSContentEncryptorBuilder(contentAlgorithm(name)).setProvider(BC).build();
        CMSEnvelopedGenerator g = authenticated ? new CMSAuthEnvelopedDataGenerator() : stream ? new CMSEnvelopedDataStreamGenerator() : new CMSEnvelopedDataGenerator();
        for (int i = 0; i < certs.length; i++)
            g.addRecipientInfoGenerator(recipient(certificate(certs[i]), transports[i], name, r.get("ski").equals("true")));
        byte[] content = read(r.get("in"));
        CMSTypedData data = new CMSProcessableByteArray(content);
        if (authenticated) // the library streams no AuthEnvelopedData: BER is what comes nearest
            return ((CMSAuthEnvelopedDataGenerator) g).generate(data, (OutputAEADEncryptor) encryptor)
                .toASN1Structure().getEncoded(stream ? ASN1Encoding.BER : ASN1Encoding.DER);
        if (!stream)
            return ((CMSEnvelopedDataGenerator) g).generate(data, encryptor).toASN1Structure().getEncoded(ASN1Encoding.DER);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ((CMSEnvelopedDataStreamGenerator) g).setBufferSize(1000);
        OutputStream s = ((CMSEnvelopedDataStreamGenerator) g).open(out, encryptor);
        s.write(content);
        s.close();
        return out.toByteArray();
    }

    @SuppressWarnings("unchecked")
    static byte[] decrypt(Map<String, String> r) throws Exception {
        byte[] message = read(r.get("in"));
        ContentInfo outer = ContentInfo.getInstance(message);
        boolean authenticated = outer.getContentType().equals(CMSObjectIdentifiers.authEnvelopedData);
        RecipientInformationStore all = authenticated ? new CMSAuthEnvelopedData(message).getRecipientInfos()
            : new CMSEnvelopedData(message).getRecipientInfos();
        X509Certificate cert = certificate(r.get("cert"));
        PrivateKey key = key(r.get("key"));
        JcaX509CertificateHolder holder = new JcaX509CertificateHolder(cert);
        for (RecipientInformation info : all.getRecipients()) {
            if (!info.getRID().match(holder))
                continue;
            boolean agreement = info.getRID() instanceof KeyAgreeRecipientId;
            if (!authenticated)
                return info.getContent(agreement ? new Agreement(key, null).setProvider(BC) : new JceKeyTransEnvelopedRecipient(key).setProvider(BC));
            Key[] content = new Key[1]; // of the one recipient or the other
            Recipient who = agreement ? new Agreement(key, content).setProvider(BC) : new Transport(key, content).setProvider(BC);
            try {
                info.getContent(who);
            } catch (CMSException e) {
                if (content[0] == null)
                    throw e;
            }
            return authenticated(AuthEnvelopedData.getInstance(outer.getContent()), content[0]);
        }
        throw new CMSException("no recipient info for this certificate");
    }

    // authenticated is the content of an AuthEnvelopedData without authenticated attributes (RFC 5083).
    static byte[] authenticated(AuthEnvelopedData data, Key key) throws Exception {
        EncryptedContentInfo info = data.getAuthEncryptedContentInfo();
        AlgorithmIdentifier algorithm = info.getContentEncryptionAlgorithm();
        javax.crypto.Cipher cipher;
        byte[] mac = data.getMac().getOctets();
        if (algorithm.getAlgorithm().equals(PKCSObjectIdentifiers.id_alg_AEADChaCha20Poly1305)) { // RFC 8103
            cipher = javax.crypto.Cipher.getInstance("ChaCha20-Poly1305", "SunJCE");
            cipher.init(javax.crypto.Cipher.DECRYPT_MODE, new SecretKeySpec(key.getEncoded(), "ChaCha20"),
                new IvParameterSpec(ASN1OctetString.getInstance(algorithm.getParameters()).getOctets()));
        } else { // RFC 5084
            GCMParameters p = GCMParameters.getInstance(algorithm.getParameters());
            if (p.getIcvLen() != mac.length)
                throw new CMSException("the tag has another length than the parameters say");
            cipher = javax.crypto.Cipher.getInstance("AES/GCM/NoPadding", BC);
            cipher.init(javax.crypto.Cipher.DECRYPT_MODE, new SecretKeySpec(key.getEncoded(), "AES"), new GCMParameterSpec(8 * mac.length, p.getNonce()));
        }
        byte[] head = cipher.update(info.getEncryptedContent().getOctets()), tail = cipher.doFinal(mac);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (head != null)
            out.write(head);
        out.write(tail);
        return out.toByteArray();
    }

    // Transport finds out the content key of an AuthEnvelopedData, which the library does not say.
    static class Transport extends JceKeyTransRecipient {
        final Key[] content;

        Transport(PrivateKey key, Key[] content) {
            super(key);
            this.content = content;
        }

        public RecipientOperator getRecipientOperator(AlgorithmIdentifier way, AlgorithmIdentifier algorithm, byte[] encrypted) throws CMSException {
            content[0] = extractSecretKey(way, algorithm, encrypted);
            throw new CMSException("the key is what was wanted");
        }
    }

    // Agreement does so for key agreement, which the library has for EnvelopedData alone; and X25519, which it does not have.
    static class Agreement extends JceKeyAgreeRecipient {
        final PrivateKey key;
        final Key[] content;

        Agreement(PrivateKey key, Key[] content) {
            super(key);
            this.key = key;
            this.content = content;
        }

        public RecipientOperator getRecipientOperator(AlgorithmIdentifier way, AlgorithmIdentifier algorithm,
            SubjectPublicKeyInfo sender, ASN1OctetString ukm, byte[] wrapped) throws CMSException {
            Key secret;
            if (way.getAlgorithm().equals(HKDF_SHA256)) {
                try {
                    byte[] kek = x25519(key, sender.getPublicKeyData().getOctets(), AlgorithmIdentifier.getInstance(way.getParameters()),
                        ukm == null ? null : ukm.getOctets());
                    javax.crypto.Cipher c = javax.crypto.Cipher.getInstance("AESWrap", BC);
                    c.init(javax.crypto.Cipher.UNWRAP_MODE, new SecretKeySpec(kek, "AES"));
                    secret = c.unwrap(wrapped, algorithm.getAlgorithm().getId(), javax.crypto.Cipher.SECRET_KEY);
                } catch (Exception e) {
                    throw new CMSException("X25519", e);
                }
            } else {
                secret = extractSecretKey(way, algorithm, sender, ukm, wrapped);
            }
            if (content != null) {
                content[0] = secret;
                throw new CMSException("the key is what was wanted");
            }
            return new JceKeyTransEnvelopedRecipient(null) {
                protected Key extractSecretKey(AlgorithmIdentifier a, AlgorithmIdentifier b, byte[] c) { return secret; }
            }.getRecipientOperator(way, algorithm, wrapped);
        }
    }

    static final ASN1ObjectIdentifier HKDF_SHA256 = PKCSObjectIdentifiers.id_alg.branch("19"); // dhSinglePass-stdDH-hkdf-sha256-scheme

    // x25519 is the key for the key wrap (RFC 8418, 2.2).
    static byte[] x25519(PrivateKey own, byte[] peer, AlgorithmIdentifier wrap, byte[] ukm) throws Exception {
        byte[] raw = ASN1OctetString.getInstance(PrivateKeyInfo.getInstance(own.getEncoded()).parsePrivateKey()).getOctets();
        X25519Agreement agreement = new X25519Agreement();
        agreement.init(new X25519PrivateKeyParameters(raw, 0));
        byte[] secret = new byte[agreement.getAgreementSize()];
        agreement.calculateAgreement(new X25519PublicKeyParameters(peer, 0), secret, 0);
        int size = wrap.getAlgorithm().equals(CMSAlgorithm.AES128_WRAP) ? 16 : wrap.getAlgorithm().equals(CMSAlgorithm.AES192_WRAP) ? 24 : 32;
        byte[] info = new ECCCMSSharedInfo(wrap, ukm, org.bouncycastle.util.Pack.intToBigEndian(8 * size)).getEncoded(ASN1Encoding.DER);
        HKDFBytesGenerator kdf = new HKDFBytesGenerator(new SHA256Digest());
        kdf.init(new HKDFParameters(secret, ukm, info));
        byte[] kek = new byte[size];
        kdf.generateBytes(kek, 0, size);
        return kek;
    }

    // X25519Generator makes the recipient info of RFC 8418.
    static class X25519Generator extends KeyAgreeRecipientInfoGenerator {
        final X509Certificate cert;
        final boolean ski;
        final PrivateKey own;

        X25519Generator(X509Certificate cert, ASN1ObjectIdentifier wrap, boolean ski) throws Exception {
            this(cert, wrap, ski, KeyPairGenerator.getInstance("X25519", BC).generateKeyPair());
        }

        X25519Generator(X509Certificate cert, ASN1ObjectIdentifier wrap, boolean ski, KeyPair pair) {
            super(HKDF_SHA256, SubjectPublicKeyInfo.getInstance(pair.getPublic().getEncoded()), wrap);
            this.cert = cert;
            this.ski = ski;
            this.own = pair.getPrivate();
        }

        protected byte[] getUserKeyingMaterial(AlgorithmIdentifier way) { return null; }

        protected ASN1Sequence generateRecipientEncryptedKeys(AlgorithmIdentifier way, AlgorithmIdentifier wrap, GenericKey content) throws CMSException {
            try {
                byte[] peer = SubjectPublicKeyInfo.getInstance(cert.getPublicKey().getEncoded()).getPublicKeyData().getOctets();
                javax.crypto.Cipher c = javax.crypto.Cipher.getInstance("AESWrap", BC);
                c.init(javax.crypto.Cipher.WRAP_MODE, new SecretKeySpec(x25519(own, peer, wrap, null), "AES"));
                byte[] raw = content.getRepresentation() instanceof Key ? ((Key) content.getRepresentation()).getEncoded() : (byte[]) content.getRepresentation();
                ASN1OctetString wrapped = new DEROctetString(c.wrap(new SecretKeySpec(raw, "AES")));
                KeyAgreeRecipientIdentifier id = ski ? new KeyAgreeRecipientIdentifier(new RecipientKeyIdentifier(keyID(cert)))
                    : new KeyAgreeRecipientIdentifier(new IssuerAndSerialNumber(new JcaX509CertificateHolder(cert).toASN1Structure()));
                return new DERSequence(new RecipientEncryptedKey(id, wrapped));
            } catch (Exception e) {
                throw new CMSException("X25519", e);
            }
        }
    }

    // ChaChaEncryptor is the content encryption of RFC 8103, for which the library has the name only.
    static class ChaChaEncryptor implements OutputAEADEncryptor {
        final byte[] key = new byte[32], nonce = new byte[12];
        byte[] mac;

        ChaChaEncryptor() {
            SecureRandom random = new SecureRandom();
            random.nextBytes(key);
            random.nextBytes(nonce);
        }

        public AlgorithmIdentifier getAlgorithmIdentifier() {
            return new AlgorithmIdentifier(PKCSObjectIdentifiers.id_alg_AEADChaCha20Poly1305, new DEROctetString(nonce));
        }

        public GenericKey getKey() { return new JceGenericKey(getAlgorithmIdentifier(), new SecretKeySpec(key, "ChaCha20")); }

        public OutputStream getAADStream() { return OutputStream.nullOutputStream(); }

        public byte[] getMAC() { return mac; }

        public OutputStream getOutputStream(OutputStream out) {
            return new ByteArrayOutputStream() {
                public void close() throws IOException {
                    try {
                        javax.crypto.Cipher c = javax.crypto.Cipher.getInstance("ChaCha20-Poly1305", "SunJCE");
                        c.init(javax.crypto.Cipher.ENCRYPT_MODE, new SecretKeySpec(key, "ChaCha20"), new IvParameterSpec(nonce));
                        byte[] sealed = c.doFinal(toByteArray());
                        out.write(sealed, 0, sealed.length - 16);
                        mac = Arrays.copyOfRange(sealed, sealed.length - 16, sealed.length);
                    } catch (GeneralSecurityException e) {
                        throw new IOException(e);
                    }
                }
            };
        }
    }
}
