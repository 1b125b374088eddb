import java.io.*;
import java.security.MessageDigest;
import java.util.*;
import javax.xml.namespace.QName;
import javax.xml.soap.*;

/**
 * A provider made of Java's SAAJ, for tests. Requests and answers go over standard input and output, each as two byte strings with their lengths in front:
 * the Content-Type, and the body. A submission is answered with the SHA-256 of its message as identifier, a fetch with 200000 bytes of all values.
 */
public class Peer {
    static final String XOP = "http://www.w3.org/2004/08/xop/include";

    public static void main(String[] args) throws Exception {
        boolean soap12 = args[0].equals("1.2");
        MessageFactory factory = MessageFactory.newInstance(soap12 ? SOAPConstants.SOAP_1_2_PROTOCOL : SOAPConstants.SOAP_1_1_PROTOCOL);
        DataInputStream in = new DataInputStream(System.in);
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out));
        while (true) {
            byte[] type;
            try {
                type = read(in);
            } catch (EOFException e) {
                return;
            }
            MimeHeaders headers = new MimeHeaders();
            headers.addHeader("Content-Type", new String(type, "UTF-8"));
            SOAPMessage request = factory.createMessage(headers, new ByteArrayInputStream(read(in)));
            SOAPMessage answer = factory.createMessage();
            boolean xop = answer(soap12, request, answer);
            answer.saveChanges();
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            answer.writeTo(body);
            String contentType = answer.getMimeHeaders().getHeader("Content-Type")[0];
            String text = body.toString("ISO-8859-1");
            if (xop) { // SAAJ itself writes SOAP with attachments, which is the same but for the name of the type, here and at the XML
                contentType = contentType.replaceAll("type=\"[^\"]*\"", "type=\"application/xop+xml\"");
                text = text.replaceFirst("(?i)content-type: application/soap\\+xml", "Content-Type: application/xop+xml; type=\"application/soap+xml\"");
            }
            write(out, contentType.getBytes("UTF-8"));
            write(out, text.getBytes("ISO-8859-1"));
            out.flush();
        }
    }

    /** Fills the answer to a request, and tells whether it refers to a part. */
    static boolean answer(boolean soap12, SOAPMessage request, SOAPMessage answer) throws Exception {
        SOAPElement asked = (SOAPElement) first(request.getSOAPBody());
        String space = asked.getNamespaceURI();
        SOAPBody body = answer.getSOAPBody();
        if (asked.getLocalName().equals("SendMessage") || asked.getLocalName().equals("send")) {
            SOAPElement content = find(asked, soap12 ? "Message" : "data");
            String id = hex(MessageDigest.getInstance("SHA-256").digest(bytes(request, content)));
            String key = find(asked, soap12 ? "ClientReference" : "reference").getTextContent();
            SOAPElement response = body.addChildElement(new QName(space, soap12 ? "SendMessageResponse" : "response", "r"));
            if (soap12) {
                response.addChildElement(new QName(space, "MessageId", "r")).setTextContent(id + " " + key);
            } else {
                result(response, space);
                response.addChildElement(new QName(space, "message", "r")).setAttribute("id", id + " " + key);
            }
            return false;
        }
        SOAPElement response = body.addChildElement(new QName(space, soap12 ? "GetMessageResponse" : "response", "r"));
        byte[] message = new byte[200000];
        for (int i = 0; i < message.length; i++) {
            message[i] = (byte) (i * (i >> 8));
        }
        if (soap12) {
            SOAPElement holder = response.addChildElement(new QName(space, "Message", "r"));
            holder.addChildElement(new QName(XOP, "Include", "xop")).setAttribute("href", "cid:message%2b1@peer.example");
            AttachmentPart part = answer.createAttachmentPart();
            part.setRawContentBytes(message, 0, message.length, "application/octet-stream");
            part.setContentId("<message+1@peer.example>");
            answer.addAttachmentPart(part);
            return true;
        }
        result(response, space);
        response.addChildElement(new QName(space, "data", "r")).setTextContent(Base64.getMimeEncoder().encodeToString(message)); // lines end with CRLF
        return false;
    }

    static void result(SOAPElement response, String space) throws SOAPException {
        response.addChildElement(new QName(space, "result", "r")).addChildElement(new QName(space, "code", "r")).setTextContent("0");
    }

    /** The bytes of an element: those of the part it refers to, or its base64. */
    static byte[] bytes(SOAPMessage request, SOAPElement element) throws Exception {
        Iterator<?> includes = element.getChildElements(new QName(XOP, "Include"));
        if (!includes.hasNext()) {
            return Base64.getMimeDecoder().decode(element.getTextContent());
        }
        AttachmentPart part = request.getAttachment((SOAPElement) includes.next());
        return part.getRawContentBytes();
    }

    static Object first(SOAPElement e) {
        for (Iterator<?> i = e.getChildElements(); i.hasNext();) {
            Object o = i.next();
            if (o instanceof SOAPElement) {
                return o;
            }
        }
        throw new IllegalArgumentException("no element");
    }

    static SOAPElement find(SOAPElement e, String name) {
        return (SOAPElement) e.getChildElements(new QName(e.getNamespaceURI(), name)).next();
    }

    static byte[] read(DataInputStream in) throws IOException {
        byte[] b = new byte[in.readInt()];
        in.readFully(b);
        return b;
    }

    static void write(DataOutputStream out, byte[] b) throws IOException {
        out.writeInt(b.length);
        out.write(b);
    }

    static String hex(byte[] b) {
        StringBuilder s = new StringBuilder();
        for (byte x : b) {
            s.append(String.format("%02x", x));
        }
        return s.toString();
    }
}
